"""Images a second by batch size: what `profile --throughput` was asked for, side by side."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from edgebench.report.section import Section, TextTable
from edgebench.results.figures import FIGURES, Row
from edgebench.results.values import interval
from edgebench.units import per_second

FIGURE = "images_per_second"


def throughput_section(rows: Sequence[Row]) -> Section | None:
    """Return the rates of every file that was measured with several batch sizes; None where none was."""
    table: dict[tuple[object, ...], dict[int, Row]] = {}
    for row in rows:
        if getattr(row, FIGURE) is not None and not row.emulated:
            where = dataclasses.replace(row.of.conditions, batch=0, ways=())
            table.setdefault((row.label, row.runtime, where), {}).setdefault(row.batch, row)
    several = {key: mine for key, mine in table.items() if len(mine) > 1}
    if not several:
        return None
    batches = sorted({batch for mine in several.values() for batch in mine})
    lines, marked, brief = [], set[tuple[int, int]](), []
    for at, mine in enumerate(several.values()):
        first = next(iter(mine.values()))
        texts = {batch: per_second(getattr(row, FIGURE)) for batch, row in mine.items()}
        lines.append((f"{first.label} on {first.device}", *(texts.get(batch, "") for batch in batches)))
        best = _highest(mine)
        marked |= {(at, 1 + batches.index(batch)) for batch in best}
        rates = ", ".join(f"{texts[batch]} in batches of {batch}" for batch in sorted(mine))
        brief.append(f"{first.label} on {first.device}: {rates}; most with {' or '.join(map(str, best))}")
    head = ("File", *(f"Batch {batch}" for batch in batches))
    return Section(
        "throughput",
        "Images a second",
        "At the median latency, one batch after another. Marked: the most, or what cannot be told from it.",
        (TextTable("", head, tuple(lines), frozenset(marked)),),
        tuple(brief),
    )


def _highest(mine: dict[int, Row]) -> list[int]:
    """Return the batch sizes whose rate cannot be told from the highest, in order."""
    ends = {batch: _ends(row) for batch, row in mine.items()}
    top = max(mine, key=lambda batch: getattr(mine[batch], FIGURE))
    return sorted(batch for batch, (_, high) in ends.items() if high >= ends[top][0])


def _ends(row: Row) -> tuple[float, float]:
    value: float = getattr(row, FIGURE)
    return interval(FIGURES[FIGURE], row) or (value, value)
