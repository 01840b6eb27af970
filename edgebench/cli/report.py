"""`edgebench report`."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from edgebench.cli.evaluating import margin_option
from edgebench.cli.progress import working
from edgebench.cli.requiring import make_wish, wish_options
from edgebench.errors import MissingExtraError, UsageError
from edgebench.files import write_bytes
from edgebench.report import Report, make_console, print_report, read_report, write_files
from edgebench.units import count

TRACKING_VARIABLE = "MLFLOW_TRACKING_URI"


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
@click.option("--parquet", is_flag=True, help="Write report.parquet, too: report.csv with types.")
@click.option(
    "--mlflow",
    metavar="URI",
    is_flag=False,
    flag_value=TRACKING_VARIABLE,
    help=f"Log every row to this MLflow server or folder; without URI to the one that {TRACKING_VARIABLE} names.",
)
@click.option("--markdown", "as_markdown", is_flag=True, help="Print one screen of Markdown instead of the table.")
@click.option("--json", "as_json", is_flag=True, help="Print report.json instead of the table.")
def command(
    folders: tuple[Path, ...],
    out: Path,
    margin: float,
    requirements: tuple[str, ...],
    minimise: str | None,
    maximise: str | None,
    parquet: bool,
    mlflow: str | None,
    as_markdown: bool,
    as_json: bool,
) -> int:
    """Merge results from any device and any day into one comparison.

    RESULTS_DIR is an edgebench-out folder or any folder of results in one; name as many as you like. Of the same
    measurement the newest is shown; what cannot be compared is named. Writes report.html (one file, no network),
    report.csv, report.json, report.md, flips.csv and every chart as SVG and PNG in plots/. Ends with 1 where a results
    file could not be read; a cell that failed when it was measured is part of the report, not a failure of it. With
    --require the recommendation stands on top, as `edgebench recommend` gives it, and the exit code is 1 where nothing
    meets. --parquet and --mlflow need the extras of these names.

    \b
    Example:
      edgebench report edgebench-out results-from-the-pi --out comparison
      edgebench report edgebench-out --require 'latency_ms_p90 < 30' --require 'top1_drop < 0.01'
      edgebench report edgebench-out --parquet --mlflow http://mlflow.local:5000
    """
    wish = make_wish(requirements, minimise, maximise) if requirements or minimise or maximise else None
    further = _further(parquet, mlflow)
    with working("merging results"):
        report = read_report(folders, margin, wish)
    with working("writing the report"):
        paths = write_files(report, out)
    for write in further:
        click.echo(write(report, paths.folder), err=True)
    if as_json:
        click.echo(paths.json.read_text(encoding="utf-8"), nl=False)
    elif as_markdown:
        from edgebench.report.markdown import brief_text

        click.echo(brief_text(report), nl=False)
    else:
        print_report(report, make_console())
        click.echo(f"\nReport: {paths.html} (and report.csv, report.json, report.md, flips.csv, plots/ beside it)")
    if not paths.png:
        click.echo("edgebench: plots/ holds SVG alone: pip install resvg-py draws PNG, too", err=True)
    for line in report.rejected:
        click.echo(f"edgebench: left out: {line}", err=True)
    return 1 if report.rejected or not report.met else 0


def _further(parquet: bool, mlflow: str | None) -> list[Callable[[Report, Path], str]]:
    """Return what writes the formats that optional packages are needed for, before anything is read."""
    found: list[Callable[[Report, Path], str]] = []
    if parquet:
        module = _optional("edgebench.report.parquet", "pyarrow", "parquet")

        def write_parquet(report: Report, folder: Path) -> str:
            write_bytes(folder / "report.parquet", module.parquet_bytes(report))
            return f"edgebench: {folder / 'report.parquet'}"

        found.append(write_parquet)
    if mlflow is not None:
        logger = _optional("edgebench.report.mlflow", "mlflow-skinny", "mlflow")
        uri = os.environ.get(TRACKING_VARIABLE, "") if mlflow == TRACKING_VARIABLE else mlflow
        if not uri:
            raise UsageError(f"--mlflow needs a tracking URI: give one, or set {TRACKING_VARIABLE}")

        def log(report: Report, folder: Path) -> str:
            logged, before = logger.log_report(report, uri, folder)
            place = logger.without_password(uri)
            return f"edgebench: MLflow at {place}: {count(logged, 'row')} logged, {before} were there"

        found.append(log)
    return found


def _optional(module: str, package: str, extra: str) -> Any:
    """Import a module that needs an optional package. Raises MissingExtraError where that is not installed."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtraError(package, extra, f"report --{extra}") from error
