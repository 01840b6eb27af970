"""Axes: values to pixels, and ticks at round numbers that never touch one another."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from edgebench.report.plots import svg

Tick = tuple[float, str]
FLATTENS = 8.0
"""A value this many times the median leaves the others no room on a linear axis."""


def plain(value: float, step: float) -> str:
    """Return a number with the decimals that its step needs."""
    decimals = max(0, -math.floor(math.log10(step) + 1e-9)) if step else 0
    return f"{value:.{min(decimals, 9)}f}" if step < 10_000 else f"{value:g}"


def share(value: float, step: float) -> str:
    """Return a share 0..1 in percent with the decimals that its step needs."""
    return f"{plain(100 * value, 100 * step)}%"


@dataclass(frozen=True)
class Axis:
    """From `low` to `high` in values, from `start` to `end` in pixels; a log axis holds positive values alone."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False
    words: Callable[[float, float], str] = plain
    whole: bool = False  # of numbers that have nothing between them: epochs, layers

    def at(self, value: float) -> float:
        """Return the pixel of a value; what lies outside is put at the edge."""
        low, high, value = (self._place(one) for one in (self.low, self.high, value))
        if high == low:  # values that are all one
            return (self.start + self.end) / 2
        return self.start + (self.end - self.start) * min(max((value - low) / (high - low), 0.0), 1.0)

    def ticks(self, room: float) -> list[Tick]:
        """Return as many ticks as stand `room` pixels apart, their texts not counted."""
        most = abs(self.end - self.start) / room + 1.5
        for values, step in self._candidates():
            if len(values) > most:
                continue
            places = [self.at(value) for value in values]
            texts = [self.words(value, step or value) for value in values]
            gaps = [abs(b - a) for a, b in pairwise(places)]
            if len(values) >= 2 and min(gaps) >= room and len(set(texts)) == len(texts):
                return list(zip(values, texts, strict=True))
        middle = self.low if self.low > 0 or not self.log else self.high
        return [(middle, self.words(middle, abs(middle) / 100 or 1.0))]

    def _place(self, value: float) -> float:
        return math.log10(max(value, 1e-300)) if self.log else value

    def _candidates(self) -> list[tuple[list[float], float]]:
        """Return sets of round values inside the axis, from many to few, each with its step (0: each its own)."""
        if self.log and self.high / self.low >= 6:
            powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            steps: Sequence[tuple[str, ...]] = (("1", "2", "5"), ("1", "3"), ("1",))
            sets = [[float(f"{step}e{power}") for power in powers for step in each] for each in steps]
            sets += [[10.0**power for power in powers if power % every == 0] for every in (2, 3, 6)]
            return [([value for value in one if self.low <= value <= self.high], 0.0) for one in sets]
        reach = self.high - self.low
        largest = math.floor(math.log10(reach)) if reach > 0 else 0
        steps_ = [float(f"{step}e{power}") for power in range(largest - 2, largest + 2) for step in ("1", "2", "5")]
        return [(self._multiples(step), step) for step in steps_ if step >= 1 or not self.whole]

    def _multiples(self, step: float) -> list[float]:
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [n * step for n in range(first, last + 1)] if last - first < 400 else []


def flattened(values: Sequence[float]) -> bool:
    """Whether one value would flatten the rest of them on a linear axis."""
    ordered = sorted(value for value in values if value > 0)
    return (
        len(ordered) > 2 and len(ordered) == len(values) and ordered[-1] > FLATTENS * ordered[(len(ordered) - 1) // 2]
    )


def log_reach(values: Sequence[float]) -> tuple[float, float]:
    """Return the ends of a log axis around positive values, with room at both."""
    low, high = math.log10(min(values)), math.log10(max(values))
    room = max(0.1 * (high - low), 0.06)
    return 10 ** (low - room), 10 ** (high + room)


def reach(values: Sequence[float], least: float = 0.0) -> tuple[float, float]:
    """Return the ends of a linear axis around values, with room at both: `least` where they are all alike."""
    low, high = min(values), max(values)
    room = max(0.1 * (high - low), least)
    return low - room, high + room


def bottom(axis: Axis, y: float, top: float, title: str) -> str:
    """Draw an axis below a plot: grid, ticks, title."""
    widest = max((svg.width_of(words, svg.SMALL) for _, words in axis.ticks(34)), default=0)
    parts = []
    for value, words in axis.ticks(max(34, widest + 10)):
        at = axis.at(value)
        half = svg.width_of(words, svg.SMALL) / 2
        anchor = "start" if at - half < axis.start - 30 else "end" if at + half > axis.end + 14 else "middle"
        parts += [svg.line(at, top, at, y, "g"), svg.text(at, y + 15, words, "m s", anchor)]
    words = title + (", log scale" if axis.log and axis.high / axis.low >= 6 else "")
    parts += [svg.line(axis.start, y, axis.end, y, "a")]
    return "".join([*parts, svg.text((axis.start + axis.end) / 2, y + 32, words, "m s", "middle")])


def left(axis: Axis, x: float, right: float, title: str = "") -> str:
    """Draw an axis on the left of a plot: grid, ticks, title along it."""
    parts = []
    for value, words in axis.ticks(34):
        at = axis.at(value)
        parts += [svg.line(x, at, right, at, "g"), svg.text(x - 6, at + 4, words, "m s", "end")]
    if title:
        parts.append(svg.text(11, (axis.start + axis.end) / 2, title, "m s", "middle", turned=True))
    return "".join(parts)
