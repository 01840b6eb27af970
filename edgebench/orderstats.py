"""What order statistics can say about a median or a percentile, exactly and without a distribution.

This file also runs on devices: standard library only, Python 3.9 syntax at run time. The interval of a
quantile is two of the sorted samples, whose ranks follow from the binomial law alone (H. A. David and H. N.
Nagaraja, "Order Statistics", 3rd edition, section 7.1; W. J. Conover, "Practical Nonparametric Statistics",
section 3.2). It supposes independent samples of one distribution; where that fails (drift, a neighbour),
`edgebench.measures.stability` says so.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Optional, Sequence, Tuple  # noqa: UP035 (evaluated by Python 3.9)

Ranks = Tuple[int, int]  # noqa: UP006


def count_below(n: int, q: float, tail: float) -> int:
    """Return how many k in 0..n have P(X <= k) <= tail < 0.5, X binomial with n trials of probability q (0 < q < 1).

    Terms that together weigh less than 1e-15, eight standard deviations below the mean, are left out.
    """
    k = max(int(n * q - 8 * math.sqrt(n * q * (1 - q))), 0)
    log_mass = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    mass = math.exp(log_mass + k * math.log(q) + (n - k) * math.log1p(-q))
    odds, total = q / (1 - q), mass
    while k < n and total <= tail:
        k += 1
        mass *= (n - k + 1) / k * odds
        total += mass
    return k


@lru_cache(maxsize=4096)
def quantile_ranks(n: int, q: float, confidence: float = 0.95) -> Optional[Ranks]:
    """Return the 1-based ranks of the sorted samples that enclose quantile `q` with at least `confidence`.

    Equal tails, X binomial(n, q): the low rank l is the largest with P(X < l) <= (1 - confidence) / 2, the
    high rank u the smallest with P(X >= u) <= the same. None where n samples hold no such pair.
    """
    tail = (1.0 - confidence) / 2.0
    low = count_below(n, q, tail)
    high = n + 1 - count_below(n, 1 - q, tail)  # n - X is binomial(n, 1 - q)
    return (low, high) if low >= 1 and high <= n else None


def median_ranks(n: int, confidence: float = 0.95) -> Optional[Ranks]:
    """Return the 1-based ranks whose sorted samples enclose the median; None below 6 samples at 95 %."""
    return quantile_ranks(n, 0.5, confidence)


def percentile_supported(n: int, q: float, confidence: float = 0.95) -> bool:
    """Whether n samples carry quantile `q`: at 95 % the median needs 6, p90 36, p99 368, p99.9 3688."""
    return quantile_ranks(n, q, confidence) is not None


def median(samples: Sequence[float]) -> float:
    """Return the middle of the sorted samples, the mean of the middle two where their number is even."""
    ordered = sorted(samples)
    if not ordered:
        raise ValueError("the median of no samples")
    middle = len(ordered) // 2
    return float(ordered[middle]) if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2.0


def quantile(samples: Sequence[float], q: float) -> float:
    """Return the smallest sample that at least the share `q` (0 < q <= 1) of all samples does not exceed."""
    ordered = sorted(samples)
    if not ordered:
        raise ValueError("a quantile of no samples")
    return float(ordered[quantile_rank(len(ordered), q) - 1])


def quantile_rank(n: int, q: float) -> int:
    """Return the 1-based rank of the sorted sample that is quantile `q` (0 < q <= 1) of n samples."""
    return max(math.ceil(q * n), 1)


def relative_half_width(samples: Sequence[float], confidence: float = 0.95) -> Optional[float]:
    """Return how far the median's interval reaches, as a share of the median; None with too few samples."""
    ranks = median_ranks(len(samples), confidence)
    if ranks is None:
        return None
    ordered = sorted(samples)
    centre = median(ordered)
    reach = max(ordered[ranks[1] - 1] - centre, centre - ordered[ranks[0] - 1])
    return reach / centre if centre > 0 else None
