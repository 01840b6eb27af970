"""Model against model on the same images, and which of several nobody beats in everything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from edgebench.measures.outputs import Bits
from edgebench.measures.per_class import precision_distance
from edgebench.measures.robustness import Shift, paired_shift
from edgebench.measures.significance import LEVEL, compare_bits, holm, p_change
from edgebench.records import ClassCounts


@dataclass(frozen=True)
class Answered:
    """What one model said: which images it has right, and its counts of each class."""

    name: str
    right: Bits
    classes: ClassCounts | None = None


@dataclass(frozen=True)
class ModelPair:
    """Two models on the same images. `advantage` is the accuracy of `first` less that of `second`."""

    first: str
    second: str
    advantage: Shift
    p: float  # adjusted over all pairs by Holm's procedure
    precision_distance: float | None  # mean absolute difference of the precision per class

    @property
    def words(self) -> str:
        """Say which is more accurate, or that they are not told apart."""
        if self.p > LEVEL:
            return f"{self.first} and {self.second}: not told apart"
        better, worse = (self.first, self.second) if self.advantage.value > 0 else (self.second, self.first)
        return f"{better} is more accurate than {worse}"


def model_pairs(models: Sequence[Answered]) -> list[ModelPair]:
    """Compare every pair of models that answered the same images."""
    couples = list(combinations(models, 2))
    if not couples:
        return []
    counts = [compare_bits(one.right, other.right) for one, other in couples]
    adjusted = holm([p_change(count.lost, count.won, count.images) for count in counts])
    return [
        ModelPair(
            one.name,
            other.name,
            paired_shift(one.right, other.right),
            float(p),
            precision_distance(one.classes, other.classes) if one.classes and other.classes else None,
        )
        for (one, other), p in zip(couples, adjusted, strict=True)
    ]


def pareto(costs: Mapping[str, Sequence[float]]) -> tuple[str, ...]:
    """Return the names that no other one equals or beats in every cost and beats in one; less is better."""
    front: list[tuple[float, ...]] = []
    for own in sorted({tuple(cost) for cost in costs.values()}):  # who beats another comes before it
        if not any(all(b <= a for a, b in zip(own, other, strict=True)) for other in front):
            front.append(own)
    best = set(front)
    return tuple(name for name, cost in costs.items() if tuple(cost) in best)
