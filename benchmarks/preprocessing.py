"""Nets with their preprocessing inside or outside: what edgebench takes, and whether its top-1 is the framework's own.

    python -m benchmarks.preprocessing

Each net is trained on digits in colour with its own way of scaling pixels, saved as .keras, .h5 and SavedModel, and
given to edgebench without a word. Either edgebench asks, or the float32 .tflite under the rule it chose has the top-1
that Keras has on the same files, image by image. "Wrong in silence" must be 0.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"
import keras
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from keras import layers

from edgebench.converters import sources
from edgebench.converters.keras import converter
from edgebench.demo.models import digits
from edgebench.errors import UsageError
from edgebench.runner.preprocess import normalise

TEST_IMAGES = 200
Scale = Callable[[Any], Any]


def coloured(images: Any) -> Any:
    """Return digits (n, h, w) as uint8 RGB whose channels differ, so that a swap of them shows."""
    pixels = np.asarray(images, np.float32).reshape(len(images), *np.shape(images)[1:3])[:, ::2, ::2]
    return np.stack([pixels, 255 - pixels * 0.5, pixels * 0.25 + 40], -1).astype(np.uint8)


def nets(pixels: Any) -> dict[str, tuple[Scale, Scale, str]]:
    """Return name -> what the model does, what is done before it, and the input's dtype."""
    tf_, torch_ = keras.applications.mobilenet_v2.preprocess_input, keras.applications.densenet.preprocess_input
    bytes_, ones = layers.Normalization(), layers.Normalization()
    bytes_.adapt(pixels.astype(np.float32))
    ones.adapt(pixels.astype(np.float32) / 255)
    same: Scale = lambda x: x  # noqa: E731
    divided: Scale = lambda x: x / 255  # noqa: E731
    return {
        "operators tf": (tf_, same, "float32"),
        "operators torch": (torch_, same, "float32"),
        "operators caffe": (keras.applications.resnet.preprocess_input, same, "float32"),
        "Rescaling 1/255": (layers.Rescaling(1 / 255), same, "float32"),
        "Rescaling 1/127.5 - 1": (layers.Rescaling(1 / 127.5, -1), same, "float32"),
        "Normalization 0-255": (bytes_, same, "float32"),
        "uint8": (layers.Rescaling(1 / 255), same, "uint8"),
        "outside x / 255": (same, divided, "float32"),
        "outside, Normalization 0-1": (ones, divided, "float32"),
        "outside, Rescaling(2, -1)": (layers.Rescaling(2.0, -1), divided, "float32"),
        "outside tf": (same, lambda x: x / 127.5 - 1, "float32"),
    }


def train(inside: Scale, outside: Scale, dtype: str, pixels: Any, labels: Any) -> Any:
    """Return a small net trained on pixels as `outside` prepares them."""
    keras.utils.set_random_seed(0)
    image = keras.Input(pixels.shape[1:], dtype=dtype)
    x = inside(image)
    x = layers.Conv2D(8, 3, strides=2, activation="relu")(x)
    model = keras.Model(image, layers.Dense(10)(layers.Flatten()(x)))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(prepared(outside, dtype, pixels), labels, epochs=6, batch_size=32, verbose=0)
    return model


def prepared(outside: Scale, dtype: str, pixels: Any) -> Any:
    """Return pixels as the author of the model prepares them."""
    return pixels if dtype == "uint8" else np.asarray(outside(pixels.astype(np.float32)), np.float32)


def saved(model: Any, kind: str, folder: Path) -> Path:
    """Save the model in one of the three ways."""
    path = folder / ("model" if kind == "savedmodel" else f"model.{kind}")
    model.export(path, verbose=False) if kind == "savedmodel" else model.save(path)
    return path


def outcome(path: Path, pixels: Any, expected: Any, folder: Path) -> str:
    """Return `equal`, `asked`, `refused: ..` or `WRONG: ..` for one saved net."""
    try:
        model = converter.load(sources.resolve(str(path)), None)
    except UsageError as error:
        return "asked" if "prepared in training" in str(error) else f"refused: {str(error)[:60]}"
    converter.to_tflite(model, folder / "m.tflite")
    interpreter = Interpreter(model_path=str(folder / "m.tflite"))
    interpreter.allocate_tensors()
    given, taken = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]
    top1 = []
    for image in normalise(pixels, model.preprocessing):
        interpreter.set_tensor(given, image[None])
        interpreter.invoke()
        top1.append(int(interpreter.get_tensor(taken).argmax()))
    wrong = int((np.array(top1) != expected).sum())
    return f"WRONG: {wrong} of {len(expected)}" if wrong else "equal"


def main() -> int:
    """Print one line a net and the count of those that are wrong in silence."""
    train_images, train_labels, test_images, test_labels = digits()
    pixels, test = coloured(train_images), coloured(test_images)[:TEST_IMAGES]
    counts: dict[str, int] = {}
    for name, (inside, outside, dtype) in nets(pixels).items():
        model = train(inside, outside, dtype, pixels, train_labels)
        expected = model.predict(prepared(outside, dtype, test), verbose=0).argmax(1)
        right = (expected == test_labels[: len(test)]).mean()
        for kind in ("keras", "h5", "savedmodel"):
            with tempfile.TemporaryDirectory() as place:
                said = outcome(saved(model, kind, Path(place)), test, expected, Path(place))
            counts[said.partition(":")[0]] = counts.get(said.partition(":")[0], 0) + 1
            print(f"{name:28} {kind:11} Keras's own top-1 {right:6.1%}   {said}", flush=True)
    print(", ".join(f"{count} {said}" for said, count in sorted(counts.items())))
    print(f"wrong in silence: {counts.get('WRONG', 0)}")
    return 1 if counts.get("WRONG") else 0


if __name__ == "__main__":
    sys.exit(main())
