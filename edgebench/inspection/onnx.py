"""An .onnx as a Graph. The file is untrusted input; external data beside it is not read."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import numpy_helper

from edgebench.errors import UsageError
from edgebench.inspection.graph import Graph, Node, Tensor

# Version matrix of onnxruntime's docs/Versioning.md: opset of the default domain -> first onnxruntime that has it, and
# IR version -> first onnxruntime that reads it. What is newer is said to be newer.
OPSETS = {13: "1.6", 14: "1.8", 15: "1.9", 16: "1.11", 17: "1.12", 18: "1.14", 19: "1.15", 20: "1.17", 21: "1.18"}
IR_VERSIONS = {7: "1.6", 8: "1.9", 9: "1.16", 10: "1.18"}


def read(content: bytes, origin: str) -> Graph:
    """Return the graph of an .onnx. Raises UsageError where it is truncated, foreign or has no graph."""
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except DecodeError as error:
        raise UsageError(f"{origin} is not a whole .onnx file: was it cut short? Copy or convert it again") from error
    if not model.graph.node or not model.graph.input or not model.graph.output:
        raise UsageError(f"{origin} is not an .onnx file with a graph: was it cut short? Copy or convert it again")
    try:
        return _graph(model)
    except (ValueError, TypeError, IndexError, KeyError, OverflowError) as error:
        raise UsageError(f"{origin} is not a whole .onnx file ({error}): copy or convert it again") from error


def _graph(model: Any) -> Graph:
    graph = model.graph
    tensors = {value.name: _described(value) for value in (*graph.value_info, *graph.input, *graph.output)}
    tensors |= {value.name: _stored(value) for value in graph.initializer}
    nodes = []
    for place, node in enumerate(graph.node):
        words = (node.name, node.op_type, *node.input, *node.output)
        if not all(isinstance(word, str) for word in words):  # protobuf hands over bytes that are no UTF-8
            raise ValueError("a name in it is no text")
        name = node.name or f"{node.op_type} {place}"
        nodes.append(Node(name, node.op_type, tuple(node.input), tuple(filter(None, node.output))))
        if node.op_type == "Constant":
            value = next((item.t for item in node.attribute if item.name == "value"), None)
            if value is not None:
                tensors[node.output[0]] = _stored(value, node.output[0])
    tensors |= _quantised(nodes, tensors, {value.name: value for value in graph.initializer})
    stored = {value.name for value in graph.initializer}
    return Graph(
        format="onnx",
        nodes=tuple(nodes),
        tensors=tensors,
        inputs=tuple(value.name for value in graph.input if value.name not in stored),
        outputs=tuple(value.name for value in graph.output),
        needs=_needs(model),
    )


def _described(value: Any) -> Tensor:
    kind = value.type.tensor_type
    shape = tuple(int(edge.dim_value) if edge.HasField("dim_value") else -1 for edge in kind.shape.dim)
    return Tensor(value.name, shape, _dtype(kind.elem_type))


def _stored(value: Any, name: str = "") -> Tensor:
    if value.data_location == onnx.TensorProto.EXTERNAL:
        raise UsageError("its weights lie in another file: save it as one file")
    array = numpy_helper.to_array(value)
    sane = array.dtype.kind != "f" or not np.isnan(array).any()
    return Tensor(
        name or value.name, tuple(array.shape), _dtype(value.data_type), max(array.nbytes, 1), sane=bool(sane)
    )


def _quantised(nodes: list[Node], tensors: dict[str, Tensor], stored: dict[str, onnx.TensorProto]) -> dict[str, Tensor]:
    """Give scales and zero points to the tensors that QuantizeLinear makes and DequantizeLinear reads."""
    found: dict[str, Tensor] = {}
    for node in nodes:
        if node.kind not in ("QuantizeLinear", "DequantizeLinear"):
            continue
        name = node.outputs[0] if node.kind == "QuantizeLinear" else node.inputs[0]
        scales, points = (stored.get(item) for item in (*node.inputs[1:3], "", "")[:2])
        if scales is None:
            continue
        known = tensors.get(name) or found.get(name) or Tensor(name, (), "")
        dtype = known.dtype or (_dtype(points.data_type) if points is not None else "uint8")
        values = numpy_helper.to_array(scales).reshape(-1)
        zeros = numpy_helper.to_array(points).reshape(-1) if points is not None else np.zeros(1)
        found[name] = Tensor(
            name=name,
            shape=known.shape,
            dtype=dtype,
            stored_bytes=known.stored_bytes,
            scales=tuple(float(value) for value in values),
            zero_points=tuple(int(value) for value in zeros),
            sane=known.sane,
        )
    return found


def _dtype(number: int) -> str:
    try:
        return str(onnx.helper.tensor_dtype_to_np_dtype(number)) if number else ""
    except KeyError:
        return f"type {number}"


def _needs(model: Any) -> str:
    opset = max((item.version for item in model.opset_import if item.domain in ("", "ai.onnx")), default=0)
    versions = [OPSETS.get(max(opset, min(OPSETS))), IR_VERSIONS.get(max(model.ir_version, min(IR_VERSIONS)))]
    known = [version for version in versions if version is not None]
    if len(known) < len(versions):
        return f"an onnxruntime newer than {OPSETS[max(OPSETS)]} (opset {opset}, IR {model.ir_version})"
    newest = max(known, key=lambda text: [int(part) for part in text.split(".")])
    return f"onnxruntime {newest} (opset {opset}, IR {model.ir_version})"
