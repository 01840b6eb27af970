"""Nets whose function is kept while one layer is made the culprit: random ones, and one that is trained."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import numpy.typing as npt
import onnx
import tensorflow as tf
from onnx import TensorProto, helper, numpy_helper

from benchmarks import nets

SIZE, WIDTHS, STRIDES, CLASSES = 16, (16, 24, 24, 32, 32, 48), (1, 1, 2, 1, 1, 1), 10
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


def as_tflite(layers: Weights, strides: Sequence[int] = STRIDES, size: int = SIZE) -> bytes:
    """Return the net as a float .tflite."""
    constants = [(tf.constant(w.transpose(2, 3, 1, 0)), tf.constant(b)) for w, b in layers[:-1]]
    head = tf.constant(layers[-1][0].T)

    @tf.function(input_signature=[tf.TensorSpec((1, size, size, 3), tf.float32)])
    def call(image: Any) -> Any:
        for place, (weights, bias) in enumerate(constants):
            image = tf.nn.relu(tf.nn.conv2d(image, weights, strides[place], "SAME") + bias)
        return tf.linalg.matmul(tf.reduce_mean(image, (1, 2)), head) + layers[-1][1]

    return bytes(tf.lite.TFLiteConverter.from_concrete_functions([call.get_concrete_function()]).convert())


def as_onnx(layers: Weights, path: Path, strides: Sequence[int] = STRIDES, size: int = SIZE) -> None:
    """Write the net as a float .onnx."""
    nodes, stored, name = [], [], "image"
    for place, (weights, bias) in enumerate(layers[:-1]):
        stored += [numpy_helper.from_array(weights, f"w{place}"), numpy_helper.from_array(bias, f"b{place}")]
        step = strides[place]
        pads = [2 - step, 2 - step, 1, 1]  # TensorFlow's SAME for even sizes
        nodes += [
            helper.make_node("Conv", [name, f"w{place}", f"b{place}"], [f"conv{place}"], pads=pads, strides=[step] * 2),
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
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, size, size])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, CLASSES])],
        stored,
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))


def trained(folder: Path) -> tuple[Weights, Sequence[int], int]:
    """Return the weights of the trained net in `folder`, made where it is not there, its strides and its size."""
    (path,) = nets.trained(folder, ("digits-logits",))
    model = keras.models.load_model(path)
    parts = [layer for layer in model.layers if layer.get_weights()]
    weights = [[np.asarray(value) for value in layer.get_weights()] for layer in parts]
    layers = [(kernel.transpose(3, 2, 0, 1).copy(), bias.copy()) for kernel, bias in weights[:-1]]
    layers[0] = (layers[0][0] / np.float32(255), layers[0][1])  # instead of its Rescaling
    strides = [layer.strides[0] for layer in parts[:-1]]
    return [*layers, (weights[-1][0].T.copy(), weights[-1][1].copy())], strides, int(model.input_shape[1])
