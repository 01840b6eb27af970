"""A float32 .tflite and ranges -> the integer graph by ai-edge-quantizer; tensors watched, biases corrected."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from ai_edge_litert.tools import flatbuffer_utils

from edgebench.converters.quantize.equalise import Factors, Operator
from edgebench.converters.quantize.ranges import Observed, Range
from edgebench.converters.quantize.tflite_equalised import channels, scaled
from edgebench.converters.quantize.tflite_fed import PRODUCTS, coarse, fed
from edgebench.converters.quantize.tflite_rules import apply_rules, read_graph, static_rules, wide_enough
from edgebench.converters.quantize.units import Units, units
from edgebench.records import TensorSpec
from edgebench.runner.preprocess import to_input, to_real

PASSING = ("RELU", "RELU6", "MAX_POOL_2D", "RESHAPE", "TRANSPOSE", "SQUEEZE", "PAD", "PADV2")
Means = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]
BIAS_TYPES: dict[str, type[np.signedinteger[Any]]] = {"INT32": np.int32, "INT64": np.int64}
ALIVE = 0.25
"""A fused activation passes a bias's shift on for the share of values between its ends; taken as this at least."""


def observe(content: bytes, inputs: npt.NDArray[np.float32]) -> dict[str, Observed]:
    """Run the float graph on every input and return what each float activation was."""
    model = read_graph(content)
    graph = model.subgraphs[0]
    made = {int(index) for operator in graph.operators for index in operator.outputs}
    watched = {
        index: graph.tensors[index].name.decode(errors="replace")
        for index in sorted(made | {int(i) for i in graph.inputs})
        if flatbuffer_utils.type_to_name(graph.tensors[index].type) == "FLOAT32"
    }
    found = {name: Observed() for name in watched.values()}
    for interpreter in _runs(content, inputs):
        for index, name in watched.items():
            values = interpreter.get_tensor(index)
            if values.size:
                found[name].add(values)
    return {name: seen for name, seen in found.items() if seen.samples}


def build(
    content: bytes, ranges: Mapping[str, Range], bits: int = 8, scope: str = "every", floating: Iterable[str] = ()
) -> bytes:
    """Return the integer graph with activations in `ranges`; operators with an output in `floating` stay float."""
    rules = static_rules(bits, scope)
    for name in floating:
        rules.append({"regex": f"^{re.escape(name)};?$", "operation": "*", "algorithm_key": "no_quantize"})
    found = {
        name: wide_enough({"min": np.array([[low]], np.float32), "max": np.array([[high]], np.float32)}, bits)
        for name, (low, high) in ranges.items()
    }
    return apply_rules(content, rules, found)


def opened(content: bytes, threads: int = 2) -> Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]:
    """Load a graph with the runtime's own fast kernels: one input (..) -> the first output (1, ..) as real numbers."""
    interpreter = Interpreter(model_content=content, num_threads=threads)
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    taken, given = spec(source), spec(target)

    def run(row: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        interpreter.set_tensor(source["index"], to_input(row[None], taken))
        interpreter.invoke()
        found: npt.NDArray[np.float32] = to_real(interpreter.get_tensor(target["index"]), given)
        return found

    return run


def outputs(content: bytes, inputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the first output (n, ..) as real numbers, one image at a time."""
    return np.concatenate([*map(opened(content), inputs)])


def cut(content: bytes) -> bytes:
    """Return the graph ending before its last softmax or sigmoid; as it is where it ends otherwise."""
    model = read_graph(content)
    graph = model.subgraphs[0]
    makers = {int(index): operator for operator in graph.operators for index in operator.outputs}
    found = makers.get(int(graph.outputs[0]))
    while found is not None and _kind(model, found) in ("QUANTIZE", "DEQUANTIZE"):
        found = makers.get(int(found.inputs[0]))
    if found is None or _kind(model, found) not in ("SOFTMAX", "LOGISTIC"):
        return content
    graph.outputs = [int(found.inputs[0])]
    model.signatureDefs = None
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def spec(details: Any) -> TensorSpec:
    """Return what the interpreter says of one tensor as a record."""
    scale, zero_point = details["quantization"]
    shape = tuple(int(edge) for edge in details["shape"])
    return TensorSpec(details["name"], shape, np.dtype(details["dtype"]).name, float(scale), int(zero_point))


def product_outputs(content: bytes) -> list[str]:
    """Return the names of the outputs of every convolution and matrix product with a bias, in the graph's order."""
    model = read_graph(content)
    graph = model.subgraphs[0]
    return [
        graph.tensors[operator.outputs[0]].name.decode(errors="replace")
        for operator in graph.operators
        if _kind(model, operator) in PRODUCTS and len(operator.inputs) == 3 and operator.inputs[2] >= 0
    ]


def means(content: bytes, inputs: npt.NDArray[np.float32], names: Iterable[str]) -> dict[str, Means]:
    """Return (mean a channel, share of values between the ends of a fused activation a channel) of named tensors."""
    model = read_graph(content)
    graph = model.subgraphs[0]
    wanted = set(names)
    places = {
        int(operator.outputs[0]): graph.tensors[operator.outputs[0]].name.decode(errors="replace")
        for operator in graph.operators
        if graph.tensors[operator.outputs[0]].name.decode(errors="replace") in wanted
    }
    totals: dict[str, list[npt.NDArray[np.float64]]] = {name: [np.zeros(1), np.zeros(1)] for name in places.values()}
    details: dict[int, Any] = {}
    for interpreter in _runs(content, inputs):
        details = details or {item["index"]: item for item in interpreter.get_tensor_details()}
        for index, name in places.items():
            raw = interpreter.get_tensor(index)
            real = to_real(raw.reshape(1, -1), spec(details[index])).reshape(-1, raw.shape[-1])
            inside = (real > real.min()) & (real < real.max())
            totals[name][0] = totals[name][0] + real.mean(axis=0, dtype=np.float64)
            totals[name][1] = totals[name][1] + inside.mean(axis=0)
    return {name: (total / len(inputs), alive / len(inputs)) for name, (total, alive) in totals.items()}


def correct_biases(
    quantised: bytes, inputs: npt.NDArray[np.float32], names: Iterable[str], reference: Mapping[str, Any]
) -> bytes:
    """Return the graph with the integer biases behind the named outputs shifted by their mean error over `inputs`.

    `reference` is `means` of the float graph. What stayed in float, or would overflow, is left as it is.
    """
    found = means(quantised, inputs, names)
    model = read_graph(quantised)
    graph = model.subgraphs[0]
    for operator in graph.operators:
        name = graph.tensors[operator.outputs[0]].name.decode(errors="replace")
        if name not in found or name not in reference or len(operator.inputs) != 3:
            continue
        if _kind(model, operator) in PRODUCTS:
            fused = getattr(operator.builtinOptions, "fusedActivationFunction", 0)
            shift = reference[name][0] - found[name][0]
            _shift(model, graph, operator, shift / np.maximum(reference[name][1], ALIVE) if fused else shift)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _shift(model: Any, graph: Any, operator: Any, shift: npt.NDArray[np.float64]) -> None:
    source, weights, bias = (graph.tensors[index] for index in operator.inputs)
    dtype = BIAS_TYPES.get(flatbuffer_utils.type_to_name(bias.type))
    if dtype is None or sum(tensor.buffer == bias.buffer for tensor in graph.tensors) > 1:
        return
    scale = source.quantization.scale[0] * np.asarray(weights.quantization.scale, np.float64)
    buffer = model.buffers[bias.buffer]
    values = np.frombuffer(bytes(buffer.data), dtype).astype(np.float64) + np.rint(shift / scale)
    bounds = np.iinfo(np.int32)
    if np.isfinite(values).all() and values.min() >= bounds.min / 2 and values.max() <= bounds.max / 2:
        buffer.data = np.frombuffer(values.astype(dtype).tobytes(), np.uint8)


def _runs(content: bytes, inputs: npt.NDArray[np.float32]) -> Any:
    """Yield the interpreter after each input, with every intermediate tensor still there."""
    interpreter = Interpreter(
        model_content=content,
        num_threads=1,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    source = interpreter.get_input_details()[0]
    for row in inputs:
        interpreter.set_tensor(source["index"], to_input(row[None], spec(source)))
        interpreter.invoke()
        yield interpreter


def _kind(model: Any, operator: Any) -> str:
    return str(flatbuffer_utils.opcode_to_name(model, operator.opcodeIndex))


class Graph:
    """A float .tflite as a `plans.Backend`."""

    def __init__(self, content: bytes, bits: int = 8) -> None:
        self._content, self._bits = content, bits
        self._products = product_outputs(content)

    def observe(self, inputs: npt.NDArray[np.float32]) -> dict[str, Observed]:
        """Return what every activation was on `inputs`."""
        return observe(self._content, inputs)

    def build(self, ranges: Mapping[str, Range], scope: str, floating: Iterable[str] = ()) -> bytes:
        """Return the integer graph."""
        return build(self._content, ranges, self._bits, scope, floating)

    def corrected(
        self, made: bytes, inputs: npt.NDArray[np.float32], names: Iterable[str], reference: Mapping[str, Any]
    ) -> bytes:
        """Return the graph with the named products' biases corrected."""
        return correct_biases(made, inputs, names, reference)

    def products(self) -> list[str]:
        """Return the names of the outputs of the products with a bias."""
        return self._products

    def means(self, inputs: npt.NDArray[np.float32], names: Iterable[str]) -> dict[str, Means]:
        """Return the float graph's means."""
        return means(self._content, inputs, names)

    def logits(self, made: bytes | None, inputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the logits of a graph, of the float graph where it is None."""
        return outputs(cut(self._content if made is None else made), inputs)

    def outputs(self, made: bytes | None, inputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the outputs of a graph, of the float graph where it is None."""
        return outputs(self._content if made is None else made, inputs)

    def opened(self, made: bytes) -> Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]:
        """Load a graph to be timed, one thread: one input -> its output."""
        return opened(made, threads=1)

    def channels(self) -> tuple[list[Operator], list[str]]:
        """Return the operators as equalisation sees them, and the activations that it must leave."""
        return channels(self._content)

    def scaled(self, scales: Mapping[str, Factors]) -> Graph:
        """Return the float graph with the channels of activations multiplied."""
        return Graph(scaled(self._content, scales), self._bits)

    def tensors(self, inputs: npt.NDArray[np.float32], names: Iterable[str]) -> dict[str, npt.NDArray[np.float32]]:
        """Return the values (n, ..) of named activations of the float graph on `inputs`."""
        graph = read_graph(self._content).subgraphs[0]
        places = {tensor.name.decode(errors="replace"): index for index, tensor in enumerate(graph.tensors)}
        rows = [[run.get_tensor(places[name]) for name in names] for run in _runs(self._content, inputs)]
        return {name: np.stack(values) for name, values in zip(names, zip(*rows, strict=True), strict=True)}

    def fed(self, name: str) -> Callable[[npt.NDArray[np.float32], npt.NDArray[np.float32]], npt.NDArray[np.float32]]:
        """Return a function of one input and of one activation's values in it: the float graph's logits from there."""
        return fed(cut(self._content), name)

    def coarse(self, name: str) -> bytes | None:
        """Return the float graph with one product's weights rounded to int8; None where `name` is no product's."""
        return coarse(self._content, name)

    def units(self) -> Units:
        """Return every activation that is handed on, with the outputs of the operators that touch it, in order."""
        model = read_graph(self._content)
        graph = model.subgraphs[0]
        names = [tensor.name.decode(errors="replace") for tensor in graph.tensors]
        made = {int(index) for operator in graph.operators for index in operator.outputs} | set(map(int, graph.inputs))
        return units(
            (
                names[int(operator.outputs[0])],
                _kind(model, operator) in PASSING,
                [names[int(index)] for index in operator.inputs if int(index) in made],
                [names[int(index)] for index in operator.outputs],
            )
            for operator in graph.operators
        )

    def write(self, made: bytes, path: Path) -> None:
        """Write a graph."""
        path.write_bytes(made)

    def read(self, path: Path) -> bytes:
        """Read a graph that `write` wrote."""
        return path.read_bytes()
