"""int8 -> the candidates of `mixed`: the worst layers one by one, then blocks, bisection, and what was not needed.

Layers are taken in the order of what rounding each of them alone costs the logits. Where three are not enough, blocks
of three times as many each; between the last block that was too small and the first that was not, bisection. Where few
were enough, those that turn out not to be needed go back to integers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from edgebench.converters.quantize.mixed.bench import Candidate
from edgebench.converters.quantize.plans import Plan
from edgebench.errors import ConversionError

STEPS = 3
"""Layers taken one by one before blocks are."""
GROWTH = 3
SAFETY = 3
"""Layers more than the chosen candidate's that the proof begins with."""


class Judge(Protocol):
    """What a search asks of a bench."""

    @property
    def left(self) -> int:
        """How many candidates may still be judged."""

    def judge(self, plan: Plan, tensors: tuple[str, ...]) -> Candidate | None:
        """Judge a candidate; None where it cannot be made or run."""

    def adds(self, tensors: tuple[str, ...], name: str) -> bool:
        """Tell whether a further tensor would put any further operator in float."""

    def rank(self, candidate: Candidate) -> list[str]:
        """Return tensors, the most endangered first."""

    def latency(self, candidate: Candidate, other: Candidate) -> float | None:
        """Return a candidate's latency as a share of another's."""


@dataclass(frozen=True)
class Found:
    """What a search found. `safer` are the tensors of a candidate that the proof may begin with."""

    curve: tuple[Candidate, ...]  # all that were judged, the least in float first
    chosen: Candidate | None  # the least in float that was good enough
    safer: tuple[str, ...]


def search(bench: Judge, plans: Sequence[Plan], enough: Callable[[Candidate], bool]) -> Found:
    """Return the candidates between int8 and the least in float that is good enough.

    Raises ConversionError where no int8 graph can be made and run.
    """
    starts = [made for plan in plans if (made := bench.judge(plan, ())) is not None]
    if not starts:
        raise ConversionError("the int8 graph cannot be made or run")
    start = max(starts, key=lambda made: made.sqnr_db)
    order = bench.rank(start)
    walk = _Walk(bench, start, order, enough)
    chosen = start if enough(start) else walk.forward() or walk.blocks()
    best = chosen or max(walk.judged, key=lambda made: made.sqnr_db)
    more = [name for name in order if name not in best.tensors][:SAFETY]
    curve = sorted(walk.judged, key=lambda made: (len(made.tensors), made.sqnr_db))
    return Found(tuple(curve), chosen, (*best.tensors, *more))


class _Walk:
    """One search, from the int8 graph on."""

    def __init__(self, bench: Judge, start: Candidate, order: list[str], enough: Callable[[Candidate], bool]) -> None:
        self._bench, self._plan, self._order, self._enough = bench, start.plan, order, enough
        self.judged = [start]

    def forward(self) -> Candidate | None:
        """Take the worst layers one by one; return the first good enough without what it does not need."""
        taken: tuple[str, ...] = ()
        for name in self._order:
            if len(taken) == STEPS or self._bench.left <= 0:
                break
            if not self._bench.adds(taken, name):
                continue  # its operators are in float already
            made = self._judge((*taken, name))
            if made is None:
                continue  # with this one the graph cannot be made: the next
            taken = made.tensors
            if self._enough(made):
                return self._backward(made)
        return None

    def blocks(self) -> Candidate | None:
        """Take ever more of the worst layers at once until it is enough, then bisect; None where it never was."""
        low = min(STEPS, len(self._order))
        for high in _sizes(len(self._order)):
            made = self._judge(tuple(self._order[:high]))
            if made is not None and self._enough(made):
                return self._bisect(low, high, made)
            low = high
        return None

    def _bisect(self, low: int, high: int, best: Candidate) -> Candidate:
        while high - low > 1 and self._bench.left > 0:
            middle = (low + high) // 2
            made = self._judge(tuple(self._order[:middle]))
            if made is not None and self._enough(made):
                high, best = middle, made
            else:
                low = middle
        return best

    def _backward(self, best: Candidate) -> Candidate:
        """Give back to integers what is not needed: without the last layer it was not enough, so that one stays."""
        last = best.tensors[-1]
        while len(best.tensors) > 1:
            trials = [tuple(t for t in best.tensors if t != name) for name in best.tensors if name != last]
            found = [made for trial in trials if (made := self._judge(trial)) is not None and self._enough(made)]
            if not found:
                return best
            best = self._fastest(found)
        return best

    def _fastest(self, ties: list[Candidate]) -> Candidate:
        """Return the one of equally many layers that runs fastest here; the first where that cannot be measured."""
        ratios = [self._bench.latency(made, ties[0]) or 1.0 for made in ties[1:]]
        return min(zip([1.0, *ratios], ties, strict=True), key=lambda pair: pair[0])[1]

    def _judge(self, tensors: tuple[str, ...]) -> Candidate | None:
        if self._bench.left <= 0:
            return None
        made = self._bench.judge(self._plan, tensors)
        if made is not None:
            self.judged.append(made)
        return made


def _sizes(layers: int) -> list[int]:
    """Return the sizes of blocks below all layers: three times the last each, and three quarters of them at the end."""
    sizes, size = [], STEPS * GROWTH
    while size < layers:
        sizes.append(size)
        size *= GROWTH
    most = layers * 3 // 4
    return [*sizes, most] if most > max([STEPS, *sizes]) else sizes
