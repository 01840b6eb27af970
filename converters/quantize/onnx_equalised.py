"""A float .onnx with its channels equalised: the same function, closer to what 8 bits a tensor can hold."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import numpy_helper

from edgebench.converters.quantize.equalise import Factors, Operator

POOLS = ("MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "Flatten", "Reshape", "Squeeze", "Identity")
Constants = Mapping[str, Any]


def channels(model: Any) -> tuple[list[Operator], list[str]]:
    """Return a graph's operators as equalisation sees them, and the activations whose channels stay as they are."""
    graph = model.graph
    constants = {value.name: value for value in graph.initializer}
    seen = [_seen(node, constants) for node in graph.node]
    return seen, [value.name for value in (*graph.input, *graph.output)]


def scaled(model: Any, scales: Mapping[str, Factors]) -> Any:
    """Return a copy of the model with the channels of activations multiplied; the function stays."""
    made = copy.deepcopy(model)
    constants = {value.name: value for value in made.graph.initializer}
    for node in made.graph.node:
        what = _seen(node, constants)
        if what.product:
            before, after = scales.get(what.inputs[0]), scales.get(what.outputs[0])
            if before is not None or after is not None:
                _rescale(made.graph, node, constants, before, after)
    used = {name for node in made.graph.node for name in node.input}
    for value in [value for value in made.graph.initializer if value.name not in used]:
        made.graph.initializer.remove(value)
    return made


def _seen(node: Any, constants: Constants) -> Operator:
    inputs = tuple(name for name in node.input if name and name not in constants)
    names = inputs, tuple(node.output)
    if len(node.output) != 1 or not inputs:
        return Operator(*names)
    if node.op_type in ("Conv", "Gemm", "MatMul"):
        return Operator(*names, product=len(inputs) == 1 and inputs[0] == node.input[0] and _plain(node, constants))
    if node.op_type == "Relu":
        return Operator(*names, passes=True, fuses=True)
    if node.op_type == "Clip":
        low, high = (_value(node, constants, place) for place in (1, 2))
        return Operator(*names, passes=low == 0 and high is not None, ceiling=high or math.inf, fuses=True)
    if node.op_type == "Add":
        return Operator(*names, passes=len(inputs) == 2)
    if node.op_type == "Pad":
        mode = _attribute(node, "mode")
        zero = len(node.input) < 3 or not node.input[2] or _value(node, constants, 2) == 0
        return Operator(*names, passes=zero and mode in (None, b"constant"))
    return Operator(*names, passes=node.op_type in POOLS and len(inputs) == 1)


def _plain(node: Any, constants: Constants) -> bool:
    """Tell whether a product takes channels one by one: no groups but depthwise ones, no factors of its own."""
    weights = constants.get(node.input[1])
    if weights is None or weights.data_type != 1 or len(weights.dims) < 2:
        return False
    if node.op_type == "Conv":
        groups = _attribute(node, "group") or 1
        return groups == 1 or (groups == weights.dims[0] and weights.dims[1] == 1)
    if node.op_type == "MatMul":
        return len(weights.dims) == 2
    return not _attribute(node, "transA") and all(_attribute(node, name) in (None, 1.0) for name in ("alpha", "beta"))


def _rescale(graph: Any, node: Any, constants: Constants, before: Factors | None, after: Factors | None) -> None:
    """Divide a product's weights by the factors of what it reads, multiply them and its bias by those of its output."""
    weights: npt.NDArray[np.float32] = numpy_helper.to_array(constants[node.input[1]])
    outer = 0 if node.op_type == "Conv" or _attribute(node, "transB") else 1
    depthwise = node.op_type == "Conv" and (_attribute(node, "group") or 1) > 1
    if before is not None:
        weights = weights / _along(before, 0 if depthwise else 1 - outer, weights.ndim)
    if after is not None:
        weights = weights * _along(after, outer, weights.ndim)
        if len(node.input) == 3 and node.input[2]:
            _store(graph, node, 2, numpy_helper.to_array(constants[node.input[2]]) * after)
    _store(graph, node, 1, weights)


def _along(values: Factors, axis: int, dimensions: int) -> Factors:
    shape = [1] * dimensions
    shape[axis] = -1
    return values.reshape(shape)


def _store(graph: Any, node: Any, place: int, values: npt.NDArray[np.float32]) -> None:
    """Give a node a constant of its own: what it had may be another's as well."""
    name = f"{node.input[place]}_{node.output[0]}_equalised"
    graph.initializer.append(numpy_helper.from_array(np.ascontiguousarray(values, np.float32), name))
    node.input[place] = name


def _attribute(node: Any, name: str) -> Any:
    for attribute in node.attribute:
        if attribute.name == name:
            return {1: attribute.f, 2: attribute.i, 3: attribute.s}.get(attribute.type)
    return None


def _value(node: Any, constants: Constants, place: int) -> float | None:
    """Return a constant scalar input, None where there is none."""
    if len(node.input) <= place or node.input[place] not in constants:
        return None
    values = numpy_helper.to_array(constants[node.input[place]])
    return float(values.reshape(-1)[0]) if values.size == 1 else None
