"""Augmentation of a Hugging Face training: what Keras' layers do there, with the same reaches, one image at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from edgebench.errors import MissingExtraError

try:
    import torch
except ModuleNotFoundError as error:
    raise MissingExtraError(error.name or "torch", "huggingface", "training a Hugging Face checkpoint") from error

ROTATION, ZOOM, SHIFT = 0.1 * 2 * math.pi, 0.1, 1 / 12
CONTRAST, BRIGHTNESS, NOISE = 0.2, 0.2, 6.0


def augmented(pixels: Any, stages: Sequence[str], generator: np.random.Generator) -> Any:
    """Return float32 pixels 0..255 (channels, height, width) of one image, changed at random by `generator`.

    What moves in from outside the image repeats its edge.
    """
    places = [stage for stage in stages if stage in ("flip", "rotation", "zoom", "shift")]
    if places:
        pixels = _moved(pixels, _matrix(places, pixels.shape[1] / pixels.shape[2], generator))
    if "contrast" in stages:
        mean = pixels.mean((1, 2), keepdim=True)
        pixels = ((pixels - mean) * _within(CONTRAST, generator, 1.0) + mean).clamp(0, 255)
    if "brightness" in stages:
        pixels = (pixels + 255 * _within(BRIGHTNESS, generator)).clamp(0, 255)
    if "noise" in stages:
        pixels = pixels + torch.from_numpy(generator.normal(0, NOISE, tuple(pixels.shape)).astype(np.float32))
    return pixels


def _within(reach: float, generator: np.random.Generator, around: float = 0.0) -> float:
    return float(generator.uniform(around - reach, around + reach))


def _matrix(places: Sequence[str], shape: float, generator: np.random.Generator) -> Any:
    """Return where each pixel comes from, in coordinates -1..1; `shape` is height by width, so that angles stay."""
    angle = _within(ROTATION, generator) if "rotation" in places else 0.0
    scale = _within(ZOOM, generator, 1.0) if "zoom" in places else 1.0
    side = -1.0 if "flip" in places and generator.random() < 0.5 else 1.0
    down, right = (2 * _within(SHIFT, generator) if "shift" in places else 0.0 for _ in range(2))
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    return torch.tensor([[[side * cos, -sin * shape, right], [side * sin / shape, cos, down]]])


def _moved(pixels: Any, matrix: Any) -> Any:
    grid = torch.nn.functional.affine_grid(matrix, [1, *pixels.shape], align_corners=False)
    return torch.nn.functional.grid_sample(pixels[None], grid, "bilinear", "border", align_corners=False)[0]
