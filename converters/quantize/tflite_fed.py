"""A float .tflite that goes on from one activation's values: what an error there does to the logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter
from ai_edge_litert.tools import flatbuffer_utils

from edgebench.converters.quantize.tflite_rules import read_graph

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
