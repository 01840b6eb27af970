"""Which tensors int8 is likely to hurt most, from the float graph alone: no quantised graph is run for it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgebench.converters.quantize.ranges import Observed

STEPS = 255


def rank(units: Mapping[str, tuple[str, ...]], seen: Mapping[str, Observed], method: str) -> list[str]:
    """Return the tensors of `units`, the most endangered first.

    One step of the tensor's scale is one error for all its channels: what counts is how large it is beside each
    channel's own values. A channel that sets the scale leaves the others a few steps.
    """
    return sorted((name for name in units if name in seen), key=lambda name: -_noise(seen[name], method))


def _noise(observed: Observed, method: str) -> float:
    low, high = observed.range(method)
    peaks = observed.peaks[observed.peaks > 0]
    if not len(peaks) or high <= low:
        return 0.0
    step = (high - low) / STEPS
    return float(np.mean(np.minimum(step / peaks, 1.0)))
