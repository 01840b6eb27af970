"""What several corruptions use: the linear zoom, the motion kernel, the plasma fractal."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.float64]
Generator = np.random.Generator
PUBLISHED_EDGE = 32  # pixels; the package refuses smaller images


def zoomed(image: Image, factor: float) -> Image:
    """Enlarge the middle of an image by `factor`, linearly, to about its own size (a few pixels more or less)."""
    height, width = image.shape[:2]
    rows, columns = math.ceil(height / factor), math.ceil(width / factor)
    top, left = (height - rows) // 2, (width - columns) // 2
    middle = image[top : top + rows, left : left + columns]
    by_rows = np.tensordot(_linear(rows, factor), middle, (1, 0))
    return np.asarray(np.tensordot(_linear(columns, factor), by_rows, (1, 1)).swapaxes(0, 1))


def _linear(size: int, factor: float) -> Image:
    """Return the matrix (larger size, size) of `scipy.ndimage.zoom` with order 1: both ends stay where they are."""
    larger = round(size * factor)
    place = np.arange(larger) * ((size - 1) / (larger - 1) if larger > 1 else 0.0)
    low = np.clip(np.floor(place).astype(np.int64), 0, max(size - 2, 0))
    share = place - low
    matrix = np.zeros((larger, size))
    matrix[np.arange(larger), low] = 1 - share
    matrix[np.arange(larger), np.minimum(low + 1, size - 1)] += share
    return matrix


def motion_blurred(image: Image, radius: int, sigma: float, angle: float) -> Image:
    """Smear an image along a line of `2 radius + 1` pixels, ever weaker; beyond its edge the edge goes on.

    The published code lets what would be smeared across a whole image fall away and gets darker. So does this, but for
    the images smaller than it takes, of which little would be left: there the rest is weighted up.
    """
    width = 2 * radius + 1
    weights = np.exp(-(np.arange(width) ** 2) / (2 * sigma**2))
    weights /= weights.sum()
    across, down = width * math.cos(math.radians(angle)), width * math.sin(math.radians(angle))
    length = math.hypot(across, down)
    rows, columns = np.arange(image.shape[0]), np.arange(image.shape[1])
    blurred, total = np.zeros_like(image), 0.0
    for step in range(width):
        dy, dx = -math.ceil(step * down / length - 0.5), -math.ceil(step * across / length - 0.5)
        if abs(dy) >= image.shape[0] or abs(dx) >= image.shape[1]:
            break
        moved = image[np.clip(rows - dy, 0, rows[-1])][:, np.clip(columns - dx, 0, columns[-1])]
        blurred += weights[step] * moved
        total += weights[step]
    return blurred / total if min(image.shape[:2]) < PUBLISHED_EDGE else blurred


def plasma(size: int, decay: float, generator: Generator) -> Image:
    """Return a square height map (size, size) in 0..1 by the diamond-square algorithm; `size` is a power of two."""
    heights = np.zeros((size, size))
    step, wobble = size, 100.0

    def mean(four: Image) -> Image:
        return four / 4 + wobble * generator.uniform(-wobble, wobble, four.shape)

    while step >= 2:
        half = step // 2
        corners = heights[0:size:step, 0:size:step]
        squares = corners + np.roll(corners, -1, axis=0)
        squares = squares + np.roll(squares, -1, axis=1)
        heights[half:size:step, half:size:step] = mean(squares)
        middles = heights[half:size:step, half:size:step]
        corners = heights[0:size:step, 0:size:step]
        heights[0:size:step, half:size:step] = mean(
            (middles + np.roll(middles, 1, axis=0)) + (corners + np.roll(corners, -1, axis=1))
        )
        heights[half:size:step, 0:size:step] = mean(
            (middles + np.roll(middles, 1, axis=1)) + (corners + np.roll(corners, -1, axis=0))
        )
        step, wobble = half, wobble / decay
    heights -= heights.min()
    return np.asarray(heights / max(heights.max(), np.finfo(np.float64).tiny))
