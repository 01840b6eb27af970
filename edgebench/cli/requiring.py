"""The options that say what must hold and what to be best in, and the wish they make."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from edgebench.errors import UsageError
from edgebench.expression import parse
from edgebench.results.figures import FIGURES
from edgebench.results.recommend import Wish

GOAL = "latency_ms_median"


def wish_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--require`, `--minimise` and `--maximise`; the command gets them as keyword arguments for `make_wish`."""
    for option in (
        click.option("--maximise", metavar="FIGURE", help="Ship the one with the most."),
        click.option(
            "--minimise", metavar="FIGURE", help=f"Of those that meet all, ship the one with the least. Default: {GOAL}"
        ),
        click.option(
            "--require", "requirements", multiple=True, metavar="EXPR", help="What must hold, as in compare; repeat it."
        ),
    ):
        command = option(command)
    return command


def make_wish(requirements: Sequence[str], minimise: str | None, maximise: str | None) -> Wish:
    """Return the wish. Raises UsageError for what is no condition, no figure, or two goals at once."""
    if minimise and maximise:
        raise UsageError("--minimise and --maximise: one of the two")
    goal = maximise or minimise or GOAL
    parse(f"{goal} > 0", frozenset(name for name, figure in FIGURES.items() if figure.number))  # names the nearest
    known = frozenset(FIGURES)
    return Wish(tuple(parse(text, known) for text in requirements), goal, bool(maximise))
