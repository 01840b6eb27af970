"""Bars with their figures written out, and boxes of distributions: one line a name, the best on top."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgebench.report.plots import svg
from edgebench.report.plots.axes import Axis, bottom, flattened, log_reach

WIDTH = 440.0
PITCH, TOP, BOTTOM = 26.0, 8.0, 42.0
MOST_NAME = 170.0


@dataclass(frozen=True)
class Bar:
    """A value with its text and interval; `base` is the part of it that is drawn in grey."""

    name: str
    value: float
    text: str
    colour: str
    words: str
    ends: tuple[float, float] | None = None
    base: float = 0.0


@dataclass(frozen=True)
class Box:
    """A distribution by its quantiles: 5, 25, 50, 75 and 95 %, and the extremes."""

    name: str
    colour: str
    words: str
    quantiles: tuple[float, float, float, float, float]
    extremes: tuple[float, float]


def bars(title: str, found: Sequence[Bar], x_title: str, grey: str) -> svg.Drawing:
    """Draw bars from zero; where one would flatten the rest, points on a log axis, which has no zero."""
    log = flattened([bar.value for bar in found])
    left = _room_for([bar.name for bar in found])
    room = max(svg.width_of(bar.text, svg.SMALL) for bar in found) + 12
    height = TOP + PITCH * len(found) + BOTTOM
    high = max(value for bar in found for value in (bar.value, *(bar.ends or ())))
    ends = log_reach([bar.value for bar in found]) if log else (0.0, high or 1.0)
    axis = Axis(*ends, left, WIDTH - room, log)
    parts = [bottom(axis, height - BOTTOM, TOP, x_title)]
    for at, bar in enumerate(found):
        y = TOP + PITCH * (at + 0.5)
        inside = svg.text(left - 8, y + 4, svg.shortened(bar.name, left - 14, svg.SMALL), "k s", "end")
        inside += _dot(bar, axis, y) if log else _bar(bar, axis, y, grey)
        if bar.ends:
            inside += svg.line(axis.at(bar.ends[0]), y, axis.at(bar.ends[1]), y, "a")
        beyond = max(axis.at(bar.value), axis.at(bar.ends[1]) if bar.ends else 0)
        inside += svg.text(beyond + 8, y + 4, bar.text, "k s")
        parts.append(svg.titled(bar.words, inside))
    said = "; ".join(f"{bar.name} {bar.text}" for bar in found)
    return svg.Drawing(title, f"{x_title}: {said}", WIDTH, height, "".join(parts))


def boxes(title: str, found: Sequence[Box], x_title: str) -> svg.Drawing:
    """Draw distributions: the box holds half of the samples, the line nine in ten, the dots are the extremes."""
    values = [value for box in found for value in (*box.quantiles, *box.extremes)]
    log = flattened([box.quantiles[2] for box in found]) or flattened([box.extremes[1] for box in found])
    left, height = _room_for([box.name for box in found]), TOP + PITCH * len(found) + BOTTOM
    low, high = min(values), max(values)
    linear = (max(low - 0.05 * (high - low), 0.0), high + 0.05 * (high - low) or 1.0)
    axis = Axis(*(log_reach(values) if log else linear), left, WIDTH - 16, log)
    parts = [bottom(axis, height - BOTTOM, TOP, x_title)]
    for at, box in enumerate(found):
        y = TOP + PITCH * (at + 0.5)
        p5, p25, p50, p75, p95 = (axis.at(value) for value in box.quantiles)
        inside = svg.text(left - 8, y + 4, svg.shortened(box.name, left - 14, svg.SMALL), "k s", "end")
        inside += svg.line(p5, y, p95, y, colour=box.colour)
        inside += svg.box(p25, y - 7, max(p75 - p25, 1.5), 14, box.colour, 0.55)
        inside += svg.box(p50 - 1, y - 8, 2, 16, box.colour)
        inside += "".join(svg.mark("circle", axis.at(end), y, box.colour, 1.8) for end in box.extremes)
        parts.append(svg.titled(box.words, inside))
    said = "; ".join(box.words for box in found)
    return svg.Drawing(title, f"{x_title}: {said}", WIDTH, height, "".join(parts))


def _bar(bar: Bar, axis: Axis, y: float, grey: str) -> str:
    base, end = axis.at(bar.base), axis.at(bar.value)
    behind = svg.box(axis.start, y - 8, base - axis.start, 16, grey, 0.45) if bar.base else ""
    return behind + svg.box(base, y - 8, end - base, 16, bar.colour)


def _dot(bar: Bar, axis: Axis, y: float) -> str:
    return svg.line(axis.start, y, axis.at(bar.value), y, "d") + svg.mark("circle", axis.at(bar.value), y, bar.colour)


def _room_for(names: Sequence[str]) -> float:
    return min(max(svg.width_of(name, svg.SMALL) for name in names), MOST_NAME) + 16
