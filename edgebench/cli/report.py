"""`edgebench report`."""

from __future__ import annotations

from pathlib import Path

import click

from edgebench.cli.evaluating import margin_option
from edgebench.cli.progress import working
from edgebench.cli.requiring import make_wish, wish_options
from edgebench.report import make_console, print_report, read_report, write_files


@click.command(name="report")
@click.argument("folders", metavar="RESULTS_DIR...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("edgebench-out"),
    show_default=True,
    help="The report goes to report/ in this folder.",
)
@margin_option
@wish_options
@click.option("--json", "as_json", is_flag=True, help="Print report.json instead of the table.")
def command(
    folders: tuple[Path, ...],
    out: Path,
    margin: float,
    requirements: tuple[str, ...],
    minimise: str | None,
    maximise: str | None,
    as_json: bool,
) -> int:
    """Merge results from any device and any day into one comparison.

    RESULTS_DIR is an edgebench-out folder or any folder of results in one; name as many as you like. Of the same
    measurement the newest is shown; what cannot be compared is named. Writes report.html (one file, no network),
    report.csv, report.json, report.md, flips.csv and every chart as SVG and PNG in plots/. Ends with 1 where a results
    file could not be read; a cell that failed when it was measured is part of the report, not a failure of it. With
    --require the recommendation stands
    on top, as `edgebench recommend` gives it, and the exit code is 1 where nothing meets.

    \b
    Example:
      edgebench report edgebench-out results-from-the-pi --out comparison
      edgebench report edgebench-out --require 'latency_ms_p90 < 30' --require 'top1_drop < 0.01'
    """
    wish = make_wish(requirements, minimise, maximise) if requirements or minimise or maximise else None
    with working("merging results"):
        report = read_report(folders, margin, wish)
    with working("writing the report"):
        paths = write_files(report, out)
    if as_json:
        click.echo(paths.json.read_text(encoding="utf-8"), nl=False)
    else:
        print_report(report, make_console())
        click.echo(f"\nReport: {paths.html} (and report.csv, report.json, report.md, flips.csv, plots/ beside it)")
    if not paths.png:
        click.echo("edgebench: plots/ holds SVG alone: pip install resvg-py draws PNG, too", err=True)
    for line in report.rejected:
        click.echo(f"edgebench: left out: {line}", err=True)
    return 1 if report.rejected or not report.met else 0
