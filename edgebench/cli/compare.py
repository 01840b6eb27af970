"""`edgebench compare`."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import click
from rich.table import Table
from rich.text import Text

from edgebench.cli.evaluating import margin_option
from edgebench.compare.accuracy import drop_verdicts
from edgebench.compare.gates import Outcome, judge
from edgebench.compare.junit import to_junit
from edgebench.compare.pairs import Pair, changed_environment, pair, unlike
from edgebench.compare.values import NAMES, difference_of
from edgebench.errors import UsageError
from edgebench.expression import UNDECIDED, parse
from edgebench.files import write_bytes
from edgebench.measures.significance import Verdict
from edgebench.report import make_console
from edgebench.results.conditions import newest_only
from edgebench.results.figure import Basis
from edgebench.results.load import load_results
from edgebench.results.rows import to_row


def _show_names(context: click.Context, parameter: click.Parameter, value: bool) -> None:  # noqa: ARG001
    if value:
        click.echo("\n".join(sorted(NAMES)))
        context.exit()


@click.command(name="compare")
@click.argument("baseline", type=click.Path(path_type=Path))
@click.argument("candidate", type=click.Path(path_type=Path))
@click.option(
    "--fail-if", "conditions", multiple=True, metavar="EXPR", help="A condition that must not hold; repeat it."
)
@click.option("--strict", is_flag=True, help="Also fail where the intervals cannot decide a condition.")
@margin_option
@click.option("--junit", type=click.Path(path_type=Path), help="Write the outcomes as JUnit XML, too.")
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
@click.option("--names", is_flag=True, is_eager=True, expose_value=False, callback=_show_names, help="List all names.")
def command(
    baseline: Path,
    candidate: Path,
    conditions: tuple[str, ...],
    strict: bool,
    margin: float,
    junit: Path | None,
    as_json: bool,
) -> None:
    """Compare two results, or two folders of them, and fail where a condition holds.

    \b
    edgebench compare main/results branch/results --fail-if 'top1_drop > 0.01' --fail-if slower
    edgebench compare old.json new.json --fail-if 'latency_ms_median_ratio > 1.05 or peak_rss_bytes_ratio > 1.1'

    Both sides answered the same images: whether accuracy dropped is said in the words of the report (--margin).

    A name is a column of report.csv, or one followed by _baseline, _ratio or _change; `slower` and `faster` hold only
    where the interval says so. What was not measured, failed, or was throttled cannot pass. Exit code 1: a gate failed.
    """
    gates = [parse(text, NAMES) for text in conditions]
    cells = pair(_read(baseline), _read(candidate))
    drops = drop_verdicts(cells, margin)
    outcomes = [outcome for cell in cells for outcome in judge(cell, gates)]
    if strict:
        outcomes = [dataclasses.replace(o, passed=o.passed and o.decision != UNDECIDED) for o in outcomes]
    if junit is not None:
        write_bytes(junit, to_junit(outcomes))
    if as_json:
        plain = [_plain(cell, drop) for cell, drop in zip(cells, drops, strict=True)]
        click.echo(json.dumps({"cells": plain, "gates": [vars(o) for o in outcomes]}, indent=1))
    else:
        _print(cells, drops, outcomes)
    if not all(outcome.passed for outcome in outcomes):
        sys.exit(1)


def _read(path: Path) -> list:  # type: ignore[type-arg]
    if not path.exists():
        raise UsageError(f"no such result or results folder: {path}")
    kept, _ = newest_only(load_results([path]))
    if not kept:
        raise UsageError(f"no results in {path}: make them with `edgebench profile`")
    return kept


def _plain(cell: Pair, drop: Verdict) -> dict[str, object]:
    difference = difference_of(cell)
    ratio = difference.ratio if difference else None
    return {
        "cell": cell.name,
        "baseline": cell.baseline.result.status if cell.baseline else None,
        "candidate": cell.candidate.result.status if cell.candidate else None,
        "latency_ratio": dataclasses.asdict(ratio) if ratio else None,
        "latency": difference.word if difference else "unknown",
        "accuracy": drop.short or None,
        "more_images": drop.more_images,
        "changed": changed_environment(cell),
        "reason": unlike(cell, Basis.MACHINE) or (difference.reason if difference else ""),
    }


def _print(cells: Sequence[Pair], drops: Sequence[Verdict], outcomes: Sequence[Outcome]) -> None:
    console = make_console()
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("cell", "baseline ms", "candidate ms", "ratio", "verdict", "top-1"):
        table.add_column(name, justify="left" if name in ("cell", "verdict") else "right")
    for cell, drop in zip(cells, drops, strict=True):
        table.add_row(*(Text(text) for text in _line(cell, drop)))
    console.print(table)
    click.echo()
    for line in _changes(cells):
        click.echo(line)
    for outcome in outcomes:
        word = "undecided" if outcome.passed and outcome.decision == UNDECIDED else "ok" if outcome.passed else "FAILED"
        click.echo(f"{word:9} {outcome.cell}: fail if {outcome.gate}: {outcome.reason}")
    failed = sum(not outcome.passed for outcome in outcomes)
    if outcomes:
        click.echo(f"{failed} of {len(outcomes)} gates failed" if failed else f"{len(outcomes)} gates passed")


def _changes(cells: Sequence[Pair]) -> list[str]:
    """Name once what else differs between the sides, with the number of cells it holds for."""
    counted = Counter((key, *sides) for cell in cells for key, sides in changed_environment(cell).items())
    lines = [
        f"also changed: {key.replace('_', ' ')} {old} -> {new} (in {number} of {len(cells)} cells)"
        for (key, old, new), number in counted.items()
    ]
    apart = sum(
        difference.ratio is not None and not difference.paired for difference in map(difference_of, cells) if difference
    )
    if apart:
        lines.append(
            f"{apart} of {len(cells)} cells were not measured in turn with their baseline: what changed on the "
            "machine in between looks like a difference; `edgebench profile --baseline` measures both in turn"
        )
    return lines


def _line(cell: Pair, drop: Verdict) -> tuple[str, ...]:
    old = to_row(cell.baseline) if cell.baseline else None
    new = to_row(cell.candidate) if cell.candidate else None
    difference = difference_of(cell)
    ratio = difference.ratio if difference else None
    shown = f"{ratio.value:.3f} ({ratio.low:.3f}-{ratio.high:.3f})" if ratio else ""
    accuracy = [f"{row.top1:.3f}" if row and row.top1 is not None else "" for row in (old, new)]
    return (
        cell.name,
        *(f"{row.latency_ms_median:.3f}" if row and row.latency_ms_median else "" for row in (old, new)),
        shown,
        (difference and difference.reason) or _verdict(cell, difference.word if difference else ""),
        ", ".join(filter(None, (" to ".join(accuracy) if any(accuracy) else "", drop.short))),
    )


def _verdict(cell: Pair, word: str) -> str:
    if cell.baseline is None or cell.candidate is None:
        return "new" if cell.baseline is None else "missing in the candidate"
    if not cell.complete:
        return f"{cell.baseline.result.status} to {cell.candidate.result.status}"
    return {"same": "no difference shown", "": unlike(cell, Basis.MACHINE)}.get(word, word)
