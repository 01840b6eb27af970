"""Snow, frost, fog and bright sun."""

from __future__ import annotations

import functools

import numpy as np
from scipy.ndimage import gaussian_filter

from edgebench.images.corruptions.shared import Generator, Image, motion_blurred, plasma, zoomed

LUMA = np.array([0.299, 0.587, 0.114])
TEXTURES = 5
TEXTURE_SEED = 2019


def snow(image: Image, severity: int, generator: Generator) -> Image:
    """Whiten the image and let flakes fall across it in two directions."""
    mean, spread, zoom, least, radius, sigma, kept = (
        (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
        (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
        (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
        (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
        (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
    )[severity - 1]
    height, width = image.shape[:2]
    flakes = zoomed(generator.normal(size=(height, width, 1), loc=mean, scale=spread), zoom)
    flakes = np.clip(np.where(flakes < least, 0, flakes), 0, 1)
    flakes = motion_blurred(flakes, radius, sigma, generator.uniform(-135, -45))
    flakes = np.round(flakes * 255) / 255
    missing = [(0, max(0, size - have)) for size, have in zip((height, width), flakes.shape, strict=False)]
    flakes = np.pad(flakes, (*missing, (0, 0)))[:height, :width]
    grey = image if image.shape[2] == 1 else image @ LUMA[:, None]
    whiter = kept * image + (1 - kept) * np.maximum(image, grey * 1.5 + 0.5)
    return np.asarray(whiter + flakes + flakes[::-1, ::-1])


def frost(image: Image, severity: int, generator: Generator) -> Image:
    """Lay ice crystals over the image: a part of one of five textures."""
    kept, laid = ((1, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75))[severity - 1]
    height, width, channels = image.shape
    edge = int(np.ceil(1.5 * max(height, width)))
    texture = frost_texture(int(generator.integers(TEXTURES)), edge)
    top, left = generator.integers(0, edge - height), generator.integers(0, edge - width)
    ice = texture[top : top + height, left : left + width]
    return np.asarray(kept * image + laid * (ice if channels > 1 else ice @ LUMA[:, None]))


def fog(image: Image, severity: int, generator: Generator) -> Image:
    """Lay a plasma fractal over the image."""
    amount, decay = ((1.5, 2), (2.0, 2), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4))[severity - 1]
    height, width = image.shape[:2]
    size = 1 << (max(image.shape) - 1).bit_length()
    brightest = image.max()
    clouds = plasma(size, decay, generator)[:height, :width, None]
    return np.asarray((image + amount * clouds) * brightest / (brightest + amount))


def brightness(image: Image, severity: int, generator: Generator) -> Image:
    """Raise the value of hue, saturation and value: all channels in proportion, black to grey."""
    del generator
    value = image.max(axis=2, keepdims=True)
    raised = np.clip(value + 0.1 * severity, 0, 1)
    return np.asarray(np.where(value > 0, image * raised / np.where(value > 0, value, 1), raised))


@functools.lru_cache(maxsize=2 * TEXTURES)
def frost_texture(number: int, edge: int) -> Image:
    """Return a bluish texture of ice (edge, edge, 3) in 0..1, the same every time.

    The published code crops photographs of frost; these are made: needles along many directions, brighter where the
    ice is thick, with the mean (0.47) and the spread (0.26) of those photographs.
    """
    generator = np.random.default_rng([TEXTURE_SEED, number])
    size = 1 << (edge - 1).bit_length()
    thick = plasma(size, 1.8, generator)[:edge, :edge]
    needles = np.zeros((edge, edge, 1))
    for _ in range(6):
        seeds = (generator.random((edge, edge, 1)) < 0.02).astype(np.float64)
        needles = np.maximum(needles, motion_blurred(seeds, 12, 6.0, generator.uniform(-180, 180)))
    fine = gaussian_filter(needles[:, :, 0], 0.6)
    grey = thick + 0.8 * fine / max(fine.max(), 1e-9)
    grey = np.clip(0.47 + 0.26 * (grey - grey.mean()) / grey.std(), 0, 1)
    return np.asarray(grey[:, :, None] * np.array([0.95, 1.0, 1.05])).clip(0, 1)
