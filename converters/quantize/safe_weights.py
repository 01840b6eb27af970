"""int8 weights whose products no processor saturates, with as many of the 8 bits as that leaves.

x86 processors without VNNI multiply unsigned activations (0..255) by signed weights and add NEIGHBOURING pairs of
products in 16 bits that saturate: 255 (w0 + w1) must stay within -32768..32767, so two neighbours of one sign may sum
to 128 at most. Neighbours are consecutive inputs of one output: channels of a pixel, in the order kernel row, kernel
column, channel; depthwise kernels add in 32 bits. (Tried with onnxruntime's own kernels on an emulated Haswell.)
Seven bits for all weights (`reduce_range`) hold the same promise and lose one bit of every weight for it.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

PAIR = 128
MOST = 127
STEPS = 17

REMEMBERED = 1000
"""Layers whose integers are kept: a quarter of a model's size."""

Real = npt.NDArray[np.float64]
_known: dict[tuple[str, tuple[int, ...], bool], tuple[npt.NDArray[np.int8], Real]] = {}


def quantise_channels(rows: npt.NDArray[np.float32], safe: bool = True) -> tuple[npt.NDArray[np.int8], Real]:
    """Return integers and scales for `rows` (output channels, inputs in the kernel's order): row = integer * scale.

    With `safe` no two neighbours saturate; each channel's scale is the one of least squared error under that rule. The
    search for it is remembered: every trial of other ranges wants the same weights.
    """
    key = hashlib.sha256(rows.tobytes()).hexdigest(), rows.shape, safe
    if key not in _known:
        _known[key] = _quantise(rows, safe)
        if len(_known) > REMEMBERED:
            del _known[next(iter(_known))]
    integers, scales = _known[key]
    return integers.copy(), scales.copy()


def _quantise(rows: npt.NDArray[np.float32], safe: bool) -> tuple[npt.NDArray[np.int8], Real]:
    real = np.asarray(rows, np.float64)
    plain = np.maximum(np.abs(real).max(axis=1), 1e-12) / MOST
    if not safe:
        return np.clip(np.rint(real / plain[:, None]), -MOST, MOST).astype(np.int8), plain
    widest = np.maximum(plain, _largest_pair(real) / PAIR)
    best, scale = np.full(len(real), np.inf), plain.copy()
    integers = np.zeros(real.shape, np.int8)
    for share in np.linspace(0, 1, STEPS):
        trial = plain + share * (widest - plain)
        rounded = _within(np.clip(np.rint(real / trial[:, None]), -MOST, MOST))
        error = np.square(rounded * trial[:, None] - real).sum(axis=1)
        better = error < best
        best[better], scale[better], integers[better] = error[better], trial[better], rounded[better]
    return integers, scale


def _largest_pair(real: Real) -> Real:
    padded = np.pad(real, ((0, 0), (0, real.shape[1] % 2))).reshape(len(real), -1, 2)
    positive, negative = np.maximum(padded, 0).sum(axis=2), -np.minimum(padded, 0).sum(axis=2)
    largest: Real = np.maximum(positive, negative).max(axis=1)
    return largest


def _within(rounded: Real) -> Real:
    """Return integers whose pairs of one sign sum to PAIR at most: the excess comes off both, the larger first.

    Changes `rounded` in place.
    """
    width = rounded.shape[1] // 2 * 2  # a last one without neighbour cannot overflow
    left, right = rounded[:, 0:width:2], rounded[:, 1:width:2]
    excess = np.abs(left + right) - PAIR
    places = np.nonzero((excess > 0) & (left * right > 0))
    if len(places[0]):
        first, second, over = left[places], right[places], excess[places]
        more, less = np.ceil(over / 2), np.floor(over / 2)
        larger = np.abs(first) >= np.abs(second)
        left[places] = first - np.sign(first) * np.where(larger, more, less)
        right[places] = second - np.sign(second) * np.where(larger, less, more)
    return rounded
