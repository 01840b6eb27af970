"""Accuracy against what it costs: one small panel a subject, with one scale of accuracy for all panels of a chart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import plotly.graph_objects as go

from edgebench.report.content import Group
from edgebench.report.panels import (
    COLOURS,
    GREY,
    SHAPES,
    Chart,
    Panel,
    hover,
    latency_reach,
    latency_title,
    log_range,
    panel,
    share_range,
    ticks,
)
from edgebench.results.figures import Row


def against_latency(group: Group, several: bool) -> Chart:
    """Return accuracy against latency; `several` names the conditions, where the page has more than one set."""
    name, _ = accuracy_measure(group.rows)
    return Chart(
        kind="tradeoff",
        title=f"{name[0].upper()}{name[1:]} against latency",
        where=group.conditions.title if several else "",
        caption="Up and to the left is better. Horizontal bars: 95% interval of the median latency; vertical bars: "
        "of the drop against the source model, whose own accuracy is the dotted line.",
        panels=_scatter(group, lambda row: row.latency_ms_median, latency_title(group), latency_reach),
    )


def against_size(group: Group, several: bool) -> Chart:
    """Return accuracy against size on disk."""
    name, _ = accuracy_measure(group.rows)
    return Chart(
        kind="tradeoff",
        title=f"{name[0].upper()}{name[1:]} against size",
        where=f"accuracy as measured on {group.conditions.title}" if several else "",
        caption="Up and to the left is better. Vertical bars: 95% interval of the drop against the source model.",
        panels=_scatter(group, lambda row: row.size_bytes and row.size_bytes / 1e6, "size on disk, MB", _no_reach),
    )


def accuracy_measure(rows: Sequence[Row]) -> tuple[str, Callable[[Row], float | None]]:
    """Return what stands for accuracy: top-1, or subset accuracy of sets of labels, else agreement with the source."""
    if any(row.top1 is not None for row in rows):
        return "top-1 accuracy", lambda row: row.top1
    if any(row.subset_accuracy is not None for row in rows):
        return "images with every label right", lambda row: row.subset_accuracy
    return "agreement with the source model", lambda row: row.agreement


def _no_reach(row: Row) -> None:
    del row


def _scatter(
    group: Group,
    x: Callable[[Row], float | None],
    x_title: str,
    reach: Callable[[Row], tuple[float, float] | None],
) -> tuple[Panel, ...]:
    _, y = accuracy_measure(group.rows)
    shown = [row for row in group.rows if row.ok and x(row) is not None and y(row) is not None]
    if len(shown) < 2:  # one point is no trade-off
        return ()
    y_range = share_range([value for row in shown for value in _heights(row, y)])
    panels = []
    for subject in dict.fromkeys(row.subject for row in shown):
        mine = [row for row in shown if row.subject == subject]
        figure = go.Figure([_point(row, x, y, reach) for row in mine])
        x_range = log_range([x(row) or 0 for row in mine], [end for row in mine for end in _ends(x(row), reach(row))])
        references = [reference for row in mine if (reference := _reference(row)) is not None]
        if references:
            figure.add_hline(y=references[0], line={"dash": "dot", "width": 1, "color": GREY})
        figure.update_xaxes(title=x_title, type="log", range=x_range, tickvals=ticks(x_range), ticktext=ticks(x_range))
        figure.update_yaxes(range=y_range, tickformat=".0%" if y_range[1] - y_range[0] > 0.04 else ".1%")
        panels.append(panel(subject, figure, 340))
    return tuple(panels)


def _point(row: Row, x: Any, y: Any, reach: Any) -> go.Scatter:
    spread = reach(row)
    drop = _drop_reach(row) if _labelled(row) else None
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
        hovertemplate=hover(row) + "<extra></extra>",
    )


def _ends(value: float | None, reach: tuple[float, float] | None) -> list[float]:
    return [value + reach[0], value - reach[1]] if value is not None and reach else []


def _drop_reach(row: Row) -> tuple[float, float] | None:
    """How far the accuracy would lie above and below, at the ends of the drop's interval."""
    return None if row.drop is None else (row.drop[0] - row.drop[1], row.drop[2] - row.drop[0])


def _reference(row: Row) -> float | None:
    return row.subset_reference if row.top1 is None else row.top1_reference


def _labelled(row: Row) -> bool:
    return row.top1 is not None or row.subset_accuracy is not None


def _heights(row: Row, y: Callable[[Row], float | None]) -> list[float]:
    value, drop, reference = y(row) or 0.0, _drop_reach(row), _reference(row)
    ends = [value + drop[0], value - drop[1]] if drop and _labelled(row) else []
    return [value, *ends, *([reference] if reference is not None and _labelled(row) else [])]
