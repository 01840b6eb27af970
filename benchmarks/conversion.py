"""All ten variants of MobileNetV2: `edgebench convert` against the plain route, in the same run.

    python benchmarks/conversion.py                about two minutes

The plain route is what a script does without edgebench, in one process that has TensorFlow loaded already: one
TFLiteConverter, tf2onnx or quantiser call a variant, each from the Keras model, no checks afterwards. edgebench's time
is that of the whole command, with its start, its imports, its images and every artifact's gate. Both calibrate on the
same 20 images. Exit code 1 where edgebench takes more than half the time of the plain route.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
import numpy as np
import onnx
import tensorflow as tf
import tf2onnx
from onnxconverter_common import float16
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

LIMIT = 0.5
IMAGES = 20


class Reader(CalibrationDataReader):
    """Feeds inputs one by one."""

    def __init__(self, inputs: np.ndarray) -> None:
        self._rows = iter(inputs)

    def get_next(self) -> dict[str, Any] | None:
        """Return the next batch of one."""
        row = next(self._rows, None)
        return None if row is None else {"image": row[None]}


def main() -> int:
    """Time both routes and compare."""
    parser = argparse.ArgumentParser(description="Ten variants of MobileNetV2 against the plain route.")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=1, help="repeat both, in turn; medians are compared")
    arguments = parser.parse_args()
    logging.disable(logging.ERROR)
    with tempfile.TemporaryDirectory(prefix="edgebench-conversion-") as name:
        folder = Path(name)
        keras.utils.set_random_seed(0)
        shape = (arguments.size, arguments.size, 3)
        model = keras.applications.MobileNetV2(weights=None, input_shape=shape, classes=1000)
        model.save(folder / "mobilenetv2.keras")
        images = np.random.default_rng(0).integers(0, 256, (IMAGES, *shape), np.uint8)
        np.savez(folder / "images.npz", x=images)
        ours, plain = [], []
        for round_ in range(arguments.rounds):
            plain.append(plain_route(model, images, folder))
            ours.append(edgebench(folder, round_))
    ratio = float(np.median(ours) / np.median(plain))
    print(f"plain route {np.median(plain):.1f} s, edgebench {np.median(ours):.1f} s, ratio {ratio:.2f} (limit {LIMIT})")
    return 0 if ratio <= LIMIT else 1


def edgebench(folder: Path, round_: int) -> float:
    """Time the whole command, with its start and its gates."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "edgebench", "convert", str(folder / "mobilenetv2.keras"), "--to", "all"]
    options = ["--data", str(folder / "images.npz"), "--preprocess", "keras:mobilenet_v2"]
    done = subprocess.run(
        [*command, *options, "--out", str(folder / f"out{round_}")], capture_output=True, text=True, check=False
    )
    print(done.stderr, flush=True)
    if done.returncode:
        raise SystemExit(done.stdout)
    return time.perf_counter() - start


def plain_route(model: Any, images: np.ndarray, folder: Path) -> float:
    """Time one call a variant, each from the Keras model."""
    inputs = (images / np.float32(127.5) - np.float32(1)).astype(np.float32)
    total = 0.0
    for name, work in routes(model, inputs, folder).items():
        start = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            work()
        seconds = time.perf_counter() - start
        total += seconds
        print(f"plain {name:<20}{seconds:6.1f} s", flush=True)
    return total


def routes(model: Any, inputs: np.ndarray, folder: Path) -> dict[str, Callable[[], Any]]:
    """Return the ten calls."""

    def lite(**options: Any) -> bytes:
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        for key, value in options.items():
            setattr(converter, key, value)
        return bytes(converter.convert())

    def full(ops: Any) -> bytes:
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([row[None]] for row in inputs)
        converter.target_spec.supported_ops = [ops]
        return bytes(converter.convert())

    def half() -> bytes:
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
        return bytes(converter.convert())

    def to_onnx() -> Any:
        spec = [tf.TensorSpec((1, *inputs.shape[1:]), tf.float32, name="image")]
        function = tf.function(lambda image: model(image, training=False), input_signature=spec)
        return tf2onnx.convert.from_function(function, spec, opset=18)[0]

    def prepared() -> str:
        onnx.save(to_onnx(), folder / "plain.onnx")
        quant_pre_process(str(folder / "plain.onnx"), str(folder / "prepared.onnx"))
        return str(folder / "prepared.onnx")

    def static() -> None:
        quantize_static(
            prepared(),
            str(folder / "int8.onnx"),
            Reader(inputs),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            weight_type=QuantType.QInt8,
        )

    sixteen = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    return {
        "savedmodel:float32": lambda: model.export(str(folder / "plain"), verbose=False),
        "tflite:float32": lite,
        "tflite:float16": half,
        "tflite:dynamic": lambda: lite(optimizations=[tf.lite.Optimize.DEFAULT]),
        "tflite:int8": lambda: full(tf.lite.OpsSet.TFLITE_BUILTINS_INT8),
        "tflite:int16x8": lambda: full(sixteen),
        "onnx:float32": lambda: onnx.save(to_onnx(), folder / "float32.onnx"),
        "onnx:float16": lambda: onnx.save(
            float16.convert_float_to_float16(to_onnx(), keep_io_types=True), folder / "float16.onnx"
        ),
        "onnx:dynamic": lambda: quantize_dynamic(prepared(), str(folder / "dynamic.onnx")),
        "onnx:int8": static,
    }


if __name__ == "__main__":
    sys.exit(main())
