"""The comparison on a terminal: one table a model and set of conditions, failed cells with their reasons below."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from edgebench.measures.significance import MARGIN
from edgebench.records import Result
from edgebench.report.content import Report, build_report
from edgebench.report.display import Column, best_cells, columns, real_drop, shaky
from edgebench.report.operators import Operators, operators
from edgebench.results.conditions import Conditions
from edgebench.results.figures import Row
from edgebench.units import one_line

LEFT_OUT = ("latency_ms_p90", "load_ms", "stability")  # a terminal is narrow; the page and the CSV have them
BEST = "*"
SHAKY = "~"
WIDTH = 110  # of plain output, where there is no terminal to ask


def make_console() -> Console:
    """Return a console on stdout: as wide as the terminal, else plain and `WIDTH` columns wide."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDTH)


def print_table(results: Sequence[Result], console: Console, margin: float = MARGIN) -> None:
    """Print results as tables that fit 100 columns; colours only where the console is a terminal."""
    print_report(build_report(results, margin=margin), console)


def print_report(report: Report, console: Console) -> None:
    """Print a finished report: its tables, failures, differences and caveats."""
    for group in report.groups:
        for subject, rows in group.subjects.items():
            _print_rows(subject, group.conditions, [row for row in rows if row.ok], console)
    legend = {
        f"{BEST} best of its table, or not told apart from it": any(best_cells(group.rows) for group in report.groups),
        f"{SHAKY} the machine did not hold still": any(shaky(row) for row in report.rows),
    }
    console.print(Text("   ".join(text for text, used in legend.items() if used), style="dim"))
    for section in report.sections:
        _print_lines(section.title, section.brief, console)
    failed = [f"{row.label} on {row.device}: {row.status}: {row.reason}" for row in report.rows if not row.ok]
    _print_lines("Failed", failed, console)
    unlike = [
        f"{item.scope}, {item.field}: {'; '.join(f'{value} ({who})' for value, who in item.values)}: {item.effect}"
        for item in report.differences
    ]
    _print_lines("Not everything here is comparable", unlike, console)
    for found in operators(report.results):
        _print_operators(found, console)
    _print_lines("Notes", report.notes, console)
    _print_lines("Left out", (*report.replaced, *report.rejected), console)


def _print_rows(subject: str, where: Conditions, rows: Sequence[Row], console: Console) -> None:
    if not rows:
        return
    console.print()
    console.print(Text.assemble((one_line(subject), "bold"), f" on {one_line(where.title)}"), soft_wrap=True)
    shown = [column for column in columns(rows) if column.field not in LEFT_OUT]
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1), show_edge=False)
    table.add_column("Variant", no_wrap=True)
    for column in shown:
        table.add_column(column.title, justify="right" if column.numeric else "left", no_wrap=column.numeric)
    marked = best_cells(rows)
    for row in rows:
        table.add_row(Text(one_line(row.variant)), *(_cell(row, column, marked) for column in shown))
    console.print(table)


def _cell(row: Row, column: Column, marked: set[tuple[Row, str]]) -> Text:
    if not column.ranked:
        alarming = column.field == "drift_verdict" and real_drop(row)
        return Text(column.text(row), style="bold red" if alarming else "")
    best = (row, column.field) in marked
    tilde = SHAKY if column.field == "latency_ms_median" and shaky(row) else ""
    return Text(f"{column.text(row)}{tilde}{BEST if best else ' '}", style="bold green" if best else "")


def _print_operators(found: Operators, console: Console) -> None:
    console.print()
    console.print(Text(one_line(f"Operators of {found.title}"), style="bold"), soft_wrap=True)
    table = Table(box=None, pad_edge=True, padding=(0, 1), show_header=False)
    for number in range(5):
        table.add_column(justify="right" if number < 2 else "left", no_wrap=True, max_width=48)
    for row in found.rows:
        table.add_row(*(Text(one_line(text)) for text in row))
    console.print(table)
    _print_indented(found.remarks, console)


def _print_lines(title: str, lines: Sequence[str], console: Console) -> None:
    if lines:
        console.print()
        console.print(Text(title, style="bold"))
        _print_indented(lines, console)


def _print_indented(lines: Sequence[str], console: Console) -> None:
    for line in lines:
        console.print(Padding(Text(one_line(line)), (0, 0, 0, 2), expand=False))
