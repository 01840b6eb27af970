"""The options that let code of others run here: typed at each command, never read from a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from edgebench.converters.trust import Trust

OPTIONS = (
    click.option(
        "--trust-lambda", is_flag=True, help="Load Lambda layers: Python code inside the model file runs here."
    ),
    click.option(
        "--import",
        "imports",
        multiple=True,
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE.py",
        help="Your own code that defines layers of a .keras or .h5 file; it is run here. May be repeated.",
    ),
)


def trust_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of `Trust` to a command."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def make_trust(trust_lambda: bool, imports: tuple[Path, ...]) -> Trust:
    """Return what was typed."""
    return Trust(trust_lambda, tuple(path.absolute() for path in imports))
