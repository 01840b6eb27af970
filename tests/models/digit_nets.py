"""Trains any Keras net on the digits, for tests and benchmarks that need other layers than `edgebench train` has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from edgebench.demo.models import SEED, Report, digits, resized, shifted

BATCH = 64


def train_one(model: Any, path: Path, epochs: int, report: Report = print) -> Path:
    """Train `model` (uint8-ranged input; softmax, sigmoid or logits as output) on the digits and save it to `path`."""
    train_images, train_labels, test_images, test_labels = digits()
    shape = tuple(model.input_shape[1:])
    inputs, tests = resized(train_images, shape), resized(test_images, shape)
    steps = epochs * -(-len(inputs) // BATCH)
    model.compile(
        keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(3e-3, steps), weight_decay=1e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=model.layers[-1].activation is keras.activations.linear),
    )
    report(f"training {path.stem}: {model.count_params():,} parameters, {len(inputs)} images, {epochs} epochs")
    generator = np.random.default_rng(SEED)
    for epoch in range(epochs):
        model.fit(shifted(inputs, generator), train_labels, batch_size=BATCH, epochs=1, verbose=0)
        if (epoch + 1) % 4 == 0:
            report(f"  epoch {epoch + 1} of {epochs}")
    right = np.mean(model.predict(tests, verbose=0).argmax(1) == test_labels)
    report(f"  {right:.1%} of {len(tests)} test images right")
    model.save(path)
    return path


def small_cnn() -> Any:
    """A plain convolutional net on 32x32 grey images."""
    keras.utils.set_random_seed(SEED)
    return keras.Sequential(
        [
            keras.Input((32, 32, 1)),
            layers.Rescaling(1 / 255),
            *(block for width in (16, 32, 64) for block in _convolution(width)),
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.2),
            layers.Dense(10, activation="softmax"),
        ],
        name="digits-cnn",
    )


def mobilenet() -> Any:
    """Keras' MobileNetV2 at 48x48 pixels and 0.35 of its width."""
    keras.utils.set_random_seed(SEED)
    pixels = keras.Input((48, 48, 3))
    rescaled = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(pixels)
    model = keras.applications.MobileNetV2(input_tensor=rescaled, weights=None, classes=10, alpha=0.35)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.9  # 0.999 would need thousands of steps to forget its start
    return model


def _convolution(width: int) -> list[Any]:
    return [
        layers.Conv2D(width, 3, padding="same", use_bias=False),
        layers.BatchNormalization(momentum=0.9),
        layers.ReLU(),
        layers.MaxPooling2D(),
    ]
