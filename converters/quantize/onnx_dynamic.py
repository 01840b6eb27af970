"""float32 .onnx -> int8 weights with float activations between the operators: the precision `dynamic`.

Matrix products quantise their activations as they come. Convolutions keep int8 weights a channel and compute in
float: onnxruntime's ConvInteger takes twice the time and is 10-18 dB worse on trained nets. Their weights stand behind
`Cast` and `Mul`, which onnxruntime folds into a float constant at load; it does not fold `DequantizeLinear`, which then
runs at every inference (a digits MobileNetV2: 0.72 ms where float32 takes 0.15).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from edgebench.converters.base import Quantised

MIN_WEIGHT_ELEMENTS = 1024


def quantise(prepared: Path, path: Path) -> Quantised:
    """Write the preprocessed float32 graph `prepared` to `path` with int8 weights."""
    quantize_dynamic(
        str(prepared),
        str(path),
        op_types_to_quantize=["MatMul", "Gemm", "Gather"],
        per_channel=True,
        reduce_range=True,
        weight_type=QuantType.QInt8,
    )
    model = onnx.load(str(path))
    count = int8_convolution_weights(model)
    onnx.save(model, str(path))
    return Quantised(
        "matrix products: int8 weights a channel (7 bits used), activations quantised as they come; "
        "convolutions: int8 weights a channel, made float32 when the file is loaded, computed in float32",
        (f"{count} convolutions with int8 weights",),
    )


def int8_convolution_weights(model: Any) -> int:
    """Store every large convolution's weights as int8 with a scale a channel, in place; return how many."""
    weights = {value.name: value for value in model.graph.initializer}
    done: dict[str, str] = {}
    nodes: list[Any] = []
    for node in model.graph.node:
        axis = {"Conv": 0, "ConvTranspose": 1}.get(node.op_type)
        if axis is not None and node.input[1] in weights:
            name = node.input[1]
            values = numpy_helper.to_array(weights[name])
            if name not in done and values.size >= MIN_WEIGHT_ELEMENTS and values.dtype == np.float32:
                done[name] = f"{name}_real"
                nodes += _store_int8(model.graph, name, values, axis, done[name])
            node.input[1] = done.get(name, name)
    used = {name for node in model.graph.node for name in node.input}
    for name in done:
        if name not in used:
            model.graph.initializer.remove(weights[name])
    for index, node in enumerate(nodes):
        model.graph.node.insert(index, node)
    return len(done)


def _store_int8(graph: Any, name: str, values: npt.NDArray[np.float32], axis: int, output: str) -> list[Any]:
    """Add the integers and their scales; return the two nodes that make `output` of them, bit for bit q * scale."""
    others = tuple(index for index in range(values.ndim) if index != axis)
    scale = np.maximum(np.abs(values).max(axis=others, keepdims=True), np.float32(1e-12)) / np.float32(127)
    integers = np.clip(np.rint(values / scale), -127, 127).astype(np.int8)
    for suffix, array in (("int8", integers), ("scale", scale.astype(np.float32))):
        graph.initializer.append(numpy_helper.from_array(array, f"{name}_{suffix}"))
    return [
        helper.make_node("Cast", [f"{name}_int8"], [f"{name}_cast"], to=TensorProto.FLOAT, name=f"{name}_cast"),
        helper.make_node("Mul", [f"{name}_cast", f"{name}_scale"], [output], name=output),
    ]
