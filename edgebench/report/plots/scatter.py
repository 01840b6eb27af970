"""Points with their intervals and names, those that lie on one another set apart, and the line nobody beats."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from edgebench.report.plots import svg
from edgebench.report.plots.axes import Axis, bottom, left, log_reach, plain, reach

WIDTH, HEIGHT = 440.0, 330.0
LEFT, RIGHT, TOP, BOTTOM = 62.0, 14.0, 14.0, 42.0
APART = 13.0
"""Marks nearer than this many pixels hide one another."""
NEAR, FAR = (9.0, 14.0, 22.0, 32.0), (9.0, 14.0, 24.0, 36.0, 50.0, 66.0)
"""How far from its mark a name may stand."""
ROUND = [(math.cos(math.pi / 4 * n), math.sin(math.pi / 4 * n)) for n in range(8)]


Ends = tuple[float, float]


@dataclass(frozen=True)
class Point:
    """One mark: where, how far the intervals go (low, high), its look, its name, and what it says when pointed at."""

    x: float
    y: float
    colour: str
    name: str
    words: str
    shape: str = "circle"
    x_ends: tuple[float, float] | None = None
    y_ends: tuple[float, float] | None = None
    best: bool = False  # nobody beats it in both: it is on the line
    faint: bool = False  # in the background, without a name


@dataclass(frozen=True)
class Field:
    """What the axes are called, how y is written, and a height to draw a dotted line at."""

    x_title: str
    y_title: str
    y_words: Callable[[float, float], str] = plain
    y_least: float = 0.0  # room above and below points that are all of one height
    lower_is_better: bool = False  # of y
    reference: float | None = None
    wanted: tuple[Ends, Ends] | None = None  # of x and y, an open end infinite: the region to shade


Box = tuple[float, float, float, float]


def scatter(title: str, points: Sequence[Point], field: Field) -> svg.Drawing:
    """Draw points (one at least, x above zero) with a log axis below that fits them."""
    marked = with_front(points, field.lower_is_better)
    heights = [v for p in marked for v in (p.y, *(p.y_ends or ()))] + ([field.reference] if field.reference else [])
    low, high = log_reach([v for p in marked for v in (p.x, *_bounded(p))])
    x = Axis(low, high, LEFT, WIDTH - RIGHT, log=True)
    y = Axis(*reach(heights, field.y_least), HEIGHT - BOTTOM, TOP, words=field.y_words)
    parts = [bottom(x, HEIGHT - BOTTOM, TOP, field.x_title), left(y, LEFT, WIDTH - RIGHT, field.y_title)]
    if field.wanted:
        parts.insert(0, _region(*field.wanted, x, y))
    if field.reference is not None:
        parts.append(svg.line(LEFT, y.at(field.reference), WIDTH - RIGHT, y.at(field.reference), "d"))
    parts.append(_front_line(marked, x, y))
    true = [(x.at(p.x), y.at(p.y)) for p in marked]
    shown = apart([place for place, p in zip(true, marked, strict=True) if not p.faint])
    places = iter(shown)
    drawn = [place if p.faint else next(places) for place, p in zip(true, marked, strict=True)]
    parts += [_intervals(p, x, y) for p in marked if not p.faint]
    for p, place, there in zip(marked, drawn, true, strict=True):
        away = math.dist(place, there) > 2
        parts.append(svg.line(*there, *place, "a") if away else "")
        radius = 3.0 if p.faint else 5.5
        look = svg.mark(p.shape, *place, p.colour, radius)
        parts.append(svg.titled(p.words, f'<g opacity="0.45">{look}</g>' if p.faint else look))
    parts += _names(marked, drawn, [_upright(p, x, y) for p in marked if p.y_ends and not p.faint])
    said = "; ".join(p.words.replace("\n", ", ") for p in marked if not p.faint)
    return svg.Drawing(title, f"{field.y_title} against {field.x_title}. {said}", WIDTH, HEIGHT, "".join(parts))


def with_front(points: Sequence[Point], lower: bool = False) -> list[Point]:
    """Mark the points that no other one equals or beats in both and beats in one: further left, and higher."""
    sign = 1 if lower else -1

    def beaten(p: Point) -> bool:
        own = (p.x, sign * p.y)
        others = ((o.x, sign * o.y) for o in points)
        return any(o[0] <= own[0] and o[1] <= own[1] and o != own for o in others)

    return [replace(p, best=not beaten(p)) for p in points]


def apart(places: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Push marks that would hide one another apart, as little as it takes, and keep them inside the plot."""
    found = [(px + 0.01 * n, py + 0.007 * n) for n, (px, py) in enumerate(places)]  # equal ones get a direction
    for _ in range(60):
        moved = False
        for a in range(len(found)):
            for b in range(a):
                (ax, ay), (bx, by) = found[a], found[b]
                gap = math.hypot(ax - bx, ay - by)
                if gap < APART:
                    push, moved = (APART - gap) / 2 + 0.1, True
                    dx, dy = ((ax - bx) / gap, (ay - by) / gap) if gap > 1e-6 else ROUND[(a + b) % 8]
                    found[a] = _inside(ax + push * dx, ay + push * dy)
                    found[b] = _inside(bx - push * dx, by - push * dy)
        if not moved:
            break
    return found


def _region(across: Ends, up: Ends, x: Axis, y: Axis) -> str:
    """Shade what is wanted; nothing where no part of it lies in the plot."""
    x1, x2 = x.at(max(across[0], x.low)), x.at(min(across[1], x.high))
    y1, y2 = y.at(max(up[0], y.low)), y.at(min(up[1], y.high))
    if across[0] > x.high or across[1] < x.low or up[0] > y.high or up[1] < y.low:
        return ""
    return svg.titled("What the requirements allow", svg.box(x1, y2, x2 - x1, y1 - y2, "#2a9d8f", 0.14))


def _inside(x: float, y: float) -> tuple[float, float]:
    return min(max(x, LEFT + 6), WIDTH - RIGHT - 6), min(max(y, TOP + 2), HEIGHT - BOTTOM - 6)


def _bounded(p: Point) -> tuple[float, ...]:
    """Return the ends of an interval as far as they may widen an axis: to half and to twice the value."""
    return tuple(min(max(end, p.x / 2), p.x * 2) for end in p.x_ends or ())


def _front_line(points: Sequence[Point], x: Axis, y: Axis) -> str:
    """Draw the steps from best to best: what is below and right of them is beaten."""
    best = sorted({(p.x, p.y) for p in points if p.best})
    if len(best) < 2:
        return ""
    steps: list[tuple[float, float]] = []
    for at, (px, py) in enumerate(best):
        if at:
            steps.append((x.at(px), steps[-1][1]))
        steps.append((x.at(px), y.at(py)))
    return svg.titled("Nobody is better in both than the points on this line", svg.path(steps, kind="a"))


def _intervals(p: Point, x: Axis, y: Axis) -> str:
    across = svg.line(x.at(p.x_ends[0]), y.at(p.y), x.at(p.x_ends[1]), y.at(p.y), colour=p.colour) if p.x_ends else ""
    up = svg.line(x.at(p.x), y.at(p.y_ends[0]), x.at(p.x), y.at(p.y_ends[1]), colour=p.colour) if p.y_ends else ""
    return across + up


def _upright(p: Point, x: Axis, y: Axis) -> Box:
    low, high = p.y_ends or (p.y, p.y)
    return x.at(p.x) - 2, y.at(high), x.at(p.x) + 2, y.at(low)


def _names(points: Sequence[Point], places: Sequence[tuple[float, float]], bars: Sequence[Box]) -> list[str]:
    """Write every name where it covers no mark and no other name, joined by a line where that is not beside its mark.

    Where there is room it does not cross an interval either.
    """
    named = [(p, place) for p, place in zip(points, places, strict=True) if p.name and not p.faint]
    taken: list[Box] = [(px - 6, py - 6, px + 6, py + 6) for _, (px, py) in named]
    parts = []
    for p, (px, py) in sorted(named, key=lambda one: not one[0].best):
        name = svg.shortened(p.name, 150, svg.SMALL)
        width = svg.width_of(name, svg.SMALL) + 4
        others = [bar for bar in bars if abs((bar[0] + bar[2]) / 2 - px) > 8]
        at = _free(px, py, width, [*taken, *others], NEAR) or _free(px, py, width, taken, FAR)
        if at is None:
            continue  # its words remain: pointing at the mark, the description and the table have the name
        frame, distance = at
        taken.append(frame)
        if distance > 20:
            parts.append(svg.line(px, py, *_nearest(px, py, frame), "g"))
        parts.append(svg.text(frame[0], frame[3] - 3, name, "k s b n" if p.best else "m s n"))
    return parts


def _free(
    px: float, py: float, width: float, taken: Sequence[Box], distances: Sequence[float]
) -> tuple[Box, float] | None:
    for distance in distances:
        for dx, dy in ((1, 0), (-1, 0), *ROUND):
            cx, cy = px + dx * (distance + (width / 2 if dx else 0)), py + dy * (distance + 4)
            frame = (cx - width / 2, cy - 7, cx + width / 2, cy + 7)
            inside = frame[0] >= LEFT + 2 and frame[2] <= WIDTH - 2 and frame[1] >= 0 and frame[3] <= HEIGHT - BOTTOM
            if inside and not any(_overlap(frame, other) for other in taken):
                return frame, distance
    return None


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _nearest(px: float, py: float, frame: Box) -> tuple[float, float]:
    return min(max(px, frame[0]), frame[2]), min(max(py, frame[1]), frame[3])
