"""Two small nets trained on scikit-learn's 1,797 real handwritten digits, and the digits as a folder of images.

What `edgebench demo` shows; needs the `keras` extra. Both models rescale their pixels by themselves, so their files
need no --preprocess.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from edgebench.images.resizing import resize_image
from edgebench.records import Preprocessing
from edgebench.training.events import Epoch, Event, Started
from edgebench.training.job import INTERRUPTED
from edgebench.training.run import train as train_model
from edgebench.training.settings import Training
from edgebench.units import percent

SEED = 7
IMAGE_PIXELS = 32  # the 8x8 originals are enlarged once, so that people can look at them
NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TEST_SHARE = 0.25
Report = Callable[[str], None]
"""Called with one line about what is happening."""
MODELS = (
    ("digits-cnn", "cnn:16-32-64?input_size=32&channels=1", 12),
    ("digits-mobilenetv2", "keras:MobileNetV2?weights=none&input_size=48&alpha=0.35", 22),
)
"""Name, base and epochs of each."""
TOLD = 4
"""Epochs from one line to the next."""


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
    """Train both nets on the digits in `directory` as `edgebench train` does; return their `.keras` files."""
    return [_train(directory, name, base, epochs, report) for name, base, epochs in MODELS]


def _train(directory: Path, name: str, base: str, epochs: int, report: Report) -> Path:
    training = Training(
        base,
        str(directory / "digits"),
        name=name,
        epochs=epochs,
        augment=("shift", "brightness", "noise"),
        optimizer="adamw",
        learning_rate=3e-3,
        weight_decay=1e-3,
        schedule="cosine",
        batch=64,
        patience=0,
        seed=SEED,
    )

    def tell(event: Event) -> None:
        if isinstance(event, Started):
            report(f"training {name}: {event.parameters_trainable:,} parameters, {event.epochs} epochs")
        elif isinstance(event, Epoch) and event.epoch % TOLD == 0:
            report(f"  epoch {event.epoch} of {event.epochs}")

    trained = train_model(training, directory, tell)
    record = trained.record
    if record.stopped == INTERRUPTED:  # Ctrl-C ends the demo, not the first of its models
        raise KeyboardInterrupt
    report(f"  {percent(record.accuracy)} of {record.images[record.judged_on]} test images right")
    return trained.path


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


def _enlarge(image: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    pixels = Image.fromarray(np.round(image * (255 / 16)).astype(np.uint8))
    return np.asarray(pixels.resize((IMAGE_PIXELS, IMAGE_PIXELS), Image.Resampling.BICUBIC))
