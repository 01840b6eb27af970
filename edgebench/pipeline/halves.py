"""Pixels that lie halfway between two steps of an int8 input: which way they are rounded is half of what int8 loses."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgebench.errors import UsageError
from edgebench.inspection.graph import Graph
from edgebench.inspection.read import read_graph
from edgebench.records import Preprocessing, TensorSpec
from edgebench.runner.preprocess import halves

MOVING = ("Transpose", "Reshape", "Identity")
HALVES = "{count} of {all} pixel values lie halfway between two steps of its {dtype} input: {how}"
HERE = "edgebench and predict.py round them up; an app that does not gives it other inputs"
INSIDE = "the runtime rounds them to even, inside the graph; the last bit of a float decides"


def halves_note(file: Path, kind: str, spec: TensorSpec, preprocessing: Preprocessing, channels: int) -> str:
    """Return what a user must know of the rounding of an artifact's input; empty where no pixel lies halfway."""
    how = HERE
    if np.dtype(spec.dtype).kind == "f":
        how, inner = INSIDE, _inside(file) if kind == "onnx" else None
        if inner is None:
            return ""
        spec = inner
    count = halves(preprocessing, spec, channels) if spec.scale > 0 else 0
    return HALVES.format(count=count, all=256 * channels, dtype=spec.dtype, how=how) if count else ""


def _inside(file: Path) -> TensorSpec | None:
    """Return how an .onnx quantises its float input first of all; None where it does not."""
    try:
        _, graph = read_graph(file, "onnx")
    except UsageError:
        return None  # acceptance has said so
    return _first_step(graph, graph.inputs[0])


def _first_step(graph: Graph, name: str) -> TensorSpec | None:
    for node in graph.consumers.get(name, ()):
        if node.kind == "QuantizeLinear":
            made = graph.tensors[node.outputs[0]]
            if len(made.scales) == len(made.zero_points) == 1 and made.dtype in ("int8", "uint8"):
                return TensorSpec(made.name, made.shape, made.dtype, made.scales[0], made.zero_points[0])
        elif node.kind in MOVING:
            return _first_step(graph, node.outputs[0])
    return None
