"""`edgebench compare`."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import click

from edgebench.cli.comparing import lines_of, markdown_comparison, print_comparison
from edgebench.cli.evaluating import margin_option
from edgebench.compare.accuracy import drop_verdicts
from edgebench.compare.gates import judge
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
@click.option("--markdown", "as_markdown", is_flag=True, help="Print it as Markdown for a pull request: one screen.")
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON.")
@click.option("--names", is_flag=True, is_eager=True, expose_value=False, callback=_show_names, help="List all names.")
def command(
    baseline: Path,
    candidate: Path,
    conditions: tuple[str, ...],
    strict: bool,
    margin: float,
    junit: Path | None,
    as_markdown: bool,
    as_json: bool,
) -> None:
    """Compare two results, or two folders of them, and fail where a condition holds.

    \b
    edgebench compare main/results branch/results --fail-if 'top1_drop > 0.01' --fail-if slower
    edgebench compare main/results branch/results --fail-if slower --markdown > comment.md
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
    elif as_markdown:
        click.echo(markdown_comparison(cells, lines_of(cells, drops), outcomes), nl=False)
    else:
        print_comparison(cells, lines_of(cells, drops), outcomes, make_console())
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
