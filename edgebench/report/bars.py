"""Latency and memory as bars: one small panel a subject, the shortest bar on top."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import Any

import plotly.graph_objects as go

from edgebench.report.content import Group
from edgebench.report.display import latency_reach
from edgebench.report.panels import COLOURS, GREY, Chart, Panel, hover, latency_title, panel
from edgebench.results.figures import Row
from edgebench.units import milliseconds, size

ROOM = 1.35  # the axis beyond the longest bar, for its label


def latency_bars(group: Group, several: bool) -> Chart:
    """Return the median latencies with their intervals."""
    rows = [row for row in group.rows if row.ok and row.latency_ms_median is not None]

    def traces(mine: Sequence[Row]) -> list[go.Bar]:
        labels = [f"{milliseconds(row.latency_ms_median)} {latency_reach(row)}" for row in mine]
        return [_bars(mine, lambda row: row.latency_ms_median, text=labels)]

    return Chart(
        kind="bars",
        title="Latency",
        where=group.conditions.title if several else "",
        caption="Median of the steady state, and how far its 95% interval reaches. Shorter is better.",
        panels=_bar_panels(rows, traces, latency_title(group), lambda row: row.latency_ms_median or 0),
    )


def memory_bars(group: Group, several: bool) -> Chart:
    """Return peak memory, the part before the model was loaded apart."""
    rows = [row for row in group.rows if row.ok and row.peak_rss_bytes is not None]

    def traces(mine: Sequence[Row]) -> list[go.Bar]:
        base = _bars(mine, lambda row: ((row.peak_rss_bytes or 0) - (row.model_rss_bytes or 0)) / 1e6)
        base.marker = {"color": GREY, "opacity": 0.45}
        labels = [size(row.peak_rss_bytes) for row in mine]
        return [base, _bars(mine, lambda row: (row.model_rss_bytes or 0) / 1e6, text=labels)]

    return Chart(
        kind="bars",
        title="Memory",
        where=group.conditions.title if several else "",
        caption="Peak of a process of its own. Grey: interpreter and runtime before loading; colour: the model.",
        panels=_bar_panels(rows, traces, "peak resident memory, MB", lambda row: (row.peak_rss_bytes or 0) / 1e6),
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
        figure.update_xaxes(title=title, range=[0, ROOM * order(mine[0])])
        figure.update_yaxes(type="category", showgrid=False, ticks="")
        panels.append(panel(subject, figure, 110 + 26 * len(mine)))
    return tuple(panels)


def _bars(rows: Sequence[Row], value: Callable[[Row], float | None], **more: Any) -> go.Bar:
    return go.Bar(
        x=[value(row) for row in rows],
        y=_bar_labels(rows),
        orientation="h",
        textposition="outside",
        cliponaxis=False,
        marker={"color": [COLOURS.get(row.precision, GREY) for row in rows]},
        hovertemplate=[hover(row) + "<extra></extra>" for row in rows],
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
