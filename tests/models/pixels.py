"""Seeded pictures for nets that no photo was made for."""

import numpy as np


def coarse(count: int, size: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    """uint8 (count, size, size, channels): blobs of 4x4 cells with noise, so that pictures differ from one another."""
    generator = np.random.default_rng(seed)
    cells = generator.integers(0, 256, (count, 4, 4, channels))
    places = np.arange(size) * 4 // size
    noise = generator.integers(-24, 25, (count, size, size, channels))
    return np.clip(cells[:, places][:, :, places] + noise, 0, 255).astype(np.uint8)
