"""Images that lie in two splits at once, under whatever name and size: they make an accuracy a lie.

Candidates come from a perceptual hash: the signs of the 63 lowest frequencies of a grey 32x32 picture against their
median (Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010). A pair counts where also
the 16x16 pictures are the same up to the noise of resizing and of JPEG.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.fft import dctn

from edgebench.images.stored import StoredRows

MOST_BITS = 10
"""Of 63 that may differ: a photograph resized or saved again changes the few that lie close to the median."""
MOST_NOISE = 0.08
"""Root of the mean squared difference of the small pictures, as a share of their contrast."""
LEAST_NOISE = 1.5
"""In grey levels: what resizing alone does to a picture without contrast."""
BATCH = 256
_ONES = np.array([bin(value).count("1") for value in range(1 << 16)], np.uint8)


@dataclass(frozen=True)
class Looks:
    """What images look like: `hashes` (n,) uint64 and `small` (n, 256) uint8."""

    hashes: npt.NDArray[np.uint64]
    small: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Duplicate:
    """Row `second` of one set shows what row `first` of another shows."""

    first: int
    second: int


def looks(rows: StoredRows) -> Looks:
    """Return the looks of uint8 NHWC images on disk."""
    hashes, small = [np.zeros(0, np.uint64)], [np.zeros((0, 256), np.uint8)]
    for images in rows.batches(BATCH):
        pictures = [Image.fromarray(np.rint(image.mean(-1)).astype(np.uint8)) for image in images]
        grey = np.stack([np.asarray(p.resize((32, 32), Image.Resampling.BOX), np.float32) for p in pictures])
        small.append(grey.reshape(-1, 16, 2, 16, 2).mean((2, 4)).round().astype(np.uint8).reshape(-1, 256))
        hashes.append(_hashes(grey))
    return Looks(np.concatenate(hashes), np.concatenate(small))


def across(first: Looks, second: Looks) -> list[Duplicate]:
    """Return the images of `second` that are in `first` too, each with the nearest one there."""
    found = []
    step = max(1, (1 << 22) // max(len(first.hashes), 1))
    for start in range(0, len(second.hashes), step):
        bits = _differing(second.hashes[start : start + step, None] ^ first.hashes[None, :])
        for offset in np.flatnonzero((bits <= MOST_BITS).any(1)):
            candidates = np.flatnonzero(bits[offset] <= MOST_BITS)
            row = int(start + offset)
            noise = _noise(first.small[candidates], second.small[row])
            best = int(np.argmin(noise))
            if noise[best] <= 1:
                found.append(Duplicate(int(candidates[best]), row))
    return found


def _hashes(grey: npt.NDArray[np.float32]) -> npt.NDArray[np.uint64]:
    low = dctn(grey, axes=(1, 2), norm="ortho")[:, :8, :8].reshape(-1, 64)[:, 1:]
    signs = low > np.median(low, axis=1, keepdims=True)
    packed = np.packbits(np.pad(signs, ((0, 0), (1, 0))), axis=1)
    return np.ascontiguousarray(packed).view(np.uint64).reshape(-1)


def _differing(words: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint8]:
    """Return the number of ones of each word."""
    return np.asarray(_ONES[words.view(np.uint16).reshape(*words.shape, 4)].sum(-1, dtype=np.uint8))


def _noise(ones: npt.NDArray[np.uint8], other: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Return how far pictures differ, 1 being the most that still counts as the same."""
    difference = np.sqrt(((ones.astype(np.float64) - other) ** 2).mean(1))
    return np.asarray(difference / np.maximum(LEAST_NOISE, MOST_NOISE * float(other.std())))
