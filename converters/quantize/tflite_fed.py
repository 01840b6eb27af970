"""What one rounding alone does to the logits of a float .tflite: an activation's values, or a product's weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter
from ai_edge_litert.tools import flatbuffer_utils

from edgebench.converters.quantize.tflite_equalised import constant, name_of, store
from edgebench.converters.quantize.tflite_rules import read_graph

PRODUCTS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
MOST, TINY = 127, 1e-12
Floats = npt.NDArray[np.float32]


def fed(content: bytes, name: str) -> Callable[[Floats, Floats], Floats]:
    """Return a function of (one input (1, ..), the values of activation `name`) -> the graph's first output (1, ..)."""
    model = read_graph(content)
    graph = model.subgraphs[0]
    (place,) = [i for i, tensor in enumerate(graph.tensors) if tensor.name.decode(errors="replace") == name]
    source = int(graph.inputs[0])
    graph.operators, used = _behind(graph, place)
    graph.inputs = [place] if place == source or source not in used else [place, source]
    model.signatureDefs = None
    interpreter = Interpreter(model_content=bytes(flatbuffer_utils.convert_object_to_bytearray(model)), num_threads=2)
    interpreter.allocate_tensors()
    slots = [detail["index"] for detail in interpreter.get_input_details()]
    target = interpreter.get_output_details()[0]["index"]

    def run(row: Floats, values: Floats) -> Floats:
        for slot, fitting in zip(slots, (values, row), strict=False):
            interpreter.set_tensor(slot, fitting)
        interpreter.invoke()
        found: Floats = interpreter.get_tensor(target)
        return found

    return run


def _behind(graph: Any, place: int) -> tuple[list[Any], set[int]]:
    """Return the operators that the output needs when a tensor is given, in order, and every tensor they read."""
    wanted = {int(index) for index in graph.outputs}
    kept: list[Any] = []
    used: set[int] = set()
    for operator in reversed(graph.operators):
        outputs = {int(index) for index in operator.outputs}
        if outputs & wanted and place not in outputs:
            kept.append(operator)
            used |= {int(index) for index in operator.inputs if index >= 0}
            wanted |= used
    return kept[::-1], used


def coarse(content: bytes, name: str) -> bytes | None:
    """Return the graph with the weights of the product that makes `name` rounded to int8; None where it is none."""
    model = read_graph(content)
    graph = model.subgraphs[0]
    for operator in graph.operators:
        kind = str(flatbuffer_utils.opcode_to_name(model, operator.opcodeIndex))
        if name_of(graph, operator.outputs[0]) != name or kind not in PRODUCTS:
            continue
        weights = constant(model, graph, operator, 1)
        if weights is None:
            continue
        outer = weights.ndim - 1 if kind == "DEPTHWISE_CONV_2D" else 0
        others = tuple(axis for axis in range(weights.ndim) if axis != outer)
        scale = np.maximum(np.abs(weights).max(axis=others, keepdims=True), TINY) / MOST
        store(model, graph, operator, 1, np.rint(weights / scale) * scale)
        return bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    return None
