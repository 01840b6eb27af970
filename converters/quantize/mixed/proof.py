"""The proof that a drop lies below a limit, on images that the search never saw.

Candidates are tested from the one with most in float to the one with least, and the last that passes before the first
that fails is taken: a fixed sequence, which keeps the chance of ANY false promise below 5 % without a correction for
their number (A. N. Angelopoulos et al., "Learn then test", 2021, section 3).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import beta

from edgebench.converters.quantize.mixed.bench import Candidate
from edgebench.measures.significance import paired_interval

UPPER = 0.975
MOST_IMAGES = 1_000_000
Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64] | None


@dataclass(frozen=True)
class Changed:
    """On how many of `images` a candidate changed what the float graph says.

    `lost` only the float graph has right, `won` only the candidate; without labels every other class counts as lost.
    """

    lost: int
    won: int
    images: int
    labelled: bool

    @property
    def share(self) -> float:
        """The drop of top-1; without labels, the share of disagreement."""
        return (self.lost - self.won) / self.images

    @property
    def bound(self) -> float:
        """The upper end of the 95 % interval: Bonett and Price's paired one; without labels, Clopper and Pearson's."""
        return upper_end(self.lost, self.won, self.images, self.labelled)

    def images_for(self, limit: float) -> int | None:
        """Return how many images would prove `limit` if these shares stay as they are; None where none would."""
        return _least(lambda n: self._scaled(n) <= limit) if self.share < limit else None

    def _scaled(self, images: int) -> float:
        lost, won = (round(count / self.images * images) for count in (self.lost, self.won))
        return upper_end(lost, won, images, self.labelled)


def changed(outputs: Floats, reference: Floats, labels: Labels) -> Changed:
    """Count the images on which `outputs` say something else than `reference`, both (n, classes)."""
    chosen, expected = outputs.argmax(axis=1), reference.argmax(axis=1)
    if labels is None:
        return Changed(int(np.sum(chosen != expected)), 0, len(chosen), labelled=False)
    lost = int(np.sum((expected == labels) & (chosen != labels)))
    won = int(np.sum((expected != labels) & (chosen == labels)))
    return Changed(lost, won, len(chosen), labelled=True)


def expected_bound(disagreement: float, images: int, labelled: bool) -> float:
    """Return the bound that a share of disagreement makes likely; of labelled images half are lost, half won."""
    count = round(disagreement * images)
    return upper_end(count - count // 2, count // 2, images, True) if labelled else upper_end(count, 0, images, False)


def images_needed(limit: float, labelled: bool) -> int:
    """Return how many images prove `limit` where not one of them changes."""
    return _least(lambda n: upper_end(0, 0, n, labelled) <= limit) or MOST_IMAGES


def prove(
    sequence: Iterable[Candidate],
    outputs: Callable[[Candidate], Floats | None],
    reference: Floats,
    labels: Labels,
    limit: float,
) -> tuple[Candidate | None, dict[Candidate, Changed]]:
    """Return the last of `sequence` that passes before the first that fails, and what was found of each tested."""
    best: Candidate | None = None
    tested: dict[Candidate, Changed] = {}
    for candidate in sequence:
        found = outputs(candidate)
        if found is None:
            break
        tested[candidate] = changed(found, reference, labels)
        if tested[candidate].bound > limit:
            break
        best = candidate
    return best, tested


def upper_end(lost: int, won: int, images: int, labelled: bool) -> float:
    """Return `Changed.bound` of these counts."""
    if labelled:
        return paired_interval(lost, won, images)[1]
    differ = lost + won
    return 1.0 if differ == images else float(beta.ppf(UPPER, differ + 1, images - differ))


def _least(holds: Callable[[int], bool]) -> int | None:
    """Return the smallest number from which on a condition that more images only help holds."""
    high = 1
    while not holds(high):
        high *= 2
        if high > MOST_IMAGES:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
