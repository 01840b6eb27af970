"""What quantisation does to one layer's output: sums over images while they pass, and the figures made of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
SAMPLED = 2048
"""Values of one image kept for quantiles, evenly spaced over the tensor."""
SILENT = 1e-6
"""A channel with less of the energy of the loudest one says nothing: a class that is never chosen, a dead filter."""


@dataclass(frozen=True)
class Error:
    """How far a tensor is from the exact one: ratios in dB, `inf` where equal; `cosine` in -1..1.

    `channel_db` is the median over channels: where one channel sets the scale, the others drown while the ratio over
    the whole tensor, which that channel dominates, still looks fine.
    """

    sqnr_db: float
    channel_db: float
    cosine: float

    @property
    def worst_db(self) -> float:
        """The lower of the two ratios."""
        return min(self.sqnr_db, self.channel_db)


@dataclass(frozen=True)
class Range:
    """Which values the exact tensor takes, and which the quantised one can hold (equal where it is not quantised)."""

    low: float
    high: float
    typical: float  # 99.9 % of the absolute values lie below it
    holds_low: float
    holds_high: float
    clipped: float  # share of the exact values that it cannot hold
    loudest_channel: int
    loudest_ratio: float  # the largest absolute value of that channel over the median channel's

    @property
    def used(self) -> float:
        """Share of the range there is that the values use, 0..1."""
        there = self.holds_high - self.holds_low
        inside = min(self.high, self.holds_high) - max(self.low, self.holds_low)
        return max(0.0, inside / there) if there > 0 else 1.0


class ErrorSums:
    """Sums over images of one tensor's exact and quantised values; `axis` is that of its channels."""

    def __init__(self, axis: int) -> None:
        self._axis = axis
        self._sums: npt.NDArray[np.float64] | None = None  # rows: exact^2, error^2, exact * quantised, quantised^2

    def add(self, exact: Floats, found: Floats) -> None:
        """Add one image's values, of one shape."""
        a, b = by_channel(exact, self._axis), by_channel(found, self._axis)
        rows = np.stack([(a * a).sum(1), ((a - b) ** 2).sum(1), (a * b).sum(1), (b * b).sum(1)])
        self._sums = rows if self._sums is None else self._sums + rows

    def figures(self) -> Error | None:
        """Return the error over all images, None where nothing was added."""
        if self._sums is None:
            return None
        signal, noise, product, square = self._sums.sum(axis=1)
        heard = self._sums[0] > SILENT * self._sums[0].max()
        channels = [decibels(s, n) for s, n in zip(self._sums[0][heard], self._sums[1][heard], strict=True)]
        whole = decibels(signal, noise)
        return Error(
            sqnr_db=whole,
            channel_db=float(np.median(channels)) if channels else whole,
            cosine=float(product / math.sqrt(signal * square)) if signal * square > 0 else float(noise == 0),
        )


class RangeSums:
    """The values of one exact tensor over images, against what its quantised form can hold."""

    def __init__(self, axis: int, holds: tuple[float, float]) -> None:
        self._axis, self._holds = axis, holds
        self._low, self._high = math.inf, -math.inf
        self._clipped = self._count = 0
        self._samples: list[Floats] = []
        self._loudest: npt.NDArray[np.float64] | None = None

    def add(self, exact: Floats) -> None:
        """Add one image's values."""
        self._low, self._high = min(self._low, float(exact.min())), max(self._high, float(exact.max()))
        low, high = self._holds
        step = (high - low) / 512  # half of an 8-bit step beyond the end is rounding, not clipping
        self._clipped += int(np.count_nonzero((exact < low - step) | (exact > high + step)))
        self._count += exact.size
        flat = exact.reshape(-1)
        self._samples.append(np.abs(flat[:: max(1, flat.size // SAMPLED)]))
        loud = np.abs(by_channel(exact, self._axis)).max(axis=1)
        self._loudest = loud if self._loudest is None else np.maximum(self._loudest, loud)

    def figures(self) -> Range | None:
        """Return the range over all images, None where nothing was added."""
        if self._loudest is None:
            return None
        middle = float(np.median(self._loudest))
        low, high = self._holds if all(map(math.isfinite, self._holds)) else (self._low, self._high)
        return Range(
            low=self._low,
            high=self._high,
            typical=float(np.quantile(np.concatenate(self._samples), 0.999)),
            holds_low=low,
            holds_high=high,
            clipped=self._clipped / self._count,
            loudest_channel=int(self._loudest.argmax()),
            loudest_ratio=float(self._loudest.max()) / middle if middle > 0 else math.inf,
        )


def by_channel(values: Floats, axis: int) -> npt.NDArray[np.float64]:
    """Return values as (channels, the rest) in double precision."""
    if values.ndim < 2:
        return values.reshape(1, -1).astype(np.float64)
    moved = np.moveaxis(values, axis, 0)
    return moved.reshape(moved.shape[0], -1).astype(np.float64)


def decibels(signal: float, noise: float) -> float:
    """Return `10 log10(signal / noise)`: inf where there is no noise, -inf where there is nothing but noise."""
    if noise == 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal > 0 else -math.inf
