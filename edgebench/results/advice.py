"""What would decide a requirement that the intervals leave open: how many more images, how many more processes.

A requirement is open because an interval holds its limit. The interval of twice the images is narrower by the root of
two; where its middle will then lie is not known, but these images say how far it may move (the predictive distribution
of a normal mean). So the number is the smallest after which the new interval leaves the limit out with POSSIBLE.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from scipy.special import ndtr, ndtri

from edgebench.expression import FALSE, TRUE, Expression, Quantity, Value
from edgebench.measures.significance import two_digits
from edgebench.results.figure import Basis
from edgebench.results.figures import FIGURES, Row

POSSIBLE = 0.9
"""How often the number that is said should decide: four times in five asked for, and room for what is only normal."""
MOST = 1000.0
"""Nobody measures more than this many times what was measured."""
Z = float(ndtri(0.975))


@dataclass(frozen=True)
class Advice:
    """What to do, the command to type, and by how much the measurement grows (None where that is not a number)."""

    words: str
    command: str
    times: float | None


def advise(row: Row, requirement: Expression, values: Mapping[str, Value], open_interval: bool) -> Advice:
    """Return the cheapest measurement that would decide a requirement which these figures do not."""
    missing = [name for name in requirement.names if not isinstance(values[name], Quantity | str)]
    if missing or not open_interval:
        return _measure(row, FIGURES[missing[0]].basis if missing else Basis.IDENTITY, missing)
    ways = [way for basis in (Basis.IMAGES, Basis.MACHINE) if (way := _narrow(row, requirement, values, (basis,)))]
    if not ways:
        both = _narrow(row, requirement, values, (Basis.IMAGES, Basis.MACHINE))
        ways = [both] if both else []
    if not ways:
        return Advice("no practical measurement would decide it: move the limit or the choice", "", None)
    return min(ways, key=lambda way: way.times or math.inf)


def growth(distance: float) -> float:
    """Return how many times as many samples decide, where the limit lies `distance` half-widths from the value.

    With a half-width of one, a standard error of 1 / z: after m times the samples the value has moved by a normal
    variable of variance (1 - 1 / m) / z^2 and the half-width is 1 / sqrt(m).
    """

    def decided(times: float) -> float:
        spread, reach = math.sqrt(1 - 1 / times) / Z, 1 / math.sqrt(times)
        return float(1 - ndtr((reach - distance) / spread) + ndtr((-reach - distance) / spread))

    low, high = 1.0001, MOST
    if decided(high) < POSSIBLE:
        return math.inf
    for _ in range(60):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if decided(middle) >= POSSIBLE else (middle, high)
    return high


def _narrow(row: Row, requirement: Expression, values: Mapping[str, Value], bases: tuple[Basis, ...]) -> Advice | None:
    """Return what narrowing the intervals of some figures takes; None where that alone does not decide."""
    named = [name for name in requirement.names if name in FIGURES and FIGURES[name].basis in bases]
    if not named or _decided(requirement, values, named, 0.0) is None:
        distance = 0.0 if named and _open_at_last(requirement, values, named) else None
    else:
        low, high = 0.0, 1.0
        for _ in range(50):
            middle = (low + high) / 2
            low, high = (middle, high) if _decided(requirement, values, named, middle) else (low, middle)
        distance = low
    if distance is None:
        return None
    times = growth(distance)
    if not math.isfinite(times):
        return None
    return _in_words(row, bases, times)


def _decided(requirement: Expression, values: Mapping[str, Value], names: list[str], share: float) -> str | None:
    """Return the decision with the intervals of `names` shrunk to `share` of their width, None while it is open."""
    shrunk = dict(values)
    for name in names:
        value = values[name]
        if isinstance(value, Quantity):
            low, high = (
                value.value - share * (value.value - value.low),
                value.value + share * (value.high - value.value),
            )
            shrunk[name] = Quantity(value.value, low, high)
    decision = requirement.decide(shrunk)
    return decision if decision in (TRUE, FALSE) else None


def _open_at_last(requirement: Expression, values: Mapping[str, Value], names: list[str]) -> bool:
    """Whether it is open even with no interval at all: the value stands on the limit, or other figures are open."""
    rest = [name for name in requirement.names if name not in names]
    return _decided(requirement, values, [*names, *rest], 0.0) is None


def _in_words(row: Row, bases: tuple[Basis, ...], times: float) -> Advice:
    words, options = [], []
    if Basis.IMAGES in bases and row.images:
        more = two_digits((times - 1) * row.images)
        words.append(f"about {more:,} more images")
        options.append("--data MORE_IMAGES")
    if Basis.MACHINE in bases:
        processes = max(2, math.ceil((times - 1) * (row.processes or 1)))
        words.append(f"{processes} more processes on a quiet machine")
        options.append(
            f"--processes {(row.processes or 1) + processes} --max-processes {(row.processes or 1) + processes}"
        )
    return Advice(" and ".join(words), f"edgebench profile {_artifact(row)} {' '.join(options)}", times)


def _measure(row: Row, basis: Basis, missing: list[str]) -> Advice:
    what = f"measure {', '.join(missing)}" if missing else "measure it again"
    if basis is Basis.IMAGES:
        return Advice(f"{what}: give it labelled images", f"edgebench profile {_artifact(row)} --data IMAGES", None)
    if row.emulated:
        return Advice(f"{what} on a real device", f"edgebench profile {_artifact(row)} --device NAME", None)
    more = "--min-runs 1000 --max-seconds 60" if missing and missing[0].startswith("latency_ms_p") else ""
    return Advice(what, f"edgebench profile {_artifact(row)} {more}".rstrip(), None)


def _artifact(row: Row) -> str:
    return row.of.result.artifact.path or "ARTIFACT"
