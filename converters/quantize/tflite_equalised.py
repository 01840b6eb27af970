"""A float .tflite with its channels equalised: the same function, closer to what 8 bits a tensor can hold."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert.tools import flatbuffer_utils

from edgebench.converters.quantize.equalise import Factors, Operator
from edgebench.converters.quantize.tflite_rules import read_graph

HOMOGENEOUS = ("RELU", "RELU6", "MAX_POOL_2D", "AVERAGE_POOL_2D", "PAD", "MEAN", "RESHAPE", "ADD")
NONE, RELU, RELU6 = 0, 1, 3
"""The schema's ActivationFunctionType."""


def channels(content: bytes) -> tuple[list[Operator], list[str]]:
    """Return a graph's operators as equalisation sees them, and the activations whose channels stay as they are."""
    model = read_graph(content)
    graph = model.subgraphs[0]
    return _all_seen(model, graph), [name_of(graph, i) for i in (*graph.inputs, *graph.outputs)]


def scaled(content: bytes, scales: Mapping[str, Factors]) -> bytes:
    """Return the graph with the channels of activations multiplied; the function stays."""
    model = read_graph(content)
    graph = model.subgraphs[0]
    for operator, what in zip(graph.operators, _all_seen(model, graph), strict=True):
        if what.product:
            before, after = scales.get(what.inputs[0]), scales.get(what.outputs[0])
            if before is not None or after is not None:
                _rescale(model, graph, operator, before, after)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _all_seen(model: Any, graph: Any) -> list[Operator]:
    made = {int(i) for operator in graph.operators for i in operator.outputs} | {int(i) for i in graph.inputs}
    return [_seen(model, graph, operator, made) for operator in graph.operators]


def _seen(model: Any, graph: Any, operator: Any, made: set[int]) -> Operator:
    kind = str(flatbuffer_utils.opcode_to_name(model, operator.opcodeIndex))
    inputs = [int(i) for i in operator.inputs if int(i) in made]
    output = int(operator.outputs[0])
    fused = int(getattr(operator.builtinOptions, "fusedActivationFunction", NONE) or NONE)
    ceiling = 6.0 if fused == RELU6 or kind == "RELU6" else math.inf
    shapes = [[int(edge) for edge in graph.tensors[i].shape] for i in (*inputs, output)]
    names = tuple(name_of(graph, i) for i in inputs), tuple(name_of(graph, int(i)) for i in operator.outputs)
    if fused not in (NONE, RELU, RELU6) or len(operator.outputs) != 1:
        return Operator(*names)
    if kind in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"):
        weights = constant(model, graph, operator, 1)
        bias = constant(model, graph, operator, 2)
        whole = len(inputs) == 1 and weights is not None and (bias is not None or not _has(operator, 2))
        into = 1 if weights is None else weights.shape[-1]
        if kind == "DEPTHWISE_CONV_2D":
            whole = whole and into == shapes[-1][-1]
        return Operator(*names, product=whole and bool(shapes[0]) and shapes[0][-1] == into, ceiling=ceiling)
    passes = kind in HOMOGENEOUS and all(shape and shape[-1] == shapes[0][-1] for shape in shapes)
    if kind == "ADD":
        passes = passes and len(inputs) == 2 and shapes[0] == shapes[1] == shapes[2]
    if kind == "MEAN":
        axes = _integers(model, graph, operator, 1)
        passes = passes and axes is not None and not {-1, len(shapes[0]) - 1} & set(axes)
    return Operator(*names, passes=passes, ceiling=ceiling)


def _rescale(model: Any, graph: Any, operator: Any, before: Factors | None, after: Factors | None) -> None:
    """Divide a product's weights by the factors of what it reads, multiply them and its bias by those of its output."""
    weights, bias = (constant(model, graph, operator, place) for place in (1, 2))
    assert weights is not None
    depthwise = str(flatbuffer_utils.opcode_to_name(model, operator.opcodeIndex)) == "DEPTHWISE_CONV_2D"
    if before is not None:
        weights = weights / before
    if after is not None:
        weights = weights * (after if depthwise else after.reshape(-1, *[1] * (weights.ndim - 1)))
    store(model, graph, operator, 1, weights)
    if bias is not None and after is not None:
        store(model, graph, operator, 2, bias * after)


def store(model: Any, graph: Any, operator: Any, place: int, values: npt.NDArray[np.float32]) -> None:
    """Replace an operator's constant input; where it is another's as well, the operator gets one of its own."""
    index = int(operator.inputs[place])
    tensor = graph.tensors[index]
    if sum(int(i) == index for other in graph.operators for i in other.inputs) > 1:
        tensor = copy.copy(tensor)
        tensor.name = tensor.name + f";own{len(graph.tensors)}".encode()
        operator.inputs = [len(graph.tensors) if at == place else int(i) for at, i in enumerate(operator.inputs)]
        graph.tensors.append(tensor)
    buffer = model.buffers[tensor.buffer]
    if sum(other.buffer == tensor.buffer for part in model.subgraphs for other in part.tensors) > 1:
        buffer = copy.copy(buffer)
        tensor.buffer = len(model.buffers)
        model.buffers.append(buffer)
    buffer.data = np.frombuffer(np.ascontiguousarray(values, np.float32).tobytes(), np.uint8)


def _has(operator: Any, place: int) -> bool:
    return len(operator.inputs) > place and int(operator.inputs[place]) >= 0


def constant(model: Any, graph: Any, operator: Any, place: int) -> npt.NDArray[np.float32] | None:
    """Return an operator's constant float input, None where it is absent, computed or of another type."""
    if not _has(operator, place):
        return None
    tensor = graph.tensors[operator.inputs[place]]
    data = model.buffers[tensor.buffer].data
    if data is None or not len(data) or flatbuffer_utils.type_to_name(tensor.type) != "FLOAT32":
        return None
    return np.frombuffer(bytes(data), np.float32).reshape([int(edge) for edge in tensor.shape])


def _integers(model: Any, graph: Any, operator: Any, place: int) -> list[int] | None:
    data = model.buffers[graph.tensors[operator.inputs[place]].buffer].data if _has(operator, place) else None
    return None if data is None else [int(value) for value in np.frombuffer(bytes(data), np.int32)]


def name_of(graph: Any, place: int) -> str:
    """Return a tensor's name."""
    return str(graph.tensors[int(place)].name.decode(errors="replace"))
