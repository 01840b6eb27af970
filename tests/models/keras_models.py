"""Real Keras models of a few kB, trained for seconds on real handwritten digits, and the odd ones that are refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"
import keras
from keras import layers

from tests.models.digit_nets import train_one


def trained(folder: Path) -> Path:
    """A small digits net with convolutions, depthwise convolutions, hard-swish and GELU; grey 16x16 input."""
    keras.utils.set_random_seed(5)
    model = keras.Sequential(
        [
            keras.Input((16, 16, 1)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(12, 3, padding="same", use_bias=False),
            layers.BatchNormalization(momentum=0.9),
            layers.Activation("hard_swish"),
            layers.DepthwiseConv2D(3, 2, padding="same", use_bias=False),
            layers.BatchNormalization(momentum=0.9),
            layers.Activation("gelu"),
            layers.Conv2D(32, 3, 2, padding="same", activation="relu6"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10, activation="softmax"),
        ],
        name="small",
    )
    return train_one(model, folder / "small.keras", 6)


def classifier(
    *between: Any, size: tuple[int | None, int | None, int] = (16, 16, 3), activation: str = "softmax"
) -> Any:
    """An untrained classifier of three classes with these layers behind its input."""
    keras.utils.set_random_seed(1)
    tail = [layers.Conv2D(4, 3, activation="relu"), layers.GlobalAveragePooling2D(), layers.Dense(3, activation)]
    return keras.Sequential([keras.Input(size), *between, *tail])


def save(model: Any, path: Path) -> Path:
    """Save a model and return its path."""
    model.save(path)
    return path


def two_inputs() -> Any:
    """A model of two images."""
    one, two = keras.Input((8, 8, 3), name="left"), keras.Input((8, 8, 3), name="right")
    pooled = layers.GlobalAveragePooling2D()(layers.concatenate([one, two]))
    return keras.Model([one, two], layers.Dense(3, "softmax")(pooled))


def not_a_classifier() -> Any:
    """A model whose output is an image."""
    return keras.Sequential([keras.Input((8, 8, 3)), layers.Conv2D(3, 3, padding="same")])


def one_score(activation: str = "sigmoid") -> Any:
    """A model with a single score."""
    return keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(1, activation)])
