"""Does `explain` name the layer that int8 destroys? Nets whose function is kept while one layer is made the culprit.

    python -m benchmarks.culprits --count 100

Behind ReLU one channel of a layer is multiplied by c and the next layer's weights for it are divided by c: nothing
changes in real numbers, and that channel now sets the layer's scale. Prints, for each format, in how many nets the
culprit stands first and among the first two by what is its own error, and the same for the ratio over whole tensors,
which tools that print raw arrays rank by.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import numpy.typing as npt
import onnx
import tensorflow as tf
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

from edgebench.converters.quantize import tflite_static
from edgebench.inspection import onnx as onnx_reader
from edgebench.inspection import tflite as tflite_reader
from edgebench.inspection.layers.measure import Layer, measure_layers

SIZE, WIDTHS, CLASSES = 16, (16, 24, 24, 32, 32, 48), 10
IMAGES, CALIBRATION = 8, 16
Weights = list[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]


def net(generator: np.random.Generator) -> Weights:
    """Return weights (out, in, 3, 3) and biases of a chain of convolutions, and of the head last (classes, in)."""
    layers: Weights = []
    before = 3
    for width in WIDTHS:
        scale = np.sqrt(2 / (9 * before))
        weights = (generator.normal(size=(width, before, 3, 3)) * scale).astype(np.float32)
        layers.append((weights, (0.1 * generator.normal(size=width)).astype(np.float32)))
        before = width
    head = (generator.normal(size=(CLASSES, before)) / np.sqrt(before)).astype(np.float32)
    return [*layers, (head, np.zeros(CLASSES, np.float32))]


def spoil(layers: Weights, place: int, channel: int, factor: float) -> None:
    """Make layer `place` the culprit: its `channel` times `factor`, taken back by the next layer."""
    weights, bias = layers[place]
    weights[channel] *= np.float32(factor)
    bias[channel] *= np.float32(factor)
    layers[place + 1][0][:, channel] /= np.float32(factor)


def as_tflite(layers: Weights) -> bytes:
    """Return the net as a float .tflite."""
    constants = [(tf.constant(w.transpose(2, 3, 1, 0)), tf.constant(b)) for w, b in layers[:-1]]
    head = tf.constant(layers[-1][0].T)

    @tf.function(input_signature=[tf.TensorSpec((1, SIZE, SIZE, 3), tf.float32)])
    def call(image: Any) -> Any:
        for place, (weights, bias) in enumerate(constants):
            image = tf.nn.relu(tf.nn.conv2d(image, weights, 2 if place == 2 else 1, "SAME") + bias)
        return tf.linalg.matmul(tf.reduce_mean(image, (1, 2)), head)

    return bytes(tf.lite.TFLiteConverter.from_concrete_functions([call.get_concrete_function()]).convert())


def as_onnx(layers: Weights, path: Path) -> None:
    """Write the net as a float .onnx."""
    nodes, stored, name = [], [], "image"
    for place, (weights, bias) in enumerate(layers[:-1]):
        stored += [numpy_helper.from_array(weights, f"w{place}"), numpy_helper.from_array(bias, f"b{place}")]
        strides = [2, 2] if place == 2 else [1, 1]
        nodes += [
            helper.make_node("Conv", [name, f"w{place}", f"b{place}"], [f"conv{place}"], pads=[1] * 4, strides=strides),
            helper.make_node("Relu", [f"conv{place}"], [f"relu{place}"]),
        ]
        name = f"relu{place}"
    stored += [numpy_helper.from_array(layers[-1][0], "head"), numpy_helper.from_array(layers[-1][1], "head_bias")]
    nodes += [
        helper.make_node("GlobalAveragePool", [name], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Gemm", ["flat", "head", "head_bias"], ["logits"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, CLASSES])],
        stored,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))


class Reader(CalibrationDataReader):  # type: ignore[misc]  # the library carries no types
    """Hands inputs to onnxruntime's calibrator."""

    def __init__(self, inputs: npt.NDArray[np.float32]) -> None:
        self._rows = iter(inputs)

    def get_next(self) -> dict[str, Any] | None:
        """Return the next input."""
        row = next(self._rows, None)
        return None if row is None else {"image": row[None]}


def tflite_layers(layers: Weights, inputs: npt.NDArray[np.float32]) -> list[Layer]:
    """Quantise the net with the ranges' minimum and maximum and explain it."""
    exact = as_tflite(layers)
    seen = tflite_static.observe(exact, inputs[:CALIBRATION])
    ranges = {name: (float(found.low), float(found.high)) for name, found in seen.items()}
    found = tflite_static.build(exact, ranges)
    graphs = [(content, tflite_reader.read(content, "net")) for content in (exact, found)]
    return measure_layers(graphs[0], graphs[1], [row[None] for row in inputs[-IMAGES:]])


def onnx_layers(layers: Weights, inputs: npt.NDArray[np.float32]) -> list[Layer]:
    """Quantise the net with onnxruntime's own minimum and maximum and explain it."""
    rows = np.ascontiguousarray(inputs.transpose(0, 3, 1, 2))
    with tempfile.TemporaryDirectory() as folder:
        exact, found = Path(folder) / "exact.onnx", Path(folder) / "found.onnx"
        as_onnx(layers, exact)
        quantize_static(
            str(exact), str(found), Reader(rows[:CALIBRATION]), per_channel=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
        )  # fmt: skip
        graphs = [(path.read_bytes(), onnx_reader.read(path.read_bytes(), "net")) for path in (exact, found)]
    return measure_layers(graphs[0], graphs[1], [row[None] for row in rows[-IMAGES:]])


def rank(layers: list[Layer], culprit: int, whole: bool = False) -> int:
    """Return the turn (0: first) of the culprit, the `culprit`-th convolution, in explain's order."""

    def blame(layer: Layer) -> float:
        return (layer.alone or layer.accumulated).sqnr_db if whole else layer.blame_db

    convolutions = [layer for layer in layers if layer.kind in ("CONV_2D", "Conv", "Relu")]
    of_format = [layer for layer in convolutions if layer.kind != "Conv"] or convolutions  # ONNX: behind its ReLU
    ordered = sorted((layer for layer in layers if layer.kind != "Conv"), key=blame)
    return ordered.index(of_format[culprit])


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100, help="nets of each format")
    count = parser.parse_args().count
    for name, explained in (("tflite", tflite_layers), ("onnx", onnx_layers)):
        turns, whole = [], []
        for seed in range(count):
            generator = np.random.default_rng(seed)
            layers = net(generator)
            place = int(generator.integers(len(WIDTHS) - 1))
            spoil(layers, place, int(generator.integers(WIDTHS[place])), float(np.exp(generator.uniform(3.4, 5.3))))
            inputs = generator.normal(size=(CALIBRATION + IMAGES, SIZE, SIZE, 3)).astype(np.float32)
            found = explained(layers, inputs)
            turns.append(rank(found, place))
            whole.append(rank(found, place, whole=True))
        first, two = (sum(turn < most for turn in turns) for most in (1, 2))
        plain = sum(turn < 2 for turn in whole)
        print(f"{name}: culprit first in {first}, among the first two in {two} of {count} (by whole tensors: {plain})")


if __name__ == "__main__":
    main()
