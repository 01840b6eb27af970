"""The page's charts, in the order of the page."""

from __future__ import annotations

from edgebench.report.bars import latency_bars, memory_bars
from edgebench.report.content import Report
from edgebench.report.curves import corruption_charts
from edgebench.report.learning import curves
from edgebench.report.panels import Chart
from edgebench.report.tradeoffs import against_latency, against_size


def charts(report: Report) -> list[Chart]:
    """Return every chart that has something to show."""
    ranked = [group for group in report.groups if group.ranked]
    several = len(report.groups) > 1
    found = [against_latency(group, several) for group in ranked]
    found += [against_size(group, several) for group in report.groups[:1]]
    found += [latency_bars(group, several) for group in ranked]
    found += [memory_bars(group, several) for group in ranked]
    found += curves(report.results)
    found += corruption_charts(report.curves)
    return [chart for chart in found if chart.panels]
