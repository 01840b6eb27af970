"""Accuracy by severity, drawn: one panel a model and kind of perturbation."""

from __future__ import annotations

from collections.abc import Sequence

from edgebench.report.panels import GREY, Chart, Panel, colour_of
from edgebench.report.plots import axes
from edgebench.report.plots.lines import Line, lines
from edgebench.results.corruption import Curve
from edgebench.variants import FORMATS

DASHES = dict(zip(FORMATS, ("7 3", "", "2 3"), strict=False))


def corruption_charts(found: Sequence[Curve]) -> list[Chart]:
    """Return a chart a device: one panel a model and kind, accuracy by severity, the source model dotted in grey."""
    table: dict[str, dict[tuple[str, str], list[Curve]]] = {}
    for curve in found:
        if len(curve.severities) > 1 and None not in curve.top1:
            table.setdefault(curve.row.device, {}).setdefault((curve.row.subject, curve.kind), []).append(curve)
    caption = "Top-1 by severity. Colour is the precision, the dashes the format; the grey line is the source model."
    return [
        Chart(
            "curves",
            "Accuracy under corruption",
            device,
            caption,
            tuple(_panel(f"{subject}, {kind}", mine) for (subject, kind), mine in here.items()),
        )
        for device, here in table.items()
    ]


def _panel(title: str, mine: Sequence[Curve]) -> Panel:
    first = mine[0]
    found = []
    if None not in first.reference:
        found.append(Line("source model", first.severities, first.reference, GREY, "2 3"))
    for curve in mine:
        dash = DASHES.get(curve.row.format, "")
        found.append(Line(curve.row.variant, curve.severities, curve.top1, colour_of(curve.row), dash, marks=True))
    return Panel(title, lines(f"{title}: top-1 by severity", found, "severity", "top-1", axes.share, zero=True))
