"""Noise of the sensor: Gaussian, shot (few photons) and impulse (dead pixels)."""

from __future__ import annotations

import numpy as np

from edgebench.images.corruptions.shared import Generator, Image


def gaussian_noise(image: Image, severity: int, generator: Generator) -> Image:
    """Add normal noise to every channel."""
    return image + generator.normal(size=image.shape, scale=(0.08, 0.12, 0.18, 0.26, 0.38)[severity - 1])


def shot_noise(image: Image, severity: int, generator: Generator) -> Image:
    """Count photons, as few as 3 for white."""
    photons = (60, 25, 12, 5, 3)[severity - 1]
    return generator.poisson(image * photons) / float(photons)


def impulse_noise(image: Image, severity: int, generator: Generator) -> Image:
    """Turn single values black or white."""
    flipped = generator.random(image.shape) <= (0.03, 0.06, 0.09, 0.17, 0.27)[severity - 1]
    white = generator.random(image.shape) <= 0.5
    return np.where(flipped, white.astype(np.float64), image)
