"""Latency, its distribution, and memory: one small panel a subject, the least on top."""

from __future__ import annotations

from collections.abc import Callable

from edgebench.report.content import Group
from edgebench.report.display import latency_reach
from edgebench.report.panels import GREY, Chart, Panel, colour_of, hover, latency_title, names_of
from edgebench.report.plots.bars import Bar, Box, bars, boxes
from edgebench.report.plots.svg import Drawing
from edgebench.report.tradeoffs import latency_ends
from edgebench.results.figures import Row
from edgebench.units import milliseconds, size

Draw = Callable[[str, list[Row], list[str]], Drawing]


def latency_bars(group: Group, several: bool) -> Chart:
    """Return the median latencies with their intervals."""

    def draw(subject: str, rows: list[Row], names: list[str]) -> Drawing:
        found = [
            Bar(
                name,
                row.latency_ms_median or 0.0,
                f"{milliseconds(row.latency_ms_median)} {latency_reach(row)}".strip(),
                colour_of(row),
                hover(row),
                latency_ends(row),
            )
            for row, name in zip(rows, names, strict=True)
        ]
        return bars(f"{subject}: latency", found, latency_title(group), GREY)

    return Chart(
        "bars",
        "Latency",
        group.conditions.title if several else "",
        "Median of the steady state, and how far its 95% interval reaches. Shorter is better; where one would flatten "
        "the others the axis is logarithmic and has points in place of bars.",
        _panels(group, lambda row: row.latency_ms_median, draw),
    )


def latency_boxes(group: Group, several: bool) -> Chart:
    """Return how the samples of each latency lie: what a median does not say."""

    def draw(subject: str, rows: list[Row], names: list[str]) -> Drawing:
        found = []
        for row, name in zip(rows, names, strict=True):
            assert row.of.latency
            low, *inner, high = (value / 1e6 for value in row.of.latency.quantiles_ns)
            half, most = (f"{milliseconds(inner[a])} to {milliseconds(inner[b])}" for a, b in ((1, 3), (0, 4)))
            words = f"{name}: half of {row.samples} samples {half}, nine in ten {most}, all {milliseconds(low)} to "
            words += milliseconds(high)
            p5, p25, p50, p75, p95 = inner
            found.append(Box(name, colour_of(row), words, (p5, p25, p50, p75, p95), (low, high)))
        return boxes(f"{subject}: distribution of the latency", found, latency_title(group))

    return Chart(
        "bars",
        "How the latencies scatter",
        group.conditions.title if several else "",
        "All samples of all processes: the box holds half of them, the line nine in ten, the dots are the extremes.",
        _panels(group, _distributed, draw),
    )


def memory_bars(group: Group, several: bool) -> Chart:
    """Return peak memory, the part before the model was loaded apart."""

    def draw(subject: str, rows: list[Row], names: list[str]) -> Drawing:
        found = []
        for row, name in zip(rows, names, strict=True):
            peak, model = row.peak_rss_bytes or 0, row.model_rss_bytes or 0
            base = (peak - model) / 1e6
            found.append(Bar(name, peak / 1e6, size(peak), colour_of(row), hover(row), base=base))
        return bars(f"{subject}: peak memory", found, "peak resident memory, MB", GREY)

    return Chart(
        "bars",
        "Memory",
        group.conditions.title if several else "",
        "Peak of a process of its own. Grey: interpreter and runtime before loading; colour: the model.",
        _panels(group, lambda row: row.peak_rss_bytes, draw),
    )


def _distributed(row: Row) -> float | None:
    return row.latency_ms_median if row.of.latency and row.of.latency.quantiles_ns else None


def _panels(group: Group, order: Callable[[Row], float | None], draw: Draw) -> tuple[Panel, ...]:
    subjects: dict[str, list[tuple[float, Row]]] = {}
    for row in group.rows:
        value = order(row) if row.ok else None
        if value is not None:
            subjects.setdefault(row.subject, []).append((value, row))
    panels = []
    for subject, having in subjects.items():
        rows = [row for _, row in sorted(having, key=lambda one: one[0])]
        panels.append(Panel(subject, draw(subject, rows, names_of(rows))))
    return tuple(panels)
