"""`edgebench recommend`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from edgebench.errors import UsageError
from edgebench.expression import Expression, parse
from edgebench.results.conditions import newest_only
from edgebench.results.derived import derive
from edgebench.results.figures import FIGURES
from edgebench.results.load import load_results
from edgebench.results.recommend import Candidate, Recommendation, recommend
from edgebench.results.rows import with_subjects
from edgebench.results.together import rows_together

GOAL = "latency_ms_median"


@click.command(name="recommend")
@click.argument("folders", metavar="RESULTS_DIR...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--require", "requirements", multiple=True, metavar="EXPR", help="What must hold, as in compare; repeat it."
)
@click.option(
    "--minimise", metavar="FIGURE", help=f"Of those that meet all, ship the one with the least. Default: {GOAL}"
)
@click.option("--maximise", metavar="FIGURE", help="Ship the one with the most.")
@click.option("--device", "devices", multiple=True, help="Only these devices; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print the recommendation as JSON.")
def command(
    folders: tuple[Path, ...],
    requirements: tuple[str, ...],
    minimise: str | None,
    maximise: str | None,
    devices: tuple[str, ...],
    as_json: bool,
) -> int:
    """Say which file to ship to each device, and why not the others.

    A requirement is a condition over the columns of report.csv. It is met only where the whole 95 % interval meets it;
    where the interval holds the limit the artifact is undecided, and the measurement that would decide it is named.
    Exit code 1: on no device does anything meet.

    \b
    Example:
      edgebench recommend edgebench-out --require 'latency_ms_p90 < 30' --minimise size_bytes
      edgebench recommend edgebench-out pi-out --require 'top1_drop < 0.01' --device pi
    """
    if minimise and maximise:
        raise UsageError("--minimise and --maximise: one of the two")
    goal = maximise or minimise or GOAL
    numbers = frozenset(name for name, figure in FIGURES.items() if figure.number)
    parse(f"{goal} > 0", numbers)  # names the nearest known figure
    parsed = [parse(text, frozenset(FIGURES)) for text in requirements]
    found = _recommend(folders, devices, parsed, goal, bool(maximise))
    if as_json:
        click.echo(json.dumps([_plain(one, goal) for one in found], indent=1))
    else:
        for one in found:
            _print(one, goal)
    return 0 if any(one.chosen for one in found) else 1


def _recommend(
    folders: tuple[Path, ...], devices: tuple[str, ...], requirements: list[Expression], goal: str, largest: bool
) -> list[Recommendation]:
    kept, _ = newest_only(load_results(list(folders)))
    unknown = set(devices) - {result.device for result in kept}
    if unknown:
        known = ", ".join(sorted({result.device for result in kept}))
        raise UsageError(f"no results of device {sorted(unknown)[0]!r}: there are {known}")
    derived = [one for result in kept if not devices or result.device in devices for one in derive(result)]
    if not derived:
        raise UsageError(f"no results in {', '.join(map(str, folders))}: make them with `edgebench profile`")
    rows = with_subjects(rows_together(derived))
    plain = [row for row in rows if not (row.of.evaluation and row.of.evaluation.perturbation)]
    return recommend(plain, requirements, goal, largest)


def _print(found: Recommendation, goal: str) -> None:
    click.echo(f"\n{found.conditions.title}")
    if found.chosen:
        ship = found.chosen[0]
        click.echo(f"  Ship {ship.row.label} ({ship.row.of.result.artifact.path}): {goal} = {ship.goal}")
        if len(found.chosen) > 1:
            tied = ", ".join(one.row.label for one in found.chosen[1:])
            click.echo(f"  A tie: {tied} cannot be told from it in {goal}.")
    else:
        click.echo("  Nothing here certainly meets every requirement.")
    for one in found.open:
        click.echo(f"  Open: {one.row.label} would be better ({goal} = {one.goal}) if it were decided:")
        for line in _advice(one):
            click.echo(f"    {line}")
    for one in found.candidates:
        reasons = f": {'; '.join(one.reasons)}" if one.reasons else f": {goal} = {one.goal}"
        click.echo(f"  {one.standing.value:9} {one.row.label}{reasons}")


def _advice(one: Candidate) -> list[str]:
    lines = [f"{item.words}{f': {item.command}' if item.command else ''}" for item in one.advice]
    return lines or list(one.reasons)


def _plain(found: Recommendation, goal: str) -> dict[str, Any]:
    return {
        "device": found.conditions.device,
        "conditions": found.conditions.title,
        "goal": goal,
        "chosen": [one.row.label for one in found.chosen],
        "candidates": [
            {
                "artifact": one.row.label,
                "path": one.row.of.result.artifact.path,
                "standing": one.standing.value,
                "goal": str(one.goal),
                "reasons": list(one.reasons),
                "advice": [{"words": item.words, "command": item.command} for item in one.advice],
            }
            for one in found.candidates
        ],
    }
