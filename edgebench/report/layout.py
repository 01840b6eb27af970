"""Rows -> lines of text that fit a width: a table whose least important columns go first, or a card a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

GAP = "  "
INDENT = "  "


@dataclass(frozen=True)
class Cells:
    """One column as text: its head, the cells of every row, and how early it goes: 0 never, the highest first."""

    title: str
    texts: tuple[str, ...]
    styles: tuple[str, ...]
    right: bool
    priority: int

    @property
    def width(self) -> int:
        """Columns of the terminal that its widest cell takes."""
        return max(map(cell_len, (self.title, *self.texts)))


@dataclass(frozen=True)
class Layout:
    """Finished lines, and the titles of the columns that did not fit."""

    lines: tuple[Text, ...]
    left_out: tuple[str, ...]


def lay_out(names: Cells, columns: Sequence[Cells], width: int) -> Layout:
    """Return a table of `names` and as many columns as fit; where those that must stay do not, a card a row.

    No text is ever cut: a line of a card may be longer than a very narrow terminal.
    """
    kept = list(columns)
    while _needed(names, kept) > width:
        least = max(column.priority for column in kept) if kept else 0
        if least == 0:
            return Layout(tuple(_cards(names, columns)), ())
        kept.remove([column for column in kept if column.priority == least][-1])
    left_out = tuple(column.title for column in columns if column not in kept)
    return Layout(tuple(_table([names, *kept])), left_out)


def _needed(names: Cells, columns: Sequence[Cells]) -> int:
    return sum(column.width for column in (names, *columns)) + len(GAP) * len(columns)


def _table(columns: Sequence[Cells]) -> list[Text]:
    lines = [Text(GAP).join([Text(_padded(column.title, column), style="bold") for column in columns])]
    lines.append(Text(GAP.join("-" * column.width for column in columns), style="dim"))
    for row in range(len(columns[0].texts)):
        cells = [Text(_padded(column.texts[row], column), style=column.styles[row]) for column in columns]
        lines.append(Text(GAP).join(cells))
    for line in lines:
        line.rstrip()
    return lines


def _cards(names: Cells, columns: Sequence[Cells]) -> list[Text]:
    lines = []
    reach = max((cell_len(column.title) for column in columns), default=0)
    for row, name in enumerate(names.texts):
        lines.append(Text(name, style="bold"))
        for column in columns:
            if column.texts[row].strip():
                head = INDENT + column.title + " " * (reach - cell_len(column.title)) + GAP
                lines.append(Text.assemble(head, (column.texts[row].rstrip(), column.styles[row])))
    return lines


def _padded(text: str, column: Cells) -> str:
    room = " " * (column.width - cell_len(text))
    return room + text if column.right else text + room
