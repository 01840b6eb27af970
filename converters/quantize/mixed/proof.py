"""The proof that a drop lies below a limit, on images that the search never saw.

Candidates are tested from the one with most in float to the one with least, and the last that passes before the first
that fails is taken: a fixed sequence, which keeps the chance of ANY false promise below 5 % without a correction for
their number (A. N. Angelopoulos et al., "Learn then test", 2021, section 3).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import beta

from edgebench.measures.significance import paired_interval

UPPER = 0.975


def upper_bound(
    outputs: npt.NDArray[np.float32], reference: npt.NDArray[np.float32], labels: npt.NDArray[np.int64] | None
) -> float:
    """Return the upper end of the 95 % interval of the drop of top-1; without labels, of the share of disagreement.

    The drop's interval is the paired one (Bonett and Price), that of disagreement Clopper and Pearson's.
    """
    chosen, expected = outputs.argmax(axis=1), reference.argmax(axis=1)
    if labels is None:
        return _bound(int(np.sum(chosen != expected)), 0, len(chosen), labelled=False)
    lost = int(np.sum((expected == labels) & (chosen != labels)))
    won = int(np.sum((expected != labels) & (chosen == labels)))
    return _bound(lost, won, len(chosen), labelled=True)


def images_needed(limit: float, labelled: bool) -> int:
    """Return how many images prove `limit` where not one of them changes."""
    count = 1
    while _bound(0, 0, count, labelled) > limit:
        count += 1
    return count


def _bound(lost: int, won: int, count: int, labelled: bool) -> float:
    if labelled:
        return paired_interval(lost, won, count)[1]
    differ = lost + won
    return 1.0 if differ == count else float(beta.ppf(UPPER, differ + 1, count - differ))
