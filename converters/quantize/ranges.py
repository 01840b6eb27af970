"""What a tensor's values were over the calibration inputs, and the range to quantise it in: four ways, both formats.

Extremes are exact; the rest is judged on a sample of each tensor's values, the same places in every image.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

SAMPLE = 1024
"""Values kept of a tensor an image: 100 images of 150 tensors are 60 MB."""

EXTREMES = "minimum and maximum"
LEAST_ERROR = "mean squared error"
PERCENTILES = {"99.99th percentile": 99.99}
METHODS = (EXTREMES, LEAST_ERROR, *PERCENTILES)
GRID = np.linspace(0.05, 1.0, 39)

Range = tuple[float, float]


@dataclass
class Observed:
    """One tensor over several inputs."""

    samples: list[npt.NDArray[np.float32]] = field(default_factory=list)
    lows: npt.NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    """The smallest value of each channel."""
    highs: npt.NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))
    channels: list[npt.NDArray[np.int64]] = field(default_factory=list)
    """The channel that each value of `samples` is of."""

    @property
    def low(self) -> float:
        """The smallest value."""
        return float(self.lows.min())

    @property
    def high(self) -> float:
        """The largest value."""
        return float(self.highs.max())

    @property
    def peaks(self) -> npt.NDArray[np.float32]:
        """The largest magnitude of each channel."""
        return np.maximum(np.abs(self.lows), np.abs(self.highs))

    def add(self, values: npt.NDArray[np.float32], axis: int = -1) -> None:
        """Take in the tensor's values on one more input; `axis` is that of its channels."""
        rows = np.moveaxis(values, axis, -1)
        rows = rows.reshape(-1, rows.shape[-1] if rows.ndim else 1)
        lows, highs = rows.min(axis=0), rows.max(axis=0)
        self.lows = np.minimum(self.lows, lows) if len(self.lows) else lows
        self.highs = np.maximum(self.highs, highs) if len(self.highs) else highs
        flat = rows.reshape(-1)
        places = _places(flat.size) if flat.size > SAMPLE else np.arange(flat.size)
        self.samples.append(flat[places])
        self.channels.append(places % rows.shape[-1])

    def scaled(self, factors: npt.NDArray[np.float32]) -> Observed:
        """Return what would have been observed of channels that are so many times as loud."""
        samples = [values * factors[channels] for values, channels in zip(self.samples, self.channels, strict=True)]
        return Observed(samples, self.lows * factors, self.highs * factors, self.channels)

    def range(self, method: str = EXTREMES, levels: int = 256) -> Range:
        """Return (low, high) to quantise in, zero included, by one of METHODS."""
        low, high = min(self.low, 0.0), max(self.high, 0.0)
        if method == EXTREMES or high <= low:
            return low, high
        values = np.sort(np.concatenate(self.samples)).astype(np.float64)
        if method == LEAST_ERROR:
            return _least_error(values, low, high, levels)
        share = PERCENTILES[method]
        bottom, top = np.percentile(values, [100 - share, share])
        return (min(0.0, float(bottom)), max(0.0, float(top))) if top > bottom else (low, high)


@functools.cache
def _places(size: int) -> npt.NDArray[np.int64]:
    """Seeded places: a stride would meet the same channel at every step."""
    return np.random.default_rng(size).integers(0, size, SAMPLE)


def _least_error(values: npt.NDArray[np.float64], low: float, high: float, levels: int) -> Range:
    """Return the range of least squared error: step^2 / 12 for what is inside, the clipped distance for what is not.

    `values` are sorted. Zeros cost nothing inside, as zero is always on the grid.
    """
    sums, squares = np.append(0, np.cumsum(values)), np.append(0, np.cumsum(values**2))
    total, zeros = len(values), int(np.sum(values == 0))
    lows, highs = low * GRID, high * GRID
    below, above = np.searchsorted(values, lows), np.searchsorted(values, highs, side="right")
    cut_low = squares[below] - 2 * lows * sums[below] + below * lows**2
    over = total - above
    cut_high = (squares[-1] - squares[above]) - 2 * highs * (sums[-1] - sums[above]) + over * highs**2
    step = (highs[None, :] - lows[:, None]) / (levels - 1)
    inside = np.maximum(total - zeros - below[:, None] - over[None, :], 0)
    error = inside * step**2 / 12 + cut_low[:, None] + cut_high[None, :]
    if low == 0:
        error = error[:1]
    row, column = np.unravel_index(int(np.argmin(error)), error.shape)
    bottom, top = (0.0 if low == 0 else float(lows[row])), float(highs[column] if high > 0 else 0.0)
    return (bottom, top) if top > bottom else (low, high)
