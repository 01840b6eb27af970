"""What all charts share: colours, shapes, panels, labels and the ranges of axes.

Colour is the precision, shape the format, in every chart. Text and lines carry no colour here: the page gives them its
own, light or dark.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
from plotly.io.json import to_json_plotly

from edgebench.report.content import Group
from edgebench.results.figures import Row
from edgebench.units import milliseconds, percent, points, size
from edgebench.variants import FORMATS, PRECISIONS

PALETTE = ("#4c78a8", "#2a9d8f", "#e9a23b", "#d1495b", "#8e6bbf", "#7f5539", "#5c9a3d", "#c06c9e")
COLOURS = dict(zip(PRECISIONS, PALETTE, strict=False))
SHAPES = dict(zip(FORMATS, ("diamond", "circle", "square"), strict=False))
GREY = "#9aa3ad"
LEAST_TICKS = 4


@dataclass(frozen=True)
class Panel:
    """One figure and what stands above it. `figure` is JSON that is safe inside a script element."""

    subject: str
    figure: str
    height: int


@dataclass(frozen=True)
class Chart:
    """A row of panels, one a subject, with a title, the conditions and a sentence on how to read them."""

    kind: str  # tradeoff or bars
    title: str
    where: str
    caption: str
    panels: tuple[Panel, ...]


def panel(subject: str, figure: go.Figure, height: int) -> Panel:
    """Finish a figure and turn it into JSON for the page; height in CSS pixels."""
    figure.update_layout(
        template="none",
        showlegend=False,
        height=height,
        margin={"l": 8, "r": 12, "t": 8, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        hoverlabel={"align": "left"},
    )
    figure.update_xaxes(automargin=True, zeroline=False, title_standoff=8)
    figure.update_yaxes(automargin=True, zeroline=False)
    return Panel(subject, to_json_plotly(figure), height)


def hover(row: Row) -> str:
    """Return what a point says when pointed at. Names are escaped: Plotly reads a part of HTML in its labels."""
    lines = [f"<b>{html.escape(row.model)}</b> {html.escape(row.variant)}"]
    if row.latency_ms_median is not None and not row.emulated:
        lines.append(f"latency {milliseconds(row.latency_ms_median)}")
    if row.size_bytes:
        lines.append(f"size {size(row.size_bytes)}")
    drop = f" ({points(-row.drop[0])} points)" if row.drop is not None else ""
    if row.top1 is not None:
        lines.append(f"top-1 {percent(row.top1)}{drop}")
    if row.subset_accuracy is not None:
        lines.append(f"all labels {percent(row.subset_accuracy)}{drop}")
    if row.agreement is not None:
        lines.append(f"agreement {percent(row.agreement)}")
    if row.peak_rss_bytes is not None:
        lines.append(f"peak memory {size(row.peak_rss_bytes)}")
    return "<br>".join(lines).replace("%{", "%&#123;")


def latency_title(group: Group) -> str:
    """Return the title of a latency axis."""
    batch = group.conditions.batch
    return "latency, ms" if batch == 1 else f"latency of a batch of {batch}, ms"


def latency_reach(row: Row) -> tuple[float, float] | None:
    """Return how far the interval of the median reaches (up, down) in milliseconds."""
    if row.latency_ms_median is None or row.latency_ms_low is None or row.latency_ms_high is None:
        return None
    return row.latency_ms_high - row.latency_ms_median, row.latency_ms_median - row.latency_ms_low


def log_range(values: Sequence[float], ends: Sequence[float]) -> list[float]:
    """Return the range of a log axis in powers of ten; intervals get room down to half and up to twice the values."""
    low = math.log10(max(min([*values, *ends]), min(values) / 2))
    high = math.log10(min(max([*values, *ends]), max(values) * 2))
    room = max(0.08 * (high - low), 0.08)
    return [low - room, high + room]


def ticks(log_range: Sequence[float]) -> list[float]:
    """Return round numbers inside a log range: 1, 2 and 5 times the powers of ten, more where that gives few."""
    powers = range(math.floor(log_range[0]), math.ceil(log_range[1]) + 1)
    ticks: list[float] = []
    for steps in (("1", "2", "5"), ("1", "1.5", "2", "3", "4", "5", "7"), tuple(f"{n / 10:g}" for n in range(10, 100))):
        every = [float(f"{step}e{power}") for power in powers for step in steps]
        ticks = [tick for tick in every if log_range[0] <= math.log10(tick) <= log_range[1]]
        if len(ticks) >= LEAST_TICKS:
            break
    return ticks


def share_range(values: Sequence[float]) -> list[float]:
    """Return the range of an axis of shares 0..1, with room at both ends."""
    low, high = min(values), max(values)
    room = max(0.12 * (high - low), 0.005)
    return [max(low - room, -0.01), min(high + room, 1.01 if high > 0.98 else 1.0)]
