"""`edgebench recommend`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from edgebench.cli.progress import working
from edgebench.cli.requiring import make_wish, wish_options
from edgebench.errors import UsageError
from edgebench.report.recommendation import recommendation_lines, recommendation_value
from edgebench.results.conditions import newest_only
from edgebench.results.derived import derive
from edgebench.results.load import load_results
from edgebench.results.recommend import Recommendation, Wish, recommend
from edgebench.results.rows import with_subjects
from edgebench.results.together import rows_together


@click.command(name="recommend")
@click.argument("folders", metavar="RESULTS_DIR...", nargs=-1, required=True, type=click.Path(path_type=Path))
@wish_options
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
    Of several sets of images it must be met on each, unless a requirement names `evaluation`.
    Exit code 1: on no device does anything meet.

    \b
    Example:
      edgebench recommend edgebench-out --require 'latency_ms_p90 < 30' --minimise size_bytes
      edgebench recommend edgebench-out pi-out --require 'top1_drop < 0.01' --device pi
    """
    wish = make_wish(requirements, minimise, maximise)
    with working("merging results"):
        found = _recommend(folders, devices, wish)
    if as_json:
        click.echo(json.dumps([recommendation_value(one, wish) for one in found], indent=1))
    else:
        for one in found:
            click.echo(f"\n{one.conditions.title}")
            for line in recommendation_lines(one, wish):
                click.echo(f"  {line}")
    return 0 if any(one.chosen for one in found) else 1


def _recommend(folders: tuple[Path, ...], devices: tuple[str, ...], wish: Wish) -> list[Recommendation]:
    kept, _ = newest_only(load_results(list(folders)))
    unknown = set(devices) - {result.device for result in kept}
    if unknown:
        known = ", ".join(sorted({result.device for result in kept}))
        raise UsageError(f"no results of device {sorted(unknown)[0]!r}: there are {known}")
    derived = [one for result in kept if not devices or result.device in devices for one in derive(result)]
    if not derived:
        raise UsageError(f"no results in {', '.join(map(str, folders))}: make them with `edgebench profile`")
    return recommend(with_subjects(rows_together(derived)), wish)
