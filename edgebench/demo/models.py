"""Two small nets trained on scikit-learn's 1,797 real handwritten digits, and the digits as a folder of images.

What `edgebench demo` shows and what the quantisation benchmark measures; needs the `keras` extra. Both models rescale
their pixels by themselves, so their files need no --preprocess.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from edgebench.images.evaluation import resize_image
from edgebench.records import Preprocessing

SEED = 7
IMAGE_PIXELS = 32  # the 8x8 originals are enlarged once, so that people can look at them
NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TEST_SHARE = 0.25
Report = Callable[[str], None]
"""Called with one line about what is happening."""


def digits() -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Return train images, train labels, test images, test labels; images are uint8 (n, 32, 32), always the same."""
    data = load_digits()
    images = np.stack([_enlarge(image) for image in data.images])
    split = train_test_split(
        images, data.target.astype(np.int64), test_size=TEST_SHARE, random_state=SEED, stratify=data.target
    )
    return split[0], split[2], split[1], split[3]


def write_digits(folder: Path) -> None:
    """Write the digits as PNG files into `train/` and `test/` of `folder`, one sub-folder a class."""
    train_images, train_labels, test_images, test_labels = digits()
    for name, images, labels in (("train", train_images, train_labels), ("test", test_images, test_labels)):
        for index, (image, label) in enumerate(zip(images, labels, strict=True)):
            place = folder / name / f"{label}-{NAMES[label]}"
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(place / f"{index:04d}.png")


def train(directory: Path, report: Report = print) -> list[Path]:
    """Train both nets, about a minute in all on two cores, and return their `.keras` files in `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    return [
        train_one(build(), directory / f"{name}.keras", epochs, report)
        for name, build, epochs in (("digits-cnn", small_cnn, 12), ("digits-mobilenetv2", mobilenet, 22))
    ]


def train_one(model: Any, path: Path, epochs: int, report: Report = print) -> Path:
    """Train `model` (uint8-ranged input, softmax output) on the digits and save it to `path`."""
    import keras

    train_images, train_labels, test_images, test_labels = digits()
    shape = tuple(model.input_shape[1:])
    inputs, tests = resized(train_images, shape), resized(test_images, shape)
    steps = epochs * -(-len(inputs) // BATCH)
    model.compile(
        keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(3e-3, steps), weight_decay=1e-3),
        "sparse_categorical_crossentropy",
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


BATCH = 64


def small_cnn() -> Any:
    """A plain convolutional net on 32x32 grey images."""
    import keras
    from keras import layers

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
    import keras

    keras.utils.set_random_seed(SEED)
    pixels = keras.Input((48, 48, 3))
    rescaled = keras.layers.Rescaling(1 / 127.5, offset=-1.0)(pixels)
    model = keras.applications.MobileNetV2(input_tensor=rescaled, weights=None, classes=10, alpha=0.35)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.9  # 0.999 would need thousands of steps to forget its start
    return model


def resized(images: npt.NDArray[np.uint8], shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """Return digits as uint8 (n, height, width, channels), by the same resizing as everywhere in edgebench."""
    height, width, channels = shape
    rule = Preprocessing("none")
    return np.stack([resize_image(Image.fromarray(image), rule, (height, width, channels)) for image in images])


def shifted(images: npt.NDArray[np.uint8], generator: np.random.Generator) -> npt.NDArray[np.float32]:
    """Return the images as float32, each moved by up to a twelfth of its edge, with some brightness and noise."""
    reach = images.shape[1] // 12
    moves = generator.integers(-reach, reach + 1, (len(images), 2))
    moved = np.stack([np.roll(image, move, (0, 1)) for image, move in zip(images, moves, strict=True)])
    gain = generator.uniform(0.8, 1.0, (len(images), 1, 1, 1))
    return np.clip(moved * gain + generator.normal(0, 6, images.shape), 0, 255).astype(np.float32)


def _convolution(width: int) -> list[Any]:
    from keras import layers

    return [
        layers.Conv2D(width, 3, padding="same", use_bias=False),
        layers.BatchNormalization(momentum=0.9),
        layers.ReLU(),
        layers.MaxPooling2D(),
    ]


def _enlarge(image: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    pixels = Image.fromarray(np.round(image * (255 / 16)).astype(np.uint8))
    return np.asarray(pixels.resize((IMAGE_PIXELS, IMAGE_PIXELS), Image.Resampling.BICUBIC))
