"""Samples sorted once, and what order statistics say of them. For the host: the runner has `edgebench.orderstats`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from edgebench import orderstats


class Sorted:
    """Samples (n,) in ascending order; every figure is what `edgebench.orderstats` gives for the same samples."""

    def __init__(self, samples: Sequence[float] | npt.NDArray[np.int64]) -> None:
        self.values = np.sort(np.asarray(samples))

    def __len__(self) -> int:
        return len(self.values)

    def median(self) -> float:
        """Return the middle sample, the mean of the middle two where their number is even."""
        n = len(self.values)
        if n == 0:
            raise ValueError("the median of no samples")
        return float(self.values[(n - 1) // 2].item() + self.values[n // 2].item()) / 2.0

    def quantile(self, q: float) -> float:
        """Return the smallest sample that at least the share `q` of all samples does not exceed."""
        return float(self.values[orderstats.quantile_rank(len(self.values), q) - 1])

    def percentile(self, q: float, confidence: float = 0.95) -> float | None:
        """Return quantile `q`, None where too few samples enclose it."""
        return self.quantile(q) if orderstats.percentile_supported(len(self.values), q, confidence) else None

    def interval(self, confidence: float = 0.95) -> tuple[float, float] | None:
        """Return the order-statistic interval of the median; None with too few samples."""
        ranks = orderstats.median_ranks(len(self.values), confidence)
        return None if ranks is None else (float(self.values[ranks[0] - 1]), float(self.values[ranks[1] - 1]))


def pool(groups: Iterable[Sorted]) -> Sorted:
    """Return the samples of all groups together."""
    return Sorted(np.concatenate([group.values for group in groups]))
