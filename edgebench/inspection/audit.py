"""What a graph really computes in: its arithmetic operator by operator, its weights by dtype, its float islands."""

from __future__ import annotations

import collections
import math
from collections.abc import Iterable
from dataclasses import dataclass

from edgebench.inspection.graph import LIMITS, Graph, Node

FLOAT = ("float32", "float16", "float64")
NARROW = ("int8", "uint8", "int4", "uint4")


@dataclass(frozen=True)
class Words:
    """A format's own names for what every format has."""

    weighted: frozenset[str]  # operators that carry nearly all the work, and in which place their weights are
    conversions: frozenset[str]  # between integers and floating point
    moving: frozenset[str]  # compute nothing
    unpacking: frozenset[str]  # may stand between stored weights and the operator that uses them
    on_the_fly: frozenset[str]  # quantise their activations themselves, anew at every run
    integers: frozenset[str]  # compute in integers whatever stands around them


TFLITE = Words(
    weighted=frozenset(
        {"CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED", "BATCH_MATMUL", "CONV_3D"}
    ),
    conversions=frozenset({"QUANTIZE", "DEQUANTIZE"}),
    moving=frozenset({"RESHAPE", "SHAPE", "TRANSPOSE", "SQUEEZE", "EXPAND_DIMS", "PACK", "SLICE", "STRIDED_SLICE"}),
    unpacking=frozenset({"DEQUANTIZE", "TRANSPOSE", "RESHAPE", "CAST"}),
    on_the_fly=frozenset(),
    integers=frozenset(),
)
ONNX = Words(
    weighted=frozenset(
        {"Conv", "ConvTranspose", "Gemm", "MatMul", "ConvInteger", "MatMulInteger", "QLinearConv", "QLinearMatMul"}
        | {"DynamicQuantizeMatMul", "MatMulIntegerToFloat", "FusedConv", "FusedMatMul", "FusedGemm", "QGemm"}
    ),
    conversions=frozenset({"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear"}),
    moving=frozenset(
        {"Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Shape", "Constant", "Identity", "Slice", "Gather"}
    ),
    unpacking=frozenset({"DequantizeLinear", "Cast", "Mul", "Transpose", "Reshape", "Identity"}),
    on_the_fly=frozenset({"ConvInteger", "MatMulInteger", "DynamicQuantizeMatMul", "MatMulIntegerToFloat"}),
    integers=frozenset({"QLinearConv", "QLinearMatMul", "QGemm"}),
)
WORDS = {"tflite": TFLITE, "onnx": ONNX}


@dataclass(frozen=True)
class Arithmetic:
    """What one operator with weights works on: numpy dtype names, `weights` empty where both sides vary."""

    node: Node
    activations: str
    weights: str
    elements: int  # of its weights


@dataclass(frozen=True)
class Island:
    """Neighbouring operators that compute in float inside an integer graph, with the conversions at their border."""

    operators: tuple[str, ...]  # kinds, in order
    conversions: int


@dataclass(frozen=True)
class Audit:
    """What is inside a graph. Counts are of operators; conversions and operators that only move data are apart."""

    operators: dict[str, int]  # kind -> count, all of them
    integer: dict[str, int]  # kind -> count, of those that compute in integers
    floating: dict[str, int]
    weighted: tuple[Arithmetic, ...]
    weight_bytes: dict[str, int]  # dtype -> bytes of constants
    conversions: int
    islands: tuple[Island, ...]
    custom: tuple[str, ...]  # operators that are no part of the format
    precision: str  # the true one


def audit(graph: Graph) -> Audit:
    """Look at every operator and constant of a graph."""
    words = WORDS[graph.format]
    computing = [node for node in graph.nodes if node.kind not in words.conversions | words.moving]
    kinds = {node.name: _computes_in(graph, node, words) for node in computing}
    weighted = tuple(
        arithmetic
        for node in computing
        if node.kind in words.weighted and (arithmetic := _arithmetic(graph, node, words)) is not None
    )
    weights: collections.Counter[str] = collections.Counter()
    for tensor in graph.constants():
        weights[tensor.dtype] += tensor.stored_bytes
    integer = collections.Counter(node.kind for node in computing if kinds[node.name] != "float")
    floating = [node for node in computing if kinds[node.name] == "float"]
    return Audit(
        operators=_counted(node.kind for node in graph.nodes),
        integer=dict(integer.most_common()),
        floating=_counted(node.kind for node in floating),
        weighted=weighted,
        weight_bytes=dict(weights.most_common()),
        conversions=sum(_converts(graph, node, kinds, words) for node in graph.nodes),
        islands=_islands(graph, floating, words) if integer else (),
        custom=tuple(dict.fromkeys(node.kind for node in graph.nodes if node.kind.startswith("custom "))),
        precision=true_precision(weighted, graph),
    )


def true_precision(weighted: Iterable[Arithmetic], graph: Graph) -> str:
    """Name a graph's precision by what its operators with weights work on; `unknown` where it has none."""
    found = list(weighted)
    activations = {item.activations for item in found}
    weights = {item.weights for item in found if item.weights}
    integers = activations & {"int8", "uint8", "int16"}
    if integers:
        if activations - integers:
            return "mixed"
        return "int16x8" if "int16" in integers else "int8"
    if weights & set(NARROW):
        return "dynamic"
    halves = sum(tensor.elements for tensor in graph.constants() if tensor.dtype == "float16")
    singles = sum(tensor.elements for tensor in graph.constants() if tensor.dtype == "float32")
    if halves > singles or "float16" in weights:
        return "float16"
    return "float32" if found or singles else "unknown"


def _arithmetic(graph: Graph, node: Node, words: Words) -> Arithmetic | None:
    """Return what an operator with weights works on."""
    varying, stored = [], []
    for name in node.inputs:
        constant = graph.stored(name, words.unpacking)
        if constant is None:
            varying.append(name)
        elif constant.elements > 1 or constant.dtype in NARROW:
            stored.append(constant)
    if not varying:
        return None  # folded at load
    largest = max(stored, key=lambda tensor: tensor.elements, default=None)
    activations = _activations(graph, node, varying[0], words)
    return Arithmetic(node, activations, largest.dtype if largest else "", largest.elements if largest else 0)


def _activations(graph: Graph, node: Node, name: str, words: Words) -> str:
    if node.kind in words.on_the_fly:
        return "float32"
    if node.kind in words.integers:
        return "int8"
    if graph.format == "onnx" and graph.producer_kind(name) == "DequantizeLinear":
        source = graph.tensors.get(graph.producers[name].inputs[0])
        return source.dtype if source and source.dtype else "uint8"
    tensor = graph.tensors.get(name)
    return tensor.dtype if tensor and tensor.dtype else "float32"


def _computes_in(graph: Graph, node: Node, words: Words) -> str:
    """Return `integer` or `float` (integers that only count, such as shapes, compute nothing worth a name)."""
    if node.kind in words.integers | words.on_the_fly:
        return "integer"
    if graph.format == "onnx":
        fed = (name for name in node.inputs if graph.producer_kind(name) == "DequantizeLinear")
        return "integer" if any(graph.stored(name, words.unpacking) is None for name in fed) else "float"
    dtypes = {graph.tensors[name].dtype for name in node.outputs if name in graph.tensors}
    return "float" if dtypes & set(FLOAT) else "integer"


def _converts(graph: Graph, node: Node, kinds: dict[str, str], words: Words) -> bool:
    """Whether a conversion is one at run time: in a QDQ graph those around integer operators are only notation."""
    if node.kind not in words.conversions or not _varies(graph, node):
        return False
    if graph.format == "tflite" or node.kind == "DynamicQuantizeLinear":
        return True
    if node.kind == "QuantizeLinear":
        maker = _computing_before(graph, node.inputs[0], words)
        return maker is None or kinds.get(maker.name) != "integer"
    readers = graph.consumers.get(node.outputs[0], ())
    return not readers or any(kinds.get(reader.name) == "float" for reader in readers)


def _varies(graph: Graph, node: Node) -> bool:
    return graph.stored(node.inputs[0], WORDS[graph.format].unpacking) is None if node.inputs else False


def _islands(graph: Graph, floating: list[Node], words: Words) -> tuple[Island, ...]:
    """Group neighbouring float operators, across operators that only move data."""
    group = {node.name: number for number, node in enumerate(floating)}
    members = {node.name: node for node in floating}
    for node in floating:
        for name in node.inputs:
            before = _computing_before(graph, name, words)
            if before is not None and before.name in members and group[before.name] != group[node.name]:
                old, new = group[node.name], group[before.name]
                group = {item: new if number == old else number for item, number in group.items()}
    found = []
    for number in dict.fromkeys(group.values()):
        inside = [node for node in floating if group[node.name] == number]
        found.append(Island(tuple(node.kind for node in inside), _border(graph, inside, words)))
    return tuple(sorted(found, key=lambda island: -len(island.operators)))


def _computing_before(graph: Graph, name: str, words: Words) -> Node | None:
    for _ in range(len(graph.nodes)):
        node = graph.producers.get(name)
        if node is None or node.kind not in words.moving or not node.inputs:
            return node
        name = node.inputs[0]
    return None


def _border(graph: Graph, inside: list[Node], words: Words) -> int:
    """Count the conversions that feed a group and that read from it."""
    makers = {
        maker.name
        for node in inside
        for name in node.inputs
        if (maker := graph.producers.get(name)) and maker.kind in words.conversions and _varies(graph, maker)
    }
    readers = {
        reader.name
        for node in inside
        for name in node.outputs
        for reader in graph.consumers.get(name, ())
        if reader.kind in words.conversions
    }
    return len(makers | readers)


def _counted(kinds: Iterable[str]) -> dict[str, int]:
    return dict(collections.Counter(kinds).most_common())


def broken_tensors(graph: Graph) -> list[str]:
    """Say which tensors no converter writes: stored values that are not numbers, impossible scales and zero points."""
    found = []
    for tensor in graph.tensors.values():
        low, high = LIMITS.get(tensor.dtype, (-math.inf, math.inf))
        if not tensor.sane:
            found.append(f"{tensor.name} holds values that are not numbers")
        elif any(not (math.isfinite(scale) and scale > 0) for scale in tensor.scales):
            found.append(f"{tensor.name} has a scale that is not above zero")
        elif any(not low <= point <= high for point in tensor.zero_points):
            found.append(f"{tensor.name} has a zero point outside {tensor.dtype}")
    return found
