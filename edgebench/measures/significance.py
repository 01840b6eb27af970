"""Is a drop real? Intervals of paired shares, their words, and what would decide the undecided ones.

Two answers to the same images are compared by the images on which they differ: `lost` only the first has right, `won`
only the second. The drop is `(lost - won) / n`. Arguments may be arrays of any one shape; what comes back has it.

Every word of one report is a claim, and twenty claims at 5 % are wrong too often: the p-values behind the words are
adjusted over the cells of a report by Holm's procedure (S. Holm, Scand. J. Stat. 6, 1979), once for the claims of a
change and once for the claims of none. The figure and its interval stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

from edgebench.measures.outputs import Bits

MARGIN = 0.01
"""A drop below this is not worth telling apart from none: one image in a hundred."""
LEVEL = 0.05
"""Of all claims of one report together; each interval holds its truth with 1 - LEVEL."""
POWER = 0.83
"""How often a drop of the size that images are said to show is found: four times in five, and room for the estimate."""
POSSIBLE = 0.5
"""How often the number of images that is said to decide does decide."""
MOST_IMAGES = 10_000_000
"""Nobody collects more; beyond it nothing is said."""
REAL_DROP, REAL_GAIN, NO_DROP, UNDECIDED = "real drop", "real gain", "no drop above margin", "undecided"

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Paired:
    """What two answers to the same images say: counts and number of images."""

    lost: int
    won: int
    images: int


@dataclass(frozen=True)
class Verdict:
    """Whether a drop is real. `word` is one of the four constants above; empty where nothing was compared.

    `more_images` would decide it if the shares stay as they are, `smallest_drop` is what these images show four times
    in five; both are None where there is nothing to say. `cells` is how many cells the word was adjusted over.
    """

    word: str = ""
    margin: float = MARGIN
    high: float = 0.0
    images: int = 0
    more_images: int | None = None
    smallest_drop: float | None = None
    cells: int = 1

    @property
    def short(self) -> str:
        """The word, with the margin in place of its name."""
        return f"no drop above {self.margin * 100:g}%" if self.word == NO_DROP else self.word

    @property
    def advice(self) -> str:
        """What would decide it; empty where it is decided."""
        if self.word != UNDECIDED:
            return ""
        if self.more_images is None:
            return "no practical number of images would decide it"
        return f"about {self.more_images:,} more images would decide it"


def paired_bounds(
    lost: npt.ArrayLike, won: npt.ArrayLike, n: npt.ArrayLike, confidence: float = 1 - LEVEL
) -> tuple[Numbers, Numbers]:
    """Return the ends of the interval of `(lost - won) / n`.

    The adjusted Wald interval of D. G. Bonett and R. M. Price, "Adjusted Wald confidence interval for a difference
    of binomial proportions based on paired data", J. Educ. Behav. Stat. 37 (2012): add one to both discordant counts.
    """
    difference, error = _adjusted(lost, won, n)
    reach = ndtri((1 + confidence) / 2) * error
    return np.maximum(-1.0, difference - reach), np.minimum(1.0, difference + reach)


def paired_interval(lost: int, won: int, n: int, confidence: float = 1 - LEVEL) -> tuple[float, float]:
    """Return the interval of one drop; see `paired_bounds`."""
    low, high = paired_bounds(lost, won, n, confidence)
    return float(low), float(high)


def p_change(lost: npt.ArrayLike, won: npt.ArrayLike, n: npt.ArrayLike) -> Numbers:
    """Return the two-sided p of no change: below 0.05 exactly where the 95 % interval leaves out zero."""
    difference, error = _adjusted(lost, won, n)
    return np.asarray(2 * ndtr(-np.abs(difference) / error))


def p_margin(lost: npt.ArrayLike, won: npt.ArrayLike, n: npt.ArrayLike, margin: float = MARGIN) -> Numbers:
    """Return the p of a drop of `margin` or more, doubled: below 0.05 where the 95 % interval ends below it."""
    difference, error = _adjusted(lost, won, n)
    return np.asarray(np.minimum(1.0, 2 * ndtr(-(margin - difference) / error)))


def holm(p: npt.ArrayLike) -> Numbers:
    """Adjust p-values over their last axis by Holm's step-down procedure."""
    values = np.asarray(p, np.float64)
    count = values.shape[-1]
    order = np.argsort(values, axis=-1, kind="stable")
    stepped = np.take_along_axis(values, order, -1) * (count - np.arange(count))
    adjusted = np.minimum(np.maximum.accumulate(stepped, axis=-1), 1.0)
    found = np.empty_like(adjusted)
    np.put_along_axis(found, order, adjusted, -1)
    return found


def words(lost: npt.ArrayLike, won: npt.ArrayLike, n: npt.ArrayLike, margin: float = MARGIN) -> npt.NDArray[np.str_]:
    """Return the word of every cell; the last axis is the cells of one report."""
    change, enough = holm(p_change(lost, won, n)), holm(p_margin(lost, won, n, margin))
    drop = np.asarray(lost) > np.asarray(won)
    return np.select(
        [(change <= LEVEL) & drop, (change <= LEVEL) & ~drop, enough <= LEVEL],
        [REAL_DROP, REAL_GAIN, NO_DROP],
        UNDECIDED,
    )


def smallest_drop(discordant: npt.ArrayLike, n: npt.ArrayLike, cells: int = 1) -> Numbers:
    """Return the smallest true drop that would be called real in four reports of five, on as many images.

    The images that differ now, and one more, are taken for those that differ anyhow, and the drop comes on top: from
    `drop = z_level * s + z_power * s`, `s^2 = (differing + drop - drop^2) / n`, at Holm's first and hardest step.
    """
    images = np.asarray(n, np.float64)
    base = (np.asarray(discordant, np.float64) + 1) / images
    level, power = ndtri(1 - LEVEL / (2 * cells)), ndtri(POWER)
    drop = np.sqrt(base / images) * (level + power)
    for _ in range(60):
        spread = base + drop
        drop = level * np.sqrt((spread + 2 / images) / images) + power * np.sqrt(
            np.maximum(spread - drop**2, 0) / images
        )
        drop = np.minimum(drop, 1.0)
    return np.asarray(drop)


def more_images(
    lost: npt.ArrayLike, won: npt.ArrayLike, n: npt.ArrayLike, margin: float = MARGIN, cells: npt.ArrayLike = 1
) -> Numbers:
    """Return the number of further images after which an undecided cell is decided in one case of two.

    Decided is what leaves out zero or ends below the margin. The drop is thought to lie where these images put it,
    drawn towards zero as drops are mostly of the margin's size (a normal prior of that width); the spread stays. Never
    more than it takes for an interval as wide as the margin, which is always one or the other.
    """
    images = np.asarray(n, np.float64)
    difference, error = _adjusted(lost, won, n)
    variance = error**2 * (images + 2)
    z = ndtri(1 - LEVEL / (2 * np.asarray(cells, np.float64)))
    weight = margin**2 / (margin**2 + variance / images)
    low, high = np.zeros_like(variance), np.log(np.maximum((2 * z / margin) ** 2 * variance - images, 2.0))
    for _ in range(40):
        middle = (low + high) / 2
        more = np.exp(middle)
        total = images + more
        reach = z * np.sqrt(variance / total)
        centre = (images * difference + more * weight * difference) / total
        spread = more / total * np.sqrt(weight * variance / images + variance / more)
        between = ndtr((reach - centre) / spread) - ndtr((margin - reach - centre) / spread)
        open_still = np.where(2 * reach > margin, between, 0.0) > 1 - POSSIBLE
        low, high = np.where(open_still, middle, low), np.where(open_still, high, middle)
    return np.asarray(np.exp(high))


def verdicts(cells: Sequence[Paired], margin: float = MARGIN, together: bool = True) -> list[Verdict]:
    """Judge the cells of one report together, or each for itself, in the order given."""
    if not cells:
        return []
    lost, won, n = (np.array([getattr(cell, name) for cell in cells]) for name in ("lost", "won", "images"))
    high = paired_bounds(lost, won, n)[1]
    rank = np.argsort(np.argsort(np.minimum(p_change(lost, won, n), p_margin(lost, won, n, margin))))
    at_stake = len(cells) - rank if together else np.ones(len(cells))
    family = len(cells) if together else 1
    more = more_images(lost, won, n, margin, at_stake)
    least = smallest_drop(lost + won, n, family)
    said = words(lost, won, n, margin) if together else words(lost[:, None], won[:, None], n[:, None], margin)[:, 0]
    found = []
    for at, word in enumerate(said):
        needed = two_digits(more[at]) if word == UNDECIDED and more[at] <= MOST_IMAGES else None
        found.append(Verdict(str(word), margin, float(high[at]), int(n[at]), needed, float(least[at]), family))
    return found


def two_digits(value: float) -> int:
    """Round up to two significant digits."""
    step = 10 ** max(0, len(str(int(value))) - 2)
    return int(-(-value // step) * step)


def compare_bits(first: Bits, second: Bits) -> Paired:
    """Count the images that only one of two answers has right; both are (images,) of the same images."""
    return Paired(int((first & ~second).sum()), int((~first & second).sum()), len(first))


def scores_interval(scores: npt.NDArray[Any], confidence: float = 1 - LEVEL) -> tuple[float, float, float]:
    """Return the mean of whole-numbered scores, one an image, with its interval.

    The paired interval's adjustment, for scores that go beyond -1..1: one score of +1 and one of -1 are added.
    """
    n = len(scores)
    values = scores.astype(np.float64)
    centre = values.sum() / (n + 2)
    error = np.sqrt(((values**2).sum() + 2) / (n + 2) - centre**2) / np.sqrt(n + 2)
    reach = float(ndtri((1 + confidence) / 2) * error)
    return float(values.mean()), float(centre - reach), float(centre + reach)


def _adjusted(lost: npt.ArrayLike, won: npt.ArrayLike, n: npt.ArrayLike) -> tuple[Numbers, Numbers]:
    """Return the adjusted difference and its standard error."""
    images = np.asarray(n, np.float64) + 2
    p_lost, p_won = (np.asarray(lost, np.float64) + 1) / images, (np.asarray(won, np.float64) + 1) / images
    difference = p_lost - p_won
    return np.asarray(difference), np.asarray(np.sqrt((p_lost + p_won - difference**2) / images))
