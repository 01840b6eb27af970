"""Keras layers that change training images before a network sees them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"
from edgebench.errors import MissingExtraError
from edgebench.training.settings import Training

try:
    import keras
    from keras import layers
except ModuleNotFoundError as error:
    raise MissingExtraError(error.name or "keras", "keras", "training a Keras model") from error

AUGMENTATION: dict[str, Callable[[], Any]] = {
    "flip": lambda: layers.RandomFlip("horizontal"),
    "rotation": lambda: layers.RandomRotation(0.1, fill_mode="nearest"),
    "zoom": lambda: layers.RandomZoom(0.1, fill_mode="nearest"),
    "contrast": lambda: layers.RandomContrast(0.2, value_range=(0, 255)),
    "shift": lambda: layers.RandomTranslation(1 / 12, 1 / 12, fill_mode="nearest"),
    "brightness": lambda: layers.RandomBrightness((-0.2, 0.2), value_range=(0, 255)),
    "noise": lambda: _Noise(),
}
NOISE = 6.0


class _Noise(layers.Layer):  # type: ignore[misc]  # keras carries no types here
    """Normal noise on pixels 0..255; Keras' own GaussianNoise takes no deviation above 1. It is never saved."""

    def __init__(self) -> None:
        super().__init__()
        self.seed_generator = keras.random.SeedGenerator()

    def call(self, images: Any, training: bool = False) -> Any:
        """Return the images with noise while training."""
        if not training:
            return images
        return images + keras.random.normal(
            keras.ops.shape(images), 0.0, NOISE, dtype=images.dtype, seed=self.seed_generator
        )


def augmentation_of(training: Training, shape: tuple[int, int, int]) -> Any | None:
    """Return the layers that change images of `shape`, pixels of 0-255, before the network; None for none."""
    if not training.augment:
        return None
    stages = [AUGMENTATION[name]() for name in training.augment]
    return keras.Sequential([keras.Input(shape), *stages], name="augmentation")
