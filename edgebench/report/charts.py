"""The page's charts as Plotly figures: one small panel a subject, with one scale of accuracy for all panels of a row.

Colour is the precision, shape the format, in every chart. Text and lines carry no colour here: the page gives them its
own, light or dark.
"""

from __future__ import annotations

import html
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go
from plotly.io.json import to_json_plotly

from edgebench.report.content import Group, Report
from edgebench.report.formats import milliseconds, percent, points, size
from edgebench.report.rows import Row

COLOURS = {
    "float32": "#4c78a8",
    "float16": "#2a9d8f",
    "dynamic": "#e9a23b",
    "int8": "#d1495b",
    "int16x8": "#8e6bbf",
}
SHAPES = {"savedmodel": "diamond", "tflite": "circle", "onnx": "square"}
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


def charts(report: Report) -> list[Chart]:
    """Return every chart that has at least one point."""
    ranked = [group for group in report.groups if group.ranked]
    several = len(report.groups) > 1
    found = [_against_latency(group, several) for group in ranked]
    found += [_against_size(group, several) for group in report.groups[:1]]
    found += [_latency_bars(group, several) for group in ranked]
    found += [_memory_bars(group, several) for group in ranked]
    return [chart for chart in found if chart.panels]


def accuracy_measure(rows: Sequence[Row]) -> tuple[str, Callable[[Row], float | None]]:
    """Return what stands for accuracy: top-1 where there are labels, else agreement with the source model."""
    if any(row.top1 is not None for row in rows):
        return "top-1 accuracy", lambda row: row.top1
    return "agreement with the source model", lambda row: row.agreement


def _against_latency(group: Group, several: bool) -> Chart:
    name, _ = accuracy_measure(group.rows)
    return Chart(
        kind="tradeoff",
        title=f"{name[0].upper()}{name[1:]} against latency",
        where=group.conditions.title if several else "",
        caption="Up and to the left is better. Horizontal bars: 95% interval of the median latency; vertical bars: "
        "of the drop against the source model, whose own accuracy is the dotted line.",
        panels=_scatter(group, lambda row: row.latency_ms_median, _latency_title(group), _latency_reach),
    )


def _against_size(group: Group, several: bool) -> Chart:
    name, _ = accuracy_measure(group.rows)
    return Chart(
        kind="tradeoff",
        title=f"{name[0].upper()}{name[1:]} against size",
        where=f"accuracy as measured on {group.conditions.title}" if several else "",
        caption="Up and to the left is better. Vertical bars: 95% interval of the drop against the source model.",
        panels=_scatter(group, lambda row: row.size_bytes and row.size_bytes / 1e6, "size on disk, MB", _no_reach),
    )


def _latency_title(group: Group) -> str:
    batch = group.conditions.batch
    return "latency, ms" if batch == 1 else f"latency of a batch of {batch}, ms"


def _no_reach(row: Row) -> None:
    del row


def _latency_reach(row: Row) -> tuple[float, float] | None:
    if row.latency_ms_median is None or row.latency_ms_low is None or row.latency_ms_high is None:
        return None
    return row.latency_ms_high - row.latency_ms_median, row.latency_ms_median - row.latency_ms_low


def _scatter(
    group: Group,
    x: Callable[[Row], float | None],
    x_title: str,
    reach: Callable[[Row], tuple[float, float] | None],
) -> tuple[Panel, ...]:
    _, y = accuracy_measure(group.rows)
    shown = [row for row in group.rows if row.ok and x(row) is not None and y(row) is not None]
    if not shown:
        return ()
    y_range = _share_range([value for row in shown for value in _heights(row, y)])
    panels = []
    for subject in dict.fromkeys(row.subject for row in shown):
        mine = [row for row in shown if row.subject == subject]
        figure = go.Figure([_point(row, x, y, reach) for row in mine])
        x_range = _log_range([x(row) or 0 for row in mine], [end for row in mine for end in _ends(x(row), reach(row))])
        references = [row.top1_reference for row in mine if row.top1_reference is not None]
        if references:
            figure.add_hline(y=references[0], line={"dash": "dot", "width": 1, "color": GREY})
        figure.update_xaxes(
            title=x_title, type="log", range=x_range, tickvals=_ticks(x_range), ticktext=_ticks(x_range)
        )
        figure.update_yaxes(range=y_range, tickformat=".0%" if y_range[1] - y_range[0] > 0.04 else ".1%")
        panels.append(_panel(subject, figure, 340))
    return tuple(panels)


def _point(row: Row, x: Any, y: Any, reach: Any) -> go.Scatter:
    spread = reach(row)
    drop = _drop_reach(row) if row.top1 is not None else None
    bars = {"thickness": 1, "width": 0, "color": COLOURS.get(row.precision, GREY)}
    return go.Scatter(
        x=[x(row)],
        y=[y(row)],
        mode="markers",
        marker={
            "size": 11,
            "symbol": SHAPES.get(row.format, "x"),
            "color": COLOURS.get(row.precision, GREY),
            "line": {"width": 1, "color": "white"},
        },
        error_x={**bars, "type": "data", "symmetric": False, "array": [spread[0]], "arrayminus": [spread[1]]}
        if spread
        else None,
        error_y={**bars, "type": "data", "symmetric": False, "array": [drop[0]], "arrayminus": [drop[1]]}
        if drop
        else None,
        hovertemplate=_hover(row) + "<extra></extra>",
    )


def _drop_reach(row: Row) -> tuple[float, float] | None:
    """How far the accuracy would lie above and below, at the ends of the drop's interval."""
    if row.top1_drop is None or row.top1_drop_low is None or row.top1_drop_high is None:
        return None
    return row.top1_drop - row.top1_drop_low, row.top1_drop_high - row.top1_drop


def _heights(row: Row, y: Callable[[Row], float | None]) -> list[float]:
    value, drop = y(row) or 0.0, _drop_reach(row)
    ends = [value + drop[0], value - drop[1]] if drop and row.top1 is not None else []
    return [value, *ends, *([row.top1_reference] if row.top1_reference is not None and row.top1 is not None else [])]


def _latency_bars(group: Group, several: bool) -> Chart:
    rows = [row for row in group.rows if row.ok and row.latency_ms_median is not None]

    def traces(mine: Sequence[Row]) -> list[go.Bar]:
        reach = [_latency_reach(row) or (0.0, 0.0) for row in mine]
        error = {"symmetric": False, "array": [r[0] for r in reach], "arrayminus": [r[1] for r in reach]}
        return [
            _bars(mine, lambda row: row.latency_ms_median, error_x={**error, "thickness": 1, "width": 3, "color": GREY})
        ]

    return Chart(
        kind="bars",
        title="Latency",
        where=group.conditions.title if several else "",
        caption="Median of the steady state with its 95% interval. Shorter is better.",
        panels=_bar_panels(rows, traces, _latency_title(group), lambda row: row.latency_ms_median or 0),
    )


def _memory_bars(group: Group, several: bool) -> Chart:
    rows = [row for row in group.rows if row.ok and row.peak_rss_bytes is not None]

    def traces(mine: Sequence[Row]) -> list[go.Bar]:
        base = _bars(mine, lambda row: ((row.peak_rss_bytes or 0) - (row.model_rss_bytes or 0)) / 1e6)
        base.marker = {"color": GREY, "opacity": 0.45}
        return [base, _bars(mine, lambda row: (row.model_rss_bytes or 0) / 1e6)]

    return Chart(
        kind="bars",
        title="Memory",
        where=group.conditions.title if several else "",
        caption="Peak of a process of its own. Grey: interpreter and runtime before loading; colour: the model.",
        panels=_bar_panels(rows, traces, "peak resident memory, MB", lambda row: row.peak_rss_bytes or 0),
    )


def _bar_panels(
    rows: Sequence[Row],
    traces: Callable[[Sequence[Row]], list[go.Bar]],
    title: str,
    order: Callable[[Row], float],
) -> tuple[Panel, ...]:
    panels = []
    for subject in dict.fromkeys(row.subject for row in rows):
        mine = sorted((row for row in rows if row.subject == subject), key=order, reverse=True)
        figure = go.Figure(traces(mine))
        figure.update_layout(barmode="stack", bargap=0.35)
        figure.update_xaxes(title=title, rangemode="tozero")
        figure.update_yaxes(type="category", showgrid=False, ticks="")
        panels.append(_panel(subject, figure, 110 + 26 * len(mine)))
    return tuple(panels)


def _bars(rows: Sequence[Row], value: Callable[[Row], float | None], **more: Any) -> go.Bar:
    return go.Bar(
        x=[value(row) for row in rows],
        y=_bar_labels(rows),
        orientation="h",
        marker={"color": [COLOURS.get(row.precision, GREY) for row in rows]},
        hovertemplate=[_hover(row) + "<extra></extra>" for row in rows],
        **more,
    )


def _bar_labels(rows: Sequence[Row]) -> list[str]:
    """Unequal labels for unequal rows: Plotly would stack two bars of one name."""
    labels: list[str] = []
    for row in rows:
        label = f"{row.format} {row.precision}"
        same = [other for other in rows if other.variant == row.variant]
        if len({(other.runtime, other.runtime_version) for other in same}) > 1:
            label += f" · {html.escape(row.runtime)} {html.escape(row.runtime_version)}"
        while label in labels:
            label += " ′"
        labels.append(label)
    return labels


def _hover(row: Row) -> str:
    """Names are escaped: Plotly reads a part of HTML in its labels."""
    lines = [f"<b>{html.escape(row.model)}</b> {html.escape(row.variant)}"]
    if row.latency_ms_median is not None and not row.emulated:
        lines.append(f"latency {milliseconds(row.latency_ms_median)}")
    if row.size_bytes:
        lines.append(f"size {size(row.size_bytes)}")
    if row.top1 is not None:
        drop = f" ({points(-row.top1_drop)} points)" if row.top1_drop is not None else ""
        lines.append(f"top-1 {percent(row.top1)}{drop}")
    if row.agreement is not None:
        lines.append(f"agreement {percent(row.agreement)}")
    if row.peak_rss_bytes is not None:
        lines.append(f"peak memory {size(row.peak_rss_bytes)}")
    return "<br>".join(lines).replace("%{", "%&#123;")


def _panel(subject: str, figure: go.Figure, height: int) -> Panel:
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


def _ends(value: float | None, reach: tuple[float, float] | None) -> list[float]:
    return [value + reach[0], value - reach[1]] if value is not None and reach else []


def _log_range(values: Sequence[float], ends: Sequence[float]) -> list[float]:
    """Range of a log axis (powers of ten) with room for intervals, up to half of the lowest and twice the highest."""
    low = math.log10(max(min([*values, *ends]), min(values) / 2))
    high = math.log10(min(max([*values, *ends]), max(values) * 2))
    room = max(0.08 * (high - low), 0.08)
    return [low - room, high + room]


def _ticks(log_range: Sequence[float]) -> list[float]:
    """Return round numbers inside a log range: 1, 2 and 5 times the powers of ten, more where that gives few."""
    powers = range(math.floor(log_range[0]), math.ceil(log_range[1]) + 1)
    ticks: list[float] = []
    for steps in (("1", "2", "5"), ("1", "1.5", "2", "3", "4", "5", "7"), tuple(f"{n / 10:g}" for n in range(10, 100))):
        every = [float(f"{step}e{power}") for power in powers for step in steps]
        ticks = [tick for tick in every if log_range[0] <= math.log10(tick) <= log_range[1]]
        if len(ticks) >= LEAST_TICKS:
            break
    return ticks


def _share_range(values: Sequence[float]) -> list[float]:
    low, high = min(values), max(values)
    room = max(0.12 * (high - low), 0.005)
    return [max(low - room, -0.01), min(high + room, 1.01 if high > 0.98 else 1.0)]
