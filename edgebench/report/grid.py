"""The page's one table of results: what each cell says, how columns sort, what filters offer, and the same as JSON.

A short table is written into the page row by row; of a long one the first rows are, and all of them come as JSON that
`grid.js` draws as far as they are in sight.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from edgebench.report.content import Report
from edgebench.report.display import Column, best_cells, columns, real_drop
from edgebench.report.notes import remarks
from edgebench.report.panels import colour_of
from edgebench.results.conditions import Conditions
from edgebench.results.figures import Row
from edgebench.results.slower import why_slower_of

WHOLE = 300
"""Up to so many rows stand in the page themselves, so that it reads and prints without a script."""
FIRST = 50
"""Of more than that, the first ones do: a script puts all of them in their place."""
FILTERS = {"model": "Model", "variant": "Variant", "device": "Device", "status": "Status", "evaluation": "Set"}


@dataclass(frozen=True)
class Cell:
    """One figure of one row: `order` is what sorting compares, None last."""

    text: str
    detail: str
    order: float | None
    mark: str  # best, bad or empty


@dataclass(frozen=True)
class Line:
    """One row of the table. A failed one has no cells but its reason."""

    row: Row
    where: str
    colour: str
    cells: tuple[Cell, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class Grid:
    """The table. `choices` are what each filter offers, only where there is something to choose."""

    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    choices: dict[str, tuple[str, ...]]
    places: bool  # more than one set of conditions: a column says which
    widths: tuple[int, ...]  # of the columns in characters, for a table of which only a part is there at a time
    leads: dict[str, int]  # the same of the columns before them

    @property
    def large(self) -> bool:
        """Whether only its first rows are written into the page."""
        return len(self.lines) > WHOLE

    @property
    def shown(self) -> tuple[Line, ...]:
        """The rows that are in the page without a script."""
        return self.lines[:FIRST] if self.large else self.lines

    def json(self) -> Markup:
        """Return the rows for the script, safe inside a script element."""
        rows = [
            [
                [getattr(line.row, name) for name in FILTERS],
                [line.row.subject, f"{line.row.runtime} {line.row.runtime_version}".strip(), line.where, line.colour],
                [_packed(cell) for cell in line.cells],
                line.row.reason,
                list(line.remarks),
            ]
            for line in self.lines
        ]
        text = json.dumps(rows, ensure_ascii=False, separators=(",", ":"))
        for char in "<>&\u2028\u2029":
            text = text.replace(char, f"\\u{ord(char):04x}")
        return Markup(text)  # noqa: S704 (JSON without any character that could end the script element)


def grid(report: Report) -> Grid:
    """Lay all rows that the report compares into one table, in the order of their conditions."""
    rows = [row for group in report.groups for row in group.rows]
    # What does not fit a cell is a remark; the drift has its own words in the cell.
    shown = tuple(column for column in columns([row for row in rows if row.ok]) if column.field != "stability")
    lines: list[Line] = []
    places = place_names([group.conditions for group in report.groups])
    for group in report.groups:
        best = best_cells(group.rows)
        slower = dict(why_slower_of(group.rows))
        for row in group.rows:
            cells = tuple(_cell(row, column, best) for column in shown) if row.ok else ()
            said = (*remarks(row), *([slower[id(row)]] if id(row) in slower else []))
            lines.append(Line(row, places[group.conditions], colour_of(row), cells, said))
    values = {name: dict.fromkeys(getattr(row, name) for row in rows) for name in FILTERS}
    choices = {name: tuple(value for value in found if value) for name, found in values.items()}
    return Grid(
        shown,
        tuple(lines),
        {name: found for name, found in choices.items() if len(found) > 1},
        len(report.groups) > 1,
        _widths(shown, lines),
        {
            "model": _width([line.row.subject for line in lines]),
            "variant": max(_width([line.row.variant for line in lines]), 26),
            "where": _width([line.where for line in lines]),
        },
    )


def place_names(found: Sequence[Conditions]) -> dict[Conditions, str]:
    """Name sets of conditions for a cell: without the machine, where a device is one machine throughout."""
    short = {one: dataclasses.replace(one, machine="").title for one in found}
    twice = {name for name, number in Counter(short.values()).items() if number > 1}
    return {one: one.title if name in twice else name for one, name in short.items()}


def _cell(row: Row, column: Column, best: set[tuple[Row, str]]) -> Cell:
    bad = column.field == "drift_verdict" and real_drop(row)
    mark = "best" if column.ranked and (row, column.field) in best else "bad" if bad else ""
    return Cell(column.text(row), column.detail(row), column.order(row), mark)


def _packed(cell: Cell) -> list[object]:
    order = None if cell.order is None else float(f"{cell.order:.8g}")
    packed: list[object] = [cell.text, order, cell.detail, cell.mark]
    while packed and not packed[-1] and packed[-1] != 0:
        packed.pop()
    return packed


def _width(texts: Sequence[str]) -> int:
    return min(max(map(len, texts), default=0) + 3, 34)


def _widths(shown: Sequence[Column], lines: Sequence[Line]) -> tuple[int, ...]:
    found = []
    for at, column in enumerate(shown):
        texts = [max(len(line.cells[at].text), 0.86 * len(line.cells[at].detail)) for line in lines if line.cells]
        found.append(min(int(max(len(column.title) + 3, *texts, 4)) + 2, 34))
    return tuple(found)
