"""A float32 .onnx graph and ranges -> the QDQ graph: onnxruntime's quantiser with weights, ranges and scope of ours."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationMethod, QuantType
from onnxruntime.quantization.calibrate import TensorData, TensorsData
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
from onnxruntime.quantization.registry import QDQRegistry, QLinearOpsRegistry

from edgebench.converters.quantize import safe_weights
from edgebench.converters.quantize.onnx_running import run_session
from edgebench.converters.quantize.plans import EVERY
from edgebench.converters.quantize.ranges import Observed, Range

PRODUCTS = ("Conv", "ConvTranspose", "MatMul", "Gemm")
PASSING = ("Relu", "Clip", "MaxPool", "Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Pad")
OPERATORS = {"every": tuple(sorted({*QLinearOpsRegistry, *QDQRegistry})), "products": PRODUCTS}
ADDED = 2**30
"""A bias stays within this after it was corrected: half of what 32 bits hold."""


@dataclass(frozen=True)
class Weights:
    """One product's weights as rows (output channels, inputs in the order the kernel adds them)."""

    node: str
    name: str
    axis: int  # of the output channels
    rows: npt.NDArray[np.float32]
    pairs: bool  # whether its kernel adds neighbours in 16 bits


def prepare(model: Any) -> Any:
    """Give every convolution and matrix product a name and a bias of its own, in place; return the model."""
    graph = model.graph
    constants = {value.name: value for value in graph.initializer}
    seen: set[str] = set()
    for index, node in enumerate(graph.node):
        node.name = node.name or f"{node.op_type}_{index}"
        if node.op_type not in ("Conv", "Gemm") or node.input[1] not in constants:
            continue
        if len(node.input) == 3 and node.input[2] and node.input[2] not in constants:
            continue
        if len(node.input) < 3 or not node.input[2]:
            values = np.zeros(_rows(node, numpy_helper.to_array(constants[node.input[1]])).shape[0], np.float32)
        else:
            values = numpy_helper.to_array(constants[node.input[2]])
        if len(node.input) < 3 or not node.input[2] or node.input[2] in seen:
            name = f"{node.name}_own_bias"
            graph.initializer.append(numpy_helper.from_array(values.copy(), name))
            node.input[:] = [*node.input[:2], name]
        seen.add(node.input[2])
    return model


def products(model: Any) -> list[Weights]:
    """Return the constant weights of every product, in the graph's order."""
    constants = {value.name: value for value in model.graph.initializer}
    found: dict[str, Weights] = {}
    for node in model.graph.node:
        if node.op_type in ("Conv", "MatMul", "Gemm") and node.input[1] in constants:
            values = numpy_helper.to_array(constants[node.input[1]])
            if values.dtype != np.float32 or values.ndim < 2 or (node.op_type != "Conv" and values.ndim != 2):
                continue
            rows = _rows(node, values)
            groups = next((attribute.i for attribute in node.attribute if attribute.name == "group"), 1)
            depthwise = node.op_type == "Conv" and 1 < groups == len(values)
            axis = 0 if node.op_type == "Conv" or _transposed(node) else 1
            found.setdefault(node.input[1], Weights(node.name, node.input[1], axis, rows, not depthwise))
    return list(found.values())


def observe(model: Any, inputs: npt.NDArray[np.float32]) -> dict[str, Observed]:
    """Run the float graph on every input and return what each float tensor was."""
    watched = copy.deepcopy(model)
    made = [name for node in watched.graph.node for name in node.output if name]
    kinds = {value.name: value.type.tensor_type.elem_type for value in watched.graph.value_info}
    known = {value.name for value in watched.graph.output}
    names = [name for name in made if name in known or kinds.get(name) == TensorProto.FLOAT]
    watched.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names if name not in known
    )
    source = watched.graph.input[0].name
    session = run_session(watched, optimise=False)
    found = {name: Observed() for name in (source, *names)}
    for row in inputs:
        found[source].add(row)
        for name, values in zip(names, session.run(names, {source: row[None]}), strict=True):
            if values.size:
                found[name].add(values, 1 if values.ndim == 4 else -1)
    return {name: seen for name, seen in found.items() if seen.samples}


def build(
    model: Any,
    ranges: Mapping[str, Range],
    scope: str = EVERY,
    floating: Iterable[str] = (),
    safe: bool = True,
) -> Any:
    """Return the int8 graph: uint8 activations in `ranges`, int8 weights a channel, int32 biases.

    The nodes named in `floating` stay in float. With `safe` the weights cannot saturate on any processor.
    """
    source = copy.deepcopy(model)
    weights = {found.name: found for found in products(source)}
    integers: dict[str, npt.NDArray[np.int8]] = {}
    overrides: dict[str, object] = {}
    for name, found in weights.items():
        integers[name], scales = safe_weights.quantise_channels(found.rows, safe and found.pairs)
        overrides[name] = [
            {"axis": found.axis, "scale": np.float32(scale), "zero_point": 0, "quant_type": QuantType.QInt8}
            for scale in scales
        ]
    data = {
        name: TensorData(lowest=np.array(low, np.float32), highest=np.array(high, np.float32))
        for name, (low, high) in ranges.items()
    }
    work = QDQQuantizer(
        source, True, False, QuantType.QInt8, QuantType.QUInt8, TensorsData(CalibrationMethod.MinMax, data),
        [], list(floating), list(OPERATORS[scope]), {"TensorQuantOverrides": overrides, "MinimumRealRange": 1e-6},
    )  # fmt: skip
    made = work.quantize_model()
    _place(made, weights, integers)
    return made


def coarse(model: Any, node: str, safe: bool = True) -> Any | None:
    """Return the float graph with the weights of one product rounded as `build` does; None where it has none."""
    found = next((weights for weights in products(model) if weights.node == node), None)
    if found is None:
        return None
    made = copy.deepcopy(model)
    stored = next(value for value in made.graph.initializer if value.name == found.name)
    integers, scales = safe_weights.quantise_channels(found.rows, safe and found.pairs)
    rows = (integers * scales[:, None]).astype(np.float32)
    stored.CopyFrom(numpy_helper.from_array(_unrows(rows, tuple(stored.dims), found.axis), found.name))
    return made


def cut(model: Any) -> Any:
    """Return the graph ending before its last softmax or sigmoid; as it is where it ends otherwise."""
    makers = {name: node for node in model.graph.node for name in node.output}
    found = makers.get(model.graph.output[0].name)
    while found is not None and found.op_type in ("QuantizeLinear", "DequantizeLinear"):
        found = makers.get(found.input[0])
    if found is None or found.op_type not in ("Softmax", "Sigmoid"):
        return model
    short = copy.deepcopy(model)
    del short.graph.output[:]
    short.graph.output.append(helper.make_tensor_value_info(found.input[0], TensorProto.FLOAT, None))
    return short


def correct_biases(
    made: Any, inputs: npt.NDArray[np.float32], nodes: Iterable[str], reference: Mapping[str, Any]
) -> Any:
    """Return the graph with the int32 biases of `nodes` shifted by the mean error of their outputs over `inputs`.

    `reference` holds the float graph's mean output a channel of each node (`means`).
    """
    made, nodes = copy.deepcopy(made), set(nodes)
    found = means(made, inputs, nodes)
    constants = {value.name: value for value in made.graph.initializer}
    makers = {name: node for node in made.graph.node for name in node.output}
    for node in made.graph.node:
        if node.name not in nodes or len(node.input) < 3 or node.name not in reference:
            continue
        source = makers.get(node.input[2])
        if source is None or source.op_type != "DequantizeLinear" or source.input[0] not in constants:
            continue
        bias = constants[source.input[0]]
        scale = numpy_helper.to_array(constants[source.input[1]]).astype(np.float64)
        shift = (reference[node.name] - found[node.name]) / scale
        values = numpy_helper.to_array(bias).astype(np.float64) + np.rint(shift)
        if np.isfinite(values).all() and np.abs(values).max() < ADDED:
            bias.CopyFrom(numpy_helper.from_array(values.astype(np.int32), bias.name))
    return made


def means(model: Any, inputs: npt.NDArray[np.float32], nodes: Iterable[str]) -> dict[str, npt.NDArray[np.float64]]:
    """Return the mean output a channel of each named Conv or Gemm, over inputs and places."""
    watched = copy.deepcopy(model)
    wanted = set(nodes)
    outputs_of = {node.name: node.output[0] for node in watched.graph.node if node.name in wanted}
    known = {value.name for value in watched.graph.output}
    watched.graph.output.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
        for name in outputs_of.values()
        if name not in known
    )
    session = run_session(watched, optimise=False)
    source = watched.graph.input[0].name
    totals: dict[str, npt.NDArray[np.float64]] = {name: np.zeros(1) for name in outputs_of}
    for row in inputs:
        for name, values in zip(outputs_of, session.run(list(outputs_of.values()), {source: row[None]}), strict=True):
            places = tuple(axis for axis in range(values.ndim) if axis != 1)
            totals[name] = totals[name] + values.mean(axis=places, dtype=np.float64)
    return {name: total / len(inputs) for name, total in totals.items()}


def _place(made: Any, weights: Mapping[str, Weights], integers: Mapping[str, npt.NDArray[np.int8]]) -> None:
    """Put our integers where the quantiser rounded by itself: the last bit decides whether a pair saturates."""
    constants = {value.name: value for value in made.graph.initializer}
    for name, found in weights.items():
        stored = constants.get(f"{name}_quantized")
        if stored is None or stored.data_type != TensorProto.INT8:
            continue
        shape = tuple(stored.dims)
        values = _unrows(integers[name], shape, found.axis)
        stored.CopyFrom(numpy_helper.from_array(values, stored.name))


def _rows(node: Any, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(output channels, inputs): a convolution's inputs in the order place, channel."""
    if node.op_type == "Conv":
        return np.moveaxis(values, 1, -1).reshape(len(values), -1)
    return values if _transposed(node) else values.T


def _unrows(rows: npt.NDArray[Any], shape: tuple[int, ...], axis: int) -> npt.NDArray[Any]:
    if len(shape) > 2:
        return np.ascontiguousarray(np.moveaxis(rows.reshape(shape[0], *shape[2:], shape[1]), -1, 1))
    return np.ascontiguousarray(rows if axis == 0 else rows.T)


def _transposed(node: Any) -> bool:
    return node.op_type == "Gemm" and any(a.name == "transB" and a.i for a in node.attribute)
