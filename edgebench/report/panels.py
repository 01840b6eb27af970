"""What all charts share: colours, shapes, charts and their panels, and what a mark says.

Colour is the precision, shape the format, in every chart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgebench.report.content import Group
from edgebench.report.plots.svg import Drawing
from edgebench.results.figures import Row
from edgebench.units import milliseconds, percent, points, size
from edgebench.variants import FORMATS, PRECISIONS

PALETTE = ("#4c78a8", "#2a9d8f", "#d9822b", "#d1495b", "#8e6bbf", "#7f5539", "#5c9a3d", "#c06c9e")
COLOURS = dict(zip(PRECISIONS, PALETTE, strict=False))
SHAPES = dict(zip(FORMATS, ("diamond", "circle", "square"), strict=False))
GREY = "#9aa3ad"


@dataclass(frozen=True)
class Panel:
    """One figure and what stands above it."""

    subject: str
    drawing: Drawing


@dataclass(frozen=True)
class Chart:
    """A row of panels, one a subject, with a title, the conditions and a sentence on how to read them."""

    kind: str  # tradeoff, models, bars, training or curves
    title: str
    where: str
    caption: str
    panels: tuple[Panel, ...]


def file_names(charts: Sequence[Chart]) -> Iterator[tuple[str, Drawing]]:
    """Yield a file name without its ending, like none before it, for every drawing."""
    taken: set[str] = set()
    for chart in charts:
        for panel in chart.panels:
            words = " ".join(part for part in (chart.title, panel.subject, chart.where) if part)
            stem = re.sub(r"[^a-z0-9.]+", "-", words.lower()).strip("-.")[:90] or "plot"
            name, number = stem, 1
            while name in taken:
                number += 1
                name = f"{stem}-{number}"
            taken.add(name)
            yield name, panel.drawing


def colour_of(row: Row) -> str:
    """Return the colour of a row's precision."""
    return COLOURS.get(row.precision, GREY)


def hover(row: Row) -> str:
    """Return what a mark says when pointed at."""
    parts = [row.label]
    if row.latency_ms_median is not None and not row.emulated:
        parts.append(f"latency {milliseconds(row.latency_ms_median)}")
    if row.size_bytes:
        parts.append(f"size {size(row.size_bytes)}")
    drop = f" ({points(-row.drop[0])} points)" if row.drop is not None else ""
    if row.top1 is not None:
        parts.append(f"top-1 {percent(row.top1)}{drop}")
    if row.subset_accuracy is not None:
        parts.append(f"all labels {percent(row.subset_accuracy)}{drop}")
    if row.agreement is not None:
        parts.append(f"agreement {percent(row.agreement)}")
    if row.peak_rss_bytes is not None and not row.emulated:
        parts.append(f"peak memory {size(row.peak_rss_bytes)}")
    return ", ".join(parts)


def names_of(rows: Sequence[Row]) -> list[str]:
    """Name rows of one subject by variant, and by runtime where two share the variant."""
    names = []
    for row in rows:
        same = [other for other in rows if other.variant == row.variant]
        runtimes = {(other.runtime, other.runtime_version) for other in same}
        names.append(f"{row.variant} · {row.runtime} {row.runtime_version}" if len(runtimes) > 1 else row.variant)
    return names


def latency_title(group: Group) -> str:
    """Return the title of a latency axis."""
    batch = group.conditions.batch
    return "latency, ms" if batch == 1 else f"latency of a batch of {batch}, ms"
