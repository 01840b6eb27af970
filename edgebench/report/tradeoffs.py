"""Accuracy against what it costs: one small panel a subject, its axes as wide as its own figures need."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgebench.report.content import Group
from edgebench.report.panels import SHAPES, Chart, Panel, colour_of, hover, latency_title, names_of
from edgebench.report.plots import axes
from edgebench.report.plots.scatter import Field, Point, scatter
from edgebench.results.feasible import Feasible
from edgebench.results.figure import share_interval
from edgebench.results.figures import Row

Measure = Callable[[Row], float | None]
Ends = tuple[float, float] | None
Region = tuple[tuple[float, float], tuple[float, float]]
SHARE_LEAST = 0.005  # half a point above and below accuracies that are all equal


def against_latency(group: Group, several: bool, wanted: Feasible) -> Chart:
    """Return accuracy against latency; `several` names the conditions, where the page has more than one set."""
    name, _ = accuracy_measure(group.rows)
    return Chart(
        kind="tradeoff",
        title=f"{name[0].upper()}{name[1:]} against latency",
        where=group.conditions.title if several else "",
        caption="Up and to the left is better; nobody is better in both than the points on the line, whose names are "
        "bold. Bars: 95% intervals, of the median latency and of the drop against the source model, whose own accuracy "
        "is dotted. A mark that would hide another is moved aside, with a line to its place." + _shaded(wanted),
        panels=_panels(group, LATENCY, latency_title(group), wanted),
    )


def against_size(group: Group, several: bool, wanted: Feasible) -> Chart:
    """Return accuracy against size on disk."""
    name, _ = accuracy_measure(group.rows)
    return Chart(
        kind="tradeoff",
        title=f"{name[0].upper()}{name[1:]} against size",
        where=f"accuracy as measured on {group.conditions.title}" if several else "",
        caption="Up and to the left is better. Bars: 95% interval of the drop against the source model."
        + _shaded(wanted),
        panels=_panels(group, SIZE, "size on disk, MB", wanted),
    )


def accuracy_measure(rows: Sequence[Row]) -> tuple[str, Measure]:
    """Return what stands for accuracy: top-1, or subset accuracy of sets of labels, else agreement with the source."""
    if any(row.top1 is not None for row in rows):
        return "top-1 accuracy", lambda row: row.top1
    if any(row.subset_accuracy is not None for row in rows):
        return "images with every label right", lambda row: row.subset_accuracy
    return "agreement with the source model", lambda row: row.agreement


def latency_ends(row: Row) -> Ends:
    """Return the interval of the median latency in milliseconds."""
    if row.latency_ms_low is None or row.latency_ms_high is None:
        return None
    return row.latency_ms_low, row.latency_ms_high


def accuracy_ends(row: Row) -> Ends:
    """Return where the accuracy would lie at the ends of the drop's interval; its own interval without a reference."""
    share = row.subset_accuracy if row.top1 is None else row.top1
    if share is None:
        return None
    if row.drop is None:
        return share_interval(round(share * row.images), row.images) if row.images else None
    drop, low, high = row.drop
    return max(share + drop - high, 0.0), min(share + drop - low, 1.0)


def reference_of(row: Row) -> float | None:
    """Return what the source model reaches in the same measure of accuracy."""
    return row.subset_reference if row.top1 is None else row.top1_reference


@dataclass(frozen=True)
class Across:
    """The figure below a plot: its name in requirements, how to read it in the axis' unit, and its interval."""

    figure: str
    read: Measure
    ends: Callable[[Row], Ends]
    unit: float = 1.0  # of the figure's own in one of the axis


LATENCY = Across("latency_ms_median", lambda row: row.latency_ms_median, latency_ends)
SIZE = Across("size_bytes", lambda row: row.size_bytes and row.size_bytes / 1e6, lambda _: None, 1e6)
OPEN = (-math.inf, math.inf)


def _shaded(wanted: Feasible) -> str:
    drawn = {"latency_ms_median", "size_bytes", "top1", "top1_drop"}
    if not drawn & set(wanted.limits):
        return ""
    others = [*sorted(set(wanted.limits) - drawn), *wanted.unshown]
    rest = f"; {', '.join(others)} cannot be shaded here" if others else ""
    return f" Shaded: what the requirements allow{rest}."


def _wanted(wanted: Feasible, across: Across, reference: float | None) -> Region | None:
    low, high = (end / across.unit for end in wanted.limits.get(across.figure, OPEN))
    bottom, top = wanted.limits.get("top1", OPEN)
    if reference is not None and "top1_drop" in wanted.limits:
        least, most = wanted.limits["top1_drop"]
        bottom, top = max(bottom, reference - most), min(top, reference - least)
    region = ((low, high), (bottom, top))
    return None if region == (OPEN, OPEN) else region


def _panels(group: Group, across: Across, x_title: str, wanted: Feasible) -> tuple[Panel, ...]:
    x = across.read
    name, y = accuracy_measure(group.rows)
    shown = [row for row in group.rows if row.ok and (x(row) or 0) > 0 and y(row) is not None]
    if len(shown) < 2:  # one point is no trade-off
        return ()
    subjects: dict[str, list[Row]] = {}
    for row in shown:
        subjects.setdefault(row.subject, []).append(row)
    panels = []
    for subject, mine in subjects.items():
        reference = next((found for row in mine if (found := reference_of(row)) is not None), None)
        region = _wanted(wanted, across, reference)
        field = Field(x_title, name, axes.share, SHARE_LEAST, reference=reference, wanted=region)
        points = [
            Point(
                x=x(row) or 0.0,
                y=y(row) or 0.0,
                colour=colour_of(row),
                name=called,
                words=hover(row),
                shape=SHAPES.get(row.format, "circle"),
                x_ends=across.ends(row),
                y_ends=accuracy_ends(row),
            )
            for row, called in zip(mine, names_of(mine), strict=True)
        ]
        panels.append(Panel(subject, scatter(f"{subject}: {name} against {x_title}", points, field)))
    return tuple(panels)
