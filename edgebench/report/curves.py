"""Accuracy by severity, drawn: one panel a model and kind of perturbation."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from edgebench.report.panels import COLOURS, GREY, Chart, Panel, panel
from edgebench.results.corruption import Curve
from edgebench.variants import FORMATS

DASHES = dict(zip(FORMATS, ("dash", "solid", "dot"), strict=False))


def corruption_charts(found: Sequence[Curve]) -> list[Chart]:
    """Return a chart a device: one panel a model and kind, accuracy by severity, the source model dotted in grey."""
    charts = []
    for device in dict.fromkeys(curve.row.device for curve in found):
        here = [c for c in found if c.row.device == device and len(c.severities) > 1 and None not in c.top1]
        panels = [
            _panel(f"{subject}, {kind}", [c for c in here if (c.row.subject, c.kind) == (subject, kind)])
            for subject, kind in dict.fromkeys((c.row.subject, c.kind) for c in here)
        ]
        caption = "Top-1 by severity. Colour is the precision; the dotted grey line is the source model."
        if panels:
            charts.append(Chart("curves", "Accuracy under corruption", device, caption, tuple(panels)))
    return charts


def _panel(title: str, mine: Sequence[Curve]) -> Panel:
    figure = go.Figure()
    first = mine[0]
    if None not in first.reference:
        line = {"color": GREY, "dash": "dot", "width": 2}
        figure.add_scatter(
            x=first.severities,
            y=first.reference,
            mode="lines",
            line=line,
            hovertemplate="source model %{y:.1%}<extra></extra>",
        )
    for curve in mine:
        figure.add_scatter(
            x=curve.severities,
            y=curve.top1,
            mode="lines+markers",
            line={"color": COLOURS.get(curve.row.precision, GREY), "dash": DASHES.get(curve.row.format, "solid")},
            hovertemplate=f"{curve.row.variant} %{{y:.1%}}<extra></extra>",
        )
    figure.update_xaxes(title="severity")
    figure.update_yaxes(tickformat=".0%", rangemode="tozero")
    return panel(title, figure, 260)
