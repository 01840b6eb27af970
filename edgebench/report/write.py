"""Results -> the files of a report folder."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edgebench.errors import UsageError
from edgebench.files import shown, write_parts
from edgebench.measures.significance import MARGIN
from edgebench.report.content import Report, build_report
from edgebench.report.flips import flips_csv
from edgebench.results.load import read_results
from edgebench.results.recommend import Wish


@dataclass(frozen=True)
class ReportPaths:
    """Where the report is, and what it says."""

    folder: Path
    html: Path
    csv: Path
    json: Path
    markdown: Path
    flips: Path
    plots: Path
    png: bool  # whether plots are there as PNG, too
    report: Report


def read_report(folders: Sequence[Path], margin: float = MARGIN, wish: Wish | None = None) -> Report:
    """Read and merge every result under `folders`; files that cannot be read are named in the report.

    Raises UsageError where a folder does not exist or none of them holds a readable result.
    """
    rejected: list[str] = []
    results = read_results(folders, lambda error: rejected.append(shown(str(error))))
    with _without_collection():
        report = build_report(results, rejected, margin, wish)
    if not report.results:
        places = ", ".join(str(folder) for folder in folders)
        why = f": {rejected[0]}" if rejected else ": run `edgebench profile` first, or name the folder it wrote to"
        raise UsageError(f"no results in {places}{why}")
    return report


def write_report(folders: Sequence[Path], out: Path) -> ReportPaths:
    """Write report.html, report.csv, report.json, report.md, flips.csv and plots/ into `<out>/report/`.

    `folders` are as in `load_results`. Raises UsageError as `read_report` does, and where `out` cannot be written.
    """
    return write_files(read_report(folders), out)


def write_files(report: Report, out: Path) -> ReportPaths:
    """Write a finished report into `<out>/report/`."""
    # pandas and Jinja take more than a second, which a table on the terminal need not pay.
    from edgebench.report.charts import charts, few
    from edgebench.report.markdown import markdown_text
    from edgebench.report.page import html_text
    from edgebench.report.plot_files import DRAWS_PNG, write_plots
    from edgebench.report.tables import csv_text, json_parts

    folder = out / "report"
    paths = ReportPaths(
        folder,
        html=folder / "report.html",
        csv=folder / "report.csv",
        json=folder / "report.json",
        markdown=folder / "report.md",
        flips=folder / "flips.csv",
        plots=folder / "plots",
        png=DRAWS_PNG,
        report=report,
    )
    made: dict[Path, Callable[[], Iterable[bytes]]] = {
        paths.html: lambda: [_bytes(html_text(report, drawn))],
        paths.csv: lambda: [_bytes(csv_text(report))],
        paths.json: lambda: json_parts(report),
        paths.markdown: lambda: [_bytes(markdown_text(report))],
        paths.flips: lambda: [_bytes(flips_csv(report.rows))],
    }
    try:
        with _without_collection():
            drawn = few(charts(report), len(report.rows))
            for path, parts in made.items():  # one after the other: of thousands of results each is large
                write_parts(path, parts())
            write_plots(paths.plots, drawn.charts)
    except OSError as error:
        raise UsageError(f"cannot write the report to {folder}: {error.strerror}: give another --out") from error
    return paths


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")


@contextmanager
def _without_collection() -> Iterator[None]:
    """Let Python look for circles afterwards: a report of thousands of results is millions of values without any."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()
