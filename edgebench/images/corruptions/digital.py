"""What processing does: contrast, elastic distortion, coarse pixels and JPEG."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image as Pillow
from scipy.ndimage import gaussian_filter, map_coordinates

from edgebench.images.corruptions.shared import Generator, Image


def contrast(image: Image, severity: int, generator: Generator) -> Image:
    """Draw every channel towards its mean."""
    del generator
    mean = image.mean(axis=(0, 1), keepdims=True)
    return np.asarray((image - mean) * (0.4, 0.3, 0.2, 0.1, 0.05)[severity - 1] + mean)


def elastic_transform(image: Image, severity: int, generator: Generator) -> Image:
    """Move every pixel a little, its neighbours nearly alike."""
    alpha = 250 * (0.05, 0.065, 0.085, 0.1, 0.12)[severity - 1]
    height, width, channels = image.shape
    sigma, most = (0.01 * height, 0.01 * width), 0.005 * height

    def field() -> Image:
        raw = generator.uniform(-most, most, size=(height, width))
        return np.asarray(gaussian_filter(raw, sigma, mode="reflect", truncate=3) * alpha)

    across, down = field(), field()
    place = (np.arange(height)[:, None] + down, np.arange(width) + across)
    moved = [map_coordinates(image[:, :, at], place, order=1, mode="reflect") for at in range(channels)]
    return np.stack(moved, axis=2)


def pixelate(image: Image, severity: int, generator: Generator) -> Image:
    """Make the image small and large again."""
    del generator
    share = (0.6, 0.5, 0.4, 0.3, 0.25)[severity - 1]
    height, width = image.shape[:2]
    small = _picture(image).resize((max(1, int(width * share)), max(1, int(height * share))), Pillow.Resampling.BOX)
    return _values(small.resize((width, height), Pillow.Resampling.NEAREST), image)


def jpeg_compression(image: Image, severity: int, generator: Generator) -> Image:
    """Compress it."""
    del generator
    stream = io.BytesIO()
    _picture(image).save(stream, "JPEG", quality=(25, 18, 15, 10, 7)[severity - 1])
    with Pillow.open(stream) as compressed:
        return _values(compressed, image)


def _picture(image: Image) -> Pillow.Image:
    pixels = np.rint(image * 255).astype(np.uint8)
    return Pillow.fromarray(pixels[:, :, 0] if image.shape[2] == 1 else pixels)


def _values(picture: Pillow.Image, like: Image) -> Image:
    return np.asarray(picture, np.float64).reshape(like.shape) / 255
