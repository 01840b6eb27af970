"""`edgebench report`."""

from __future__ import annotations

from pathlib import Path

import click

from edgebench.cli.evaluating import margin_option
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
@click.option("--json", "as_json", is_flag=True, help="Print report.json instead of the table.")
def command(folders: tuple[Path, ...], out: Path, margin: float, as_json: bool) -> int:
    """Merge results from any device and any day into one comparison.

    RESULTS_DIR is an edgebench-out folder or any folder of results in one; name as many as you like. Of the same
    measurement the newest is shown; what cannot be compared is named. Writes report.html (one file, no network),
    report.csv, report.json, report.md and flips.csv. Ends with 1 where a results file could not be read; a cell that
    failed when it was measured is part of the report, not a failure of it.

    \b
    Example:
      edgebench report edgebench-out results-from-the-pi --out comparison
    """
    report = read_report(folders, margin)
    paths = write_files(report, out)
    if as_json:
        click.echo(paths.json.read_text(encoding="utf-8"), nl=False)
    else:
        print_report(report, make_console())
        click.echo(f"\nReport: {paths.html} (and report.csv, report.json, report.md, flips.csv beside it)")
    for line in report.rejected:
        click.echo(f"edgebench: left out: {line}", err=True)
    return 1 if report.rejected else 0
