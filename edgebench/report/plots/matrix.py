"""Counts of classes against classes as shades, and pictures with words below them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgebench.report.plots import svg

MOST_WIDTH = 640.0
CELL, PICTURE, COLUMNS = 40.0, 96.0, 6
RIGHT, WRONG = "#2a9d8f", "#d1495b"


@dataclass(frozen=True)
class Picture:
    """One image as a data URL, empty where there is none, with the words below it."""

    url: str
    name: str
    words: tuple[str, ...]


def confusion(title: str, names: Sequence[str], counts: Sequence[Sequence[int]]) -> svg.Drawing:
    """Draw true classes down and predicted ones across; the shade is the share of the true class."""
    left = min(max(svg.width_of(name, svg.SMALL) for name in names), 130.0) + 18
    cell = max(min(CELL, (MOST_WIDTH - left) / len(names)), 16.0)
    top = min(max(svg.width_of(name, svg.SMALL) for name in names), 90.0) + 14
    size = cell * len(names)
    parts = []
    for row, name in enumerate(names):
        y, total = top + cell * row, max(sum(counts[row]), 1)
        parts.append(svg.text(left - 6, y + cell / 2 + 4, svg.shortened(name, left - 12, svg.SMALL), "k s", "end"))
        across = left + cell * (row + 0.5)
        parts.append(svg.text(across + 4, top - 6, svg.shortened(name, top - 8, svg.SMALL), "k s", turned=True))
        for column, count in enumerate(counts[row]):
            if count:
                colour = RIGHT if row == column else WRONG
                inside = svg.box(left + cell * column, y, cell - 1, cell - 1, colour, 0.15 + 0.5 * count / total)
                if cell >= 22:
                    inside += svg.text(left + cell * (column + 0.5), y + cell / 2 + 4, str(count), "k s", "middle")
                parts.append(svg.titled(f"{name} taken for {names[column]}: {count} of {total}", inside))
    parts.append(svg.text(left, top + size + 18, "true classes down, predicted ones across", "m s"))
    wrong = [(count, names[row], names[column]) for row, line in enumerate(counts) for column, count in enumerate(line)
             if row != column and count]  # fmt: skip
    worst = ", ".join(f"{name} for {other} {count}" for count, name, other in sorted(wrong, reverse=True)[:5])
    right = sum(counts[n][n] for n in range(len(names)))
    total = sum(map(sum, counts))
    return svg.Drawing(
        title,
        f"{right} of {total} images on the diagonal; most often taken: {worst or 'none'}",
        left + max(size, 250.0) + 10,
        top + size + 28,
        "".join(parts),
    )


def pictures(title: str, found: Sequence[Picture]) -> svg.Drawing:
    """Draw pictures in rows, each with its words."""
    columns = min(COLUMNS, len(found))
    cell, rows = PICTURE + 12, -(-len(found) // columns)
    deep = PICTURE + 14 * max(len(one.words) for one in found) + 16
    parts = []
    for at, one in enumerate(found):
        x, y = 10 + cell * (at % columns), 6 + deep * (at // columns)
        if one.url:
            parts.append(
                f'<image x="{x:g}" y="{y:g}" width="{PICTURE:g}" height="{PICTURE:g}" href="{svg.escaped(one.url)}">'
                f"<title>{svg.escaped(one.name)}</title></image>"
            )
        for line, words in enumerate(one.words):
            fits = svg.shortened(words, PICTURE + 8, svg.SMALL)
            parts.append(svg.text(x, y + PICTURE + 13 + 14 * line, fits, "m s" if line else "k s"))
    said = "; ".join(f"{one.name}: {', '.join(one.words)}" for one in found)
    return svg.Drawing(title, said, 20 + cell * max(columns, 3), 12 + deep * rows, "".join(parts))
