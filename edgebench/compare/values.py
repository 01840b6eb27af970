"""What the names in a gate stand for: the figures of both sides with their intervals, and what changed."""

from __future__ import annotations

import dataclasses
import math

from edgebench.compare.accuracy import paired_answers
from edgebench.compare.pairs import Pair, unlike
from edgebench.expression import FALSE, TRUE, UNDECIDED, Quantity, Unmeasured, Value, exact
from edgebench.measures.difference import Difference, difference_interval
from edgebench.measures.significance import paired_interval
from edgebench.measures.stability import Stability
from edgebench.results.derived import Derived
from edgebench.results.figure import Basis, Figure
from edgebench.results.figures import FIGURES, Row
from edgebench.results.rows import to_row
from edgebench.results.values import value_of

WORDS = ("slower", "faster")
NAMES = frozenset(
    [*WORDS, *FIGURES]
    + [f"{name}_baseline" for name in FIGURES]
    + [f"{name}_{kind}" for name, figure in FIGURES.items() if figure.number for kind in ("ratio", "change")]
)


def values_of(cell: Pair) -> dict[str, Value]:
    """Return every name of `NAMES` for a cell whose candidate is there.

    What both sides are needed for is unmeasured where the figure's basis differs between them: times of two machines,
    accuracies on two sets of images. What depends on the artifact alone can always be compared.
    """
    assert cell.candidate is not None
    new, old = to_row(cell.candidate), to_row(cell.baseline) if cell.baseline else None
    values: dict[str, Value] = {}
    for figure in FIGURES.values():
        values |= _of_figure(figure, cell, new, old)
    return values | _latency_values(cell) | _paired_values(cell)


def _of_figure(figure: Figure, cell: Pair, new: Row, old: Row | None) -> dict[str, Value]:
    name, reason = figure.name, unlike(cell, figure.basis)
    value = value_of(figure, new)
    before: Value = Unmeasured("missing in the baseline") if old is None else value_of(figure, old)
    if reason:
        before = Unmeasured(reason)
    values: dict[str, Value] = {name: value, f"{name}_baseline": before}
    if figure.number:
        values[f"{name}_ratio"] = _together(_ratio, value, before)
        values[f"{name}_change"] = _together(_change, value, before)
    return values


def _paired_values(cell: Pair) -> dict[str, Value]:
    """What the same images say of the change of what is right, which is more than two intervals do."""
    counts = paired_answers(cell)
    if counts is None:
        return {}
    low, high = paired_interval(counts.lost, counts.won, counts.images)
    sets = cell.candidate is not None and cell.candidate.counts is not None and cell.candidate.counts.multi_label
    name = "subset_accuracy_change" if sets else "top1_change"
    return {name: Quantity((counts.won - counts.lost) / counts.images, -high, -low)}


def _latency_values(cell: Pair) -> dict[str, Value]:
    """What the processes of both sides say together, which is more than two intervals do."""
    difference = difference_of(cell)
    names = (*WORDS, "latency_ms_median_ratio", "images_per_second_ratio")
    if difference is None:
        reason = unlike(cell, Basis.MACHINE) or ("missing in the baseline" if cell.baseline is None else "not measured")
        return dict.fromkeys(names, Unmeasured(reason))
    if difference.ratio is None:
        return dict.fromkeys(names, Unmeasured(difference.reason))
    ratio = Quantity(difference.ratio.value, difference.ratio.low, difference.ratio.high)
    words: dict[str, Value] = {word: TRUE if difference.word == word else FALSE for word in WORDS}
    if difference.reason:
        words = dict.fromkeys(WORDS, UNDECIDED)
    rate: Value = Quantity(1 / ratio.value, 1 / ratio.high, 1 / ratio.low)
    assert cell.candidate is not None
    if cell.candidate.result.settings.rate_hz:
        rate = Unmeasured("images_per_second is empty")
    return {"latency_ms_median_ratio": ratio, "images_per_second_ratio": rate, **words}


def difference_of(cell: Pair) -> Difference | None:
    """Return how the latency changed, None where it cannot be said.

    Where a machine was noisy and the two were not measured in turn, its noise may be all there is between them: the
    interval is stretched to hold 1.
    """
    if not cell.complete or unlike(cell, Basis.MACHINE):
        return None
    assert cell.baseline is not None and cell.candidate is not None
    found = difference_interval(cell.baseline.result.runs, cell.candidate.result.runs)
    if found.ratio is None or found.paired or not (_noisy(cell.baseline) or _noisy(cell.candidate)):
        return found
    stretched = dataclasses.replace(found.ratio, low=min(found.ratio.low, 1.0), high=max(found.ratio.high, 1.0))
    return dataclasses.replace(found, ratio=stretched, reason="noisy, and not measured in turn")


def _noisy(side: Derived) -> bool:
    return side.stability is not None and side.stability.word is Stability.NOISY


def _together(function: object, new: Value, old: Value) -> Value:
    assert callable(function)
    for side in (new, old):
        if isinstance(side, Unmeasured):
            return side
    made: Value = function(new, old)
    return made


def _ratio(new: Quantity, old: Quantity) -> Value:
    """New / old: the method below on logarithms (G. Y. Zou and A. Donner, Statistics in Medicine 27, 2008)."""
    if not old.value:
        return Unmeasured("the baseline is zero")
    ratio = new.value / old.value
    if min(new.low, old.low) <= 0:  # no logarithm: exact where both are, else as far as it can reach
        if (new.low, old.low) == (new.high, old.high):
            return exact(ratio)
        return Unmeasured("an interval that holds zero has no ratio")
    below = math.hypot(math.log(new.value / new.low), math.log(old.high / old.value))
    above = math.hypot(math.log(new.high / new.value), math.log(old.value / old.low))
    return Quantity(ratio, ratio * math.exp(-below), ratio * math.exp(above))


def _change(new: Quantity, old: Quantity) -> Value:
    """New - old, each side's reach combined as if they were independent.

    For shares that is method 10 of R. G. Newcombe, Statistics in Medicine 17 (1998): wider than the truth where
    both saw the same images, never narrower.
    """
    change = new.value - old.value
    below = math.hypot(new.value - new.low, old.high - old.value)
    above = math.hypot(new.high - new.value, old.value - old.low)
    return Quantity(change, change - below, change + above)
