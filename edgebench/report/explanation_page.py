"""layers.html: the curve of the error over depth and a sortable table of every layer, one file that asks no network."""

from __future__ import annotations

import html
import math

import plotly.graph_objects as go
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from edgebench import __version__
from edgebench.inspection.explanation import Explanation
from edgebench.inspection.layers.measure import Layer
from edgebench.report.explanation import WORST, decibels, facts
from edgebench.report.panels import GREY, panel

MOST_DB = 99.0
LINES = (("by itself, with exact inputs", "#d1495b"), ("in the network, with all before it", "#4c78a8"))


def page_text(found: Explanation) -> str:
    """Return the page. Every value is escaped by the template; only our own script and style are not."""
    templates = Environment(
        loader=PackageLoader("edgebench.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    drawn = curve(found.layers) if found.layers else ""
    return templates.get_template("layers.html.j2").render(
        version=__version__,
        found=found,
        facts=facts(found),
        worst=found.worst[:WORST],
        decibels=decibels,
        finite=lambda value: max(-MOST_DB, min(value, MOST_DB)),
        lines=LINES,
        curve=Markup(drawn),  # noqa: S704 (Plotly's JSON, in which <, > and / are escaped)
        plotly=Markup(get_plotlyjs()) if drawn else "",  # noqa: S704 (Plotly's own file, not data)
    )


def curve(layers: tuple[Layer, ...]) -> str:
    """Return the figure: SQNR in dB over the layers in their order, each line a way to look at it."""
    figure = go.Figure()
    own = [layer.alone.worst_db if layer.alone else None for layer in layers]
    seen: list[float | None] = [layer.accumulated.worst_db for layer in layers]
    for (name, colour), values in zip(LINES, (own, seen), strict=True):
        figure.add_scatter(
            x=[layer.place for layer in layers],
            y=[value if value is not None and math.isfinite(value) else None for value in values],
            name=name,
            mode="lines+markers",
            line={"color": colour, "width": 1},
            marker={"size": 5},
            text=[f"{layer.place} {html.escape(layer.kind)}<br>{html.escape(layer.reason)}" for layer in layers],
            hovertemplate="%{y:.1f} dB, " + name + "<br>%{text}<extra></extra>",
        )
    figure.add_hline(y=20, line={"dash": "dot", "width": 1, "color": GREY})
    figure.update_xaxes(title="layer, in the order of execution")
    figure.update_yaxes(title="signal to quantisation noise, dB")
    return panel("", figure, 360).figure
