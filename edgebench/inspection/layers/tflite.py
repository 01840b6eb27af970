"""Every tensor of a .tflite while it runs, and one of its operators alone, on LiteRT's kernels without delegates."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from ai_edge_litert.tools import flatbuffer_utils

from edgebench.errors import UsageError
from edgebench.inspection.graph import Graph, Node
from edgebench.inspection.layers.figures import Floats
from edgebench.records import TensorSpec
from edgebench.runner.preprocess import to_input

CHANNELS = -1  # axis


class Taps:
    """One loaded file whose every tensor can be read after a run."""

    def __init__(self, content: bytes, graph: Graph) -> None:
        self._interpreter = _open(content, keep=True)
        self._places = {name: place for place, name in enumerate(graph.tensors)}
        self._graph = graph

    def run(self, batch: Floats) -> None:
        """Run it on preprocessed float32 (1, ..) values."""
        detail = self._interpreter.get_input_details()[0]
        _feed(self._interpreter, detail, batch)
        self._interpreter.invoke()

    def value(self, node: Node) -> Floats:
        """Return the real values of a node's first output."""
        return self.tensor(node.outputs[0])

    def tensor(self, name: str) -> Floats:
        """Return the real values of a tensor as the last run left them."""
        tensor = self._graph.tensors[name]
        return _real(self._interpreter.get_tensor(self._places[name]), tensor.scales, tensor.zero_points)

    def holds(self, node: Node) -> tuple[float, float]:
        """Return the real values between which a node's output can lie; infinite where it is not quantised."""
        return self._graph.tensors[node.outputs[0]].holds


def parse(content: bytes) -> Any:
    """Return what `Alone` cuts operators out of."""
    return flatbuffer_utils.read_model_from_bytearray(bytearray(content))


class Alone:
    """One operator of a file as a model of its own: exact inputs in, what it makes of them out."""

    def __init__(self, parsed: Any, graph: Graph, node: Node) -> None:
        model, subgraph = copy.copy(parsed), copy.copy(parsed.subgraphs[0])
        names = list(graph.tensors)
        self.inputs = tuple(dict.fromkeys(name for name in node.inputs if not graph.tensors[name].constant))
        operator = copy.copy(subgraph.operators[int(node.name)])
        used = sorted({int(place) for place in (*operator.inputs, *operator.outputs) if place >= 0})
        places = {-1: -1, **{old: new for new, old in enumerate(used)}}
        operator.inputs = [places[int(place)] for place in operator.inputs]
        operator.outputs = [places[int(place)] for place in operator.outputs]
        subgraph.tensors, model.buffers = _kept(parsed, used)
        subgraph.operators = [operator]
        subgraph.inputs = [places[names.index(name)] for name in self.inputs]
        subgraph.outputs = [places[names.index(node.outputs[0])]]
        model.subgraphs, model.signatureDefs, model.metadata = [subgraph], [], []
        self._interpreter = _open(bytes(flatbuffer_utils.convert_object_to_bytearray(model)), keep=False)
        self._output = graph.tensors[node.outputs[0]]

    def run(self, inputs: tuple[Floats, ...]) -> Floats:
        """Return its real output for the exact values of `self.inputs`."""
        for detail, values in zip(self._interpreter.get_input_details(), inputs, strict=True):
            _feed(self._interpreter, detail, values)
        self._interpreter.invoke()
        raw = self._interpreter.get_tensor(self._interpreter.get_output_details()[0]["index"])
        return _real(raw, self._output.scales, self._output.zero_points)


def _kept(parsed: Any, used: list[int]) -> tuple[list[Any], list[Any]]:
    """Return these tensors and their buffers, the empty one first: a layer's model is as small as the layer."""
    tensors, buffers = [], [parsed.buffers[0]]
    for place in used:
        tensor = copy.copy(parsed.subgraphs[0].tensors[place])
        buffer = copy.copy(parsed.buffers[tensor.buffer])
        if buffer.data is not None:
            buffer.data = np.frombuffer(bytes(buffer.data), np.uint8)  # as a list it is written byte by byte
            tensor.buffer = len(buffers)
            buffers.append(buffer)
        else:
            tensor.buffer = 0
        tensors.append(tensor)
    return tensors, buffers


def _open(content: bytes, keep: bool) -> Any:
    try:
        interpreter = Interpreter(
            model_content=content,
            num_threads=1,
            experimental_preserve_all_tensors=keep,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise UsageError(f"LiteRT does not take it: {str(error).splitlines()[0][:300]}") from error
    return interpreter


def _feed(interpreter: Any, detail: Any, values: Floats) -> None:
    scale, zero_point = detail["quantization"]
    shape = tuple(int(edge) for edge in detail["shape"])
    spec = TensorSpec(detail["name"], shape, np.dtype(detail["dtype"]).name, float(scale), int(zero_point))
    interpreter.set_tensor(detail["index"], to_input(values.reshape(shape), spec))


def _real(raw: Any, scales: tuple[float, ...], zero_points: tuple[int, ...]) -> Floats:
    values: Floats = np.asarray(raw, np.float32)
    if len(scales) == 1 and np.asarray(raw).dtype.kind in "iu":
        values = (values - np.float32(zero_points[0])) * np.float32(scales[0])
    return values
