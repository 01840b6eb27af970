"""Blur of the lens, of frosted glass, of movement and of a zoom while the shutter is open."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import correlate, gaussian_filter
from scipy.signal import fftconvolve

from edgebench.images.corruptions.shared import Generator, Image, motion_blurred, zoomed

ZOOMS = ((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03))  # (end, step) from 1


def defocus_blur(image: Image, severity: int, generator: Generator) -> Image:
    """Spread every point over a disk."""
    del generator
    kernel = _disk(*((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5))[severity - 1])
    reach = len(kernel) // 2
    edge = np.pad(image, ((reach, reach), (reach, reach), (0, 0)), mode="reflect")
    return np.asarray(fftconvolve(edge, kernel[:, :, None], mode="valid", axes=(0, 1)))


def glass_blur(image: Image, severity: int, generator: Generator) -> Image:
    """Let every pixel take the value of one near it, between two light blurs."""
    sigma, reach, rounds = ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2))[severity - 1]
    height, width, channels = image.shape
    pixels = (_gaussian(image, sigma) * 255).astype(np.uint8).reshape(-1, channels)
    for _ in range(rounds):
        pixels = pixels[_neighbours(height, width, reach, generator)]
    return _gaussian(pixels.reshape(image.shape) / 255.0, sigma)


def motion_blur(image: Image, severity: int, generator: Generator) -> Image:
    """Smear along a line of a random direction."""
    radius, sigma = ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15))[severity - 1]
    return motion_blurred(image, radius, sigma, generator.uniform(-45, 45))


def zoom_blur(image: Image, severity: int, generator: Generator) -> Image:
    """Average the image and ever larger ones of it."""
    del generator
    factors = np.arange(1, *ZOOMS[severity - 1])
    total = image.copy()
    for factor in factors:
        layer = zoomed(image, float(factor))[: image.shape[0], : image.shape[1]]
        total[: layer.shape[0], : layer.shape[1]] += layer
    return total / (len(factors) + 1)


def _disk(radius: int, alias_blur: float) -> Image:
    reach, taps = (8, 1) if radius <= 8 else (radius, 2)
    place = np.arange(-reach, reach + 1)
    disk = (place[:, None] ** 2 + place**2 <= radius**2).astype(np.float64)
    smooth = np.exp(-(np.arange(-taps, taps + 1) ** 2) / (2 * alias_blur**2))
    smooth /= smooth.sum()
    return np.asarray(correlate(disk / disk.sum(), np.outer(smooth, smooth), mode="mirror"))


def _gaussian(image: Image, sigma: float) -> Image:
    return np.asarray(gaussian_filter(image, (sigma, sigma, 0), mode="nearest"))


def _neighbours(height: int, width: int, reach: int, generator: Generator) -> npt.NDArray[np.int64]:
    """Return for every pixel the one whose value it has in the end, (height * width,).

    The published code goes from the last pixel to the first and means to swap each with one near it; as it assigns
    views of one array, the pixel takes the other's value and the other keeps it. What a pixel took may be what the
    other one had taken before: these chains are followed for all pixels at once, each step twice as far.
    """
    source = np.arange(height * width)
    rows, columns = np.arange(height - reach, reach, -1), np.arange(width - reach, reach, -1)
    if not len(rows) or not len(columns):
        return source
    shift = generator.integers(-reach, reach, size=(len(rows) * len(columns), 2))
    row, column = np.repeat(rows, len(columns)), np.tile(columns, len(rows))
    own = row * width + column
    other = (row + shift[:, 1]) * width + column + shift[:, 0]
    turn = np.full(height * width, len(own))
    turn[own] = np.arange(len(own))
    source[own] = other
    final = np.ones(height * width, bool)
    final[own] = turn[other] >= turn[own]  # the other's turn had not come: its first value
    while not final.all():
        waiting = np.flatnonzero(~final)
        behind = source[waiting]
        source[waiting], final[waiting] = source[behind], final[behind]
    return source
