"""layers.html: the curve of the error over depth and a sortable table of every layer, one file that asks no network."""

from __future__ import annotations

import math

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from edgebench import __version__
from edgebench.inspection.explanation import Explanation
from edgebench.inspection.layers.measure import Layer
from edgebench.report.explanation import WORST, decibels, facts
from edgebench.report.plots.lines import Line, lines
from edgebench.report.plots.svg import STYLE, Drawing

MOST_DB = 99.0
LINES = (("by itself", "#d1495b"), ("in the network", "#4c78a8"))


def page_text(found: Explanation) -> str:
    """Return the page. Every value is escaped by the template; only our own script and style are not."""
    templates = Environment(
        loader=PackageLoader("edgebench.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    return templates.get_template("layers.html.j2").render(
        version=__version__,
        found=found,
        facts=facts(found),
        worst=found.worst[:WORST],
        decibels=decibels,
        finite=lambda value: max(-MOST_DB, min(value, MOST_DB)),
        lines=LINES,
        plot_style=Markup(STYLE),  # noqa: S704 (our own, and no data)
        curve=Markup(curve(found.layers).inline()) if found.layers else "",  # noqa: S704 (every text is escaped in it)
    )


def curve(layers: tuple[Layer, ...]) -> Drawing:
    """Return the figure: SQNR in dB over the layers in their order, each line a way to look at it."""
    own = [layer.alone.worst_db if layer.alone else None for layer in layers]
    seen: list[float | None] = [layer.accumulated.worst_db for layer in layers]
    found = [
        Line(
            name,
            [layer.place for layer in layers],
            [value if value is not None and math.isfinite(value) else None for value in values],
            colour,
            marks=True,
            words=[
                f"{layer.place} {layer.kind}, {decibels(value)} {name}: {layer.reason}" if value is not None else ""
                for layer, value in zip(layers, values, strict=True)
            ],
        )
        for (name, colour), values in zip(LINES, (own, seen), strict=True)
    ]
    titles = ("Signal to noise over the layers", "layer, in the order of execution", "signal to quantisation noise, dB")
    return lines(titles[0], found, *titles[1:], level=20, size=(1100, 360))
