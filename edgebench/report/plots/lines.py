"""Curves over a common axis, named at their ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgebench.report.plots import svg
from edgebench.report.plots.axes import Axis, bottom, left, plain, reach

WIDTH, HEIGHT = 440.0, 270.0
LEFT, TOP, BOTTOM, NAMES = 62.0, 14.0, 42.0, 110.0
SPACING = 13.0  # between two names


@dataclass(frozen=True)
class Line:
    """One curve; `y` is None where there is no value, and the line has a gap there."""

    name: str
    x: Sequence[float]
    y: Sequence[float | None]
    colour: str
    dash: str = ""
    marks: bool = False
    ring: tuple[float, float] | None = None  # a place to point out
    words: Sequence[str] = ()  # what each point says; empty: its name and value


def lines(
    title: str,
    found: Sequence[Line],
    x_title: str,
    y_title: str = "",
    y_words: Callable[[float, float], str] = plain,
    zero: bool = False,
    level: float | None = None,
    size: tuple[float, float] = (WIDTH, HEIGHT),
) -> svg.Drawing:
    """Draw curves with one value at least; `zero` lets the axis begin there, `level` is a dotted line across."""
    width, height = size
    ys = [value for one in found for value in one.y if value is not None] + ([] if level is None else [level])
    xs = [float(value) for one in found for value in one.x]
    low, high = reach(ys, 0.01)
    across = (min(xs), max(xs)) if len(set(xs)) > 1 else (xs[0] - 1, xs[0] + 1)
    x = Axis(*across, LEFT, width - NAMES, whole=all(value == int(value) for value in xs))
    y = Axis(0.0 if zero and min(ys) >= 0 else low, high, height - BOTTOM, TOP, words=y_words)
    parts = [bottom(x, height - BOTTOM, TOP, x_title), left(y, LEFT, width - NAMES, y_title)]
    if level is not None:
        parts.append(svg.line(LEFT, y.at(level), width - NAMES, y.at(level), "d"))
    parts += [_curve(one, x, y) for one in found]
    parts += _names(found, y, width - NAMES + 8)
    said = "; ".join(f"{one.name} {_ends(one, y_words)}" for one in found)
    return svg.Drawing(title, f"{y_title or 'values'} over {x_title}: {said}", width, height, "".join(parts))


def _curve(one: Line, x: Axis, y: Axis) -> str:
    parts: list[str] = []
    run: list[tuple[float, float]] = []
    for at, (across, value) in enumerate(zip(one.x, one.y, strict=True)):
        if value is None:
            parts, run = [*parts, svg.path(run, one.colour, dash=one.dash)], []
            continue
        run.append((x.at(across), y.at(value)))
        if one.marks:
            words = one.words[at] if one.words else f"{one.name}, {across:g}: {y.words(value, abs(value) / 100 or 1)}"
            parts.append(svg.titled(words, svg.mark("circle", *run[-1], one.colour, 2.6)))
    parts.append(svg.path(run, one.colour, dash=one.dash))
    if one.ring:
        place = f'cx="{x.at(one.ring[0]):.1f}" cy="{y.at(one.ring[1]):.1f}"'
        parts.append(f'<circle {place} r="5.5" fill="none" stroke="#d1495b" stroke-width="2"/>')
    return "".join(parts)


def _names(found: Sequence[Line], y: Axis, left_edge: float) -> list[str]:
    """Write the names at the height where the curves end, apart from one another."""
    ends = [
        (y.at(last), one)
        for one in found
        if (last := next((v for v in reversed(one.y) if v is not None), None)) is not None
    ]
    places: list[float] = []
    for height, _ in sorted(ends, key=lambda end: end[0]):
        places.append(max(height, places[-1] + SPACING) if places else height)
    over = max(places[-1] - (y.start + 4), 0) if places else 0  # too far down: all go up together
    parts = []
    for place, (height, one) in zip(places, sorted(ends, key=lambda end: end[0]), strict=True):
        name = svg.shortened(one.name, NAMES - 12, svg.SMALL)
        parts += [svg.line(left_edge - 7, height, left_edge - 1, place - over, colour=one.colour)]
        parts.append(svg.text(left_edge, place - over + 4, name, "k s"))
    return parts


def _ends(one: Line, words: Callable[[float, float], str]) -> str:
    known = [value for value in one.y if value is not None]
    if not known:
        return "without a value"
    first, last = (words(value, abs(value) / 100 or 1.0) for value in (known[0], known[-1]))
    return f"from {first} to {last}"
