"""The page's charts, in the order of the page."""

from __future__ import annotations

from dataclasses import dataclass, replace

from edgebench.report.bars import latency_bars, latency_boxes, memory_bars
from edgebench.report.content import Report
from edgebench.report.curves import corruption_charts
from edgebench.report.learning import confusions, curves
from edgebench.report.panels import Chart
from edgebench.report.tradeoffs import against_latency, against_size
from edgebench.report.versus import model_charts

MOST_GROUPS = 8
"""More sets of conditions are not drawn one by one: the page's overview compares them."""
MOST_PANELS = 24
"""More pictures of one title nobody looks at."""
MANY_ROWS, FEWER_GROUPS, FEWER_PANELS = 300, 2, 10
"""Of a report of many rows the page is its table and its overview: fewer pictures, so that it opens at once."""


@dataclass(frozen=True)
class Drawn:
    """The charts that have something to show, and what is left out: sets of conditions, panels."""

    charts: tuple[Chart, ...]
    groups_left_out: int
    panels_left_out: int = 0


def charts(report: Report) -> Drawn:
    """Draw what there is to draw."""
    ranked = [group for group in report.groups if group.ranked]
    several = len(report.groups) > 1
    drawn = ranked[: MOST_GROUPS if len(report.rows) <= MANY_ROWS else FEWER_GROUPS]
    found = [chart for group in drawn for chart in model_charts(group, report.verdicts, several)]
    found += [against_latency(group, several, report.feasible) for group in drawn]
    found += [against_size(group, several, report.feasible) for group in report.groups[:1]]
    for make in (latency_bars, latency_boxes, memory_bars):
        found += [make(group, several) for group in drawn]
    found += curves(report.results)
    found += confusions(report.results)
    found += corruption_charts(report.curves)
    return Drawn(tuple(chart for chart in found if chart.panels), len(ranked) - len(drawn))


def few(drawn: Drawn, rows: int) -> Drawn:
    """Keep so many panels of each title as somebody may look at in a report of so many rows."""
    most = MOST_PANELS if rows <= MANY_ROWS else FEWER_PANELS
    number: dict[str, int] = {}
    kept, left_out = [], 0
    for chart in drawn.charts:
        room = max(most - number.get(chart.title, 0), 0)
        number[chart.title] = number.get(chart.title, 0) + len(chart.panels)
        left_out += max(len(chart.panels) - room, 0)
        kept.append(replace(chart, panels=chart.panels[:room]))
    return Drawn(tuple(chart for chart in kept if chart.panels), drawn.groups_left_out, left_out)
