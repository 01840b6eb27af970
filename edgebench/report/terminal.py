"""The comparison on a terminal: what to ship, one table a model and set of conditions, failed cells below."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from edgebench.measures.significance import MARGIN, NO_DROP
from edgebench.records import Result
from edgebench.report.content import Report, build_report
from edgebench.report.display import Column, best_cells, columns, real_drop, shaky
from edgebench.report.layout import Cells, lay_out
from edgebench.report.operators import Operators, operators
from edgebench.report.recommendation import recommendation_lines, verdict_lines
from edgebench.results.conditions import Conditions
from edgebench.results.figures import Row
from edgebench.units import one_line

BEST = "*"
SHAKY = "~"
MOST_ROWS, FIRST_LINES = 500, 12
WIDTH = 110  # of plain output, where there is no terminal to ask
SHORT_DRIFT = {NO_DROP: "no drop"}  # what that means is said below the tables


def make_console() -> Console:
    """Return a console on stdout: as wide as the terminal, else plain and `WIDTH` columns wide."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDTH)


def print_table(results: Sequence[Result], console: Console, margin: float = MARGIN) -> None:
    """Print results as tables that fit the console; colours only where it is a terminal that wants them."""
    print_report(build_report(results, margin=margin), console)


def print_report(report: Report, console: Console) -> None:
    """Print a finished report: what to ship, its tables, failures, differences and caveats.

    Of thousands of rows nobody reads tables on a terminal: the files have them, and of each list the first lines stand.
    """
    many = len(report.rows) > MOST_ROWS
    most = FIRST_LINES if many else sys.maxsize
    _print_first(report, console, most)
    if many:
        _print_lines("Results", [f"{len(report.rows):,} rows: report.html filters and searches them"], console)
    else:
        _print_groups(report, console)
    for section in report.sections:
        _print_lines(section.title, section.brief, console)
    failed = [f"{row.label} on {row.device}: {row.status}: {row.reason}" for row in report.rows if not row.ok]
    _print_lines("Failed", _first(failed, most), console)
    unlike = [
        f"{item.scope}, {item.field}: {'; '.join(f'{value} ({who})' for value, who in item.values)}: {item.effect}"
        for item in report.differences[:most]
    ]
    _print_lines("Not everything here is comparable", unlike, console)
    for found in operators(report.results)[:most]:
        _print_operators(found, console)
    _print_lines("Notes", _first(report.notes, most), console)
    _print_lines("Left out", _first((*report.replaced, *report.rejected), most), console)


def _print_groups(report: Report, console: Console) -> None:
    left_out: dict[str, None] = {}
    for group in report.groups:
        for subject, rows in group.subjects.items():
            left_out |= dict.fromkeys(_print_rows(subject, group.conditions, [row for row in rows if row.ok], console))
    _print_legend(report, list(left_out), console)


def _first(lines: Sequence[str], most: int) -> list[str]:
    more = [f"and {len(lines) - most} more"] if len(lines) > most else []
    return [*lines[:most], *more]


def _print_first(report: Report, console: Console, most: int) -> None:
    """Print the recommendation, where one was asked for, else the verdict on every model."""
    if report.wish is not None:
        for found in report.recommendations:
            lines = list(recommendation_lines(found, report.wish))
            _print_lines(f"To ship: {found.conditions.title}", lines, console)
        return
    for verdict in report.verdicts[:most]:
        _print_lines(f"{verdict.subject} on {verdict.conditions.title}", [*verdict_lines(verdict)], console)
    if len(report.verdicts) > most:
        _print_lines("Verdicts", [f"{len(report.verdicts) - most} more: report.json and report.html"], console)


def _print_legend(report: Report, left_out: Sequence[str], console: Console) -> None:
    measured = [row.of.accuracy.verdict for row in report.rows if row.ok and row.of.accuracy]
    legend = {
        f"{BEST} best of its table, or not told apart from it": any(best_cells(group.rows) for group in report.groups),
        f"{SHAKY} the machine did not hold still": any(shaky(row) for row in report.rows),
        **{f"no drop: {one.short}": True for one in measured if one.word == NO_DROP},
        f"not shown for want of room: {', '.join(left_out)} (report.csv has all)": bool(left_out),
    }
    console.print()
    _print_indented([text for text, used in legend.items() if used], console, "dim")


def _print_rows(subject: str, where: Conditions, rows: Sequence[Row], console: Console) -> tuple[str, ...]:
    """Print one table, or a card a row; return the titles of the columns that had no room."""
    if not rows:
        return ()
    console.print()
    console.print(Text.assemble((one_line(subject), "bold"), f" on {one_line(where.title)}"))
    marked = best_cells(rows)
    names = Cells("Variant", tuple(one_line(row.variant) for row in rows), ("",) * len(rows), False, 0)
    found = lay_out(names, [_cells(column, rows, marked) for column in columns(rows)], console.width)
    for line in found.lines:
        console.print(line, soft_wrap=True)
    return found.left_out


def _cells(column: Column, rows: Sequence[Row], marked: set[tuple[Row, str]]) -> Cells:
    title, texts = column.in_one_unit(rows)
    best = [(row, column.field) in marked for row in rows]
    styles = ["bold green" if one else "" for one in best]
    if column.field == "drift_verdict":
        words = [row.of.accuracy.verdict.word if row.of.accuracy else "" for row in rows]
        texts = [SHORT_DRIFT.get(word, text) for word, text in zip(words, texts, strict=True)]
        styles = ["bold red" if real_drop(row) else "" for row in rows]
    if column.ranked:
        tilde = [SHAKY if column.field == "latency_ms_median" and shaky(row) else "" for row in rows]
        marks = [f"{one}{BEST if first else ' '}" for one, first in zip(tilde, best, strict=True)]
        texts = [f"{text}{mark:>{max(map(len, marks))}}" for text, mark in zip(texts, marks, strict=True)]
    return Cells(title, tuple(texts), tuple(styles), column.numeric, column.priority)


def _print_operators(found: Operators, console: Console) -> None:
    console.print()
    console.print(Text(one_line(f"Operators of {found.title}"), style="bold"), soft_wrap=True)
    for time, share, *words in found.rows:
        console.print(Text(f"  {time:>11} {share:>6}  {one_line('  '.join(filter(None, words)))}"), soft_wrap=True)
    _print_indented(found.remarks, console)


def _print_lines(title: str, lines: Sequence[str], console: Console) -> None:
    if lines:
        console.print()
        console.print(Text(one_line(title), style="bold"))
        _print_indented(lines, console)


def _print_indented(lines: Sequence[str], console: Console, style: str = "") -> None:
    """Print lines two columns in, wrapped between words; where a line begins with spaces, deeper by as many."""
    for line in lines:
        deeper = len(line) - len(line.lstrip())
        text = Text(one_line(line), style=style, overflow="fold")
        console.print(Padding(text, (0, 0, 0, 2 + deeper), expand=False))
