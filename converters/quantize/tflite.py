"""From one float32 .tflite to float16, dynamic, int8 and int16x8, with ai-edge-quantizer.

What differs from its defaults, each measured on trained nets (`benchmarks/quantization.py`):
- ranges, scope, equalisation and bias corrections did best on images held out (`choice`); no moving average;
- dynamic leaves weights of fewer than 1024 elements in float, as TFLiteConverter does: 10 dB more for 3 % of the size;
- additions for int16 carry `pot_scale_int16 = false`: the scales are no powers of two, and the runtime refuses the
  graph that claims so.
"""

from __future__ import annotations

import collections
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert.tools import flatbuffer_utils
from ai_edge_quantizer import qtyping, recipe_manager

from edgebench.converters.base import ANY, TARGETS, Promise, Quantised
from edgebench.converters.quantize import tflite_static
from edgebench.converters.quantize.choice import choose
from edgebench.converters.quantize.mixed import make as make_mixed
from edgebench.converters.quantize.mixed.trials import Setting
from edgebench.converters.quantize.plans import AUTO, EVERY, PRODUCTS
from edgebench.converters.quantize.tflite_rules import apply_rules, read_graph
from edgebench.errors import ConversionError

MIN_WEIGHT_ELEMENTS = 1024
WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED")
"""Operators that carry nearly all the work: in an int8 artifact every one of them computes in integers."""
MOVING = ("QUANTIZE", "DEQUANTIZE", "RESHAPE", "SHAPE", "TRANSPOSE", "SQUEEZE", "EXPAND_DIMS", "PACK", "SLICE")

_OPERATION = qtyping.TFLOperationName
_FLOAT16 = [
    {
        "regex": ".*",
        "operation": "*",
        "algorithm_key": "float_casting",
        "op_config": {
            "weight_tensor_config": {"num_bits": 16, "symmetric": True, "granularity": "TENSORWISE", "dtype": "FLOAT"},
            "compute_precision": "FLOAT",
            "explicit_dequantize": True,
        },
    }
]


@dataclass(frozen=True)
class Audit:
    """How many operators of a graph compute in integers and in floating point, by name."""

    integer: dict[str, int]
    floating: dict[str, int]

    @property
    def words(self) -> str:
        """One line for the manifest."""
        kept = ", ".join(f"{count} {name}" for name, count in sorted(self.floating.items()))
        return f"{sum(self.integer.values())} operators in integers, {sum(self.floating.values())} in float" + (
            f" ({kept})" if kept else ""
        )


def quantise(
    source: Path,
    precision: str,
    path: Path,
    inputs: npt.NDArray[np.float32] | None = None,
    scope: str = AUTO,
    target: str = ANY,
) -> Quantised:
    """Write the .tflite `source` in `precision` to `path`.

    `inputs` (n, ..) are preprocessed calibration inputs in the graph's layout; int8 and int16x8 need them. `scope` is
    `every` (every operator the runtime has an integer kernel for), `products` (convolutions and matrix products only,
    for transformers) or `auto`. `target` is one of TARGETS and changes nothing: these kernels saturate nowhere.
    Raises ConversionError where the result does not keep what its name says.
    """
    if target not in TARGETS:
        raise ConversionError(f"unknown target {target}: known are {', '.join(TARGETS)}")
    content = source.read_bytes()
    if precision in ("float16", "dynamic"):
        path.write_bytes(apply_rules(content, _FLOAT16 if precision == "float16" else _dynamic(), None))
        words = "weights float16, computed in float32"
        if precision == "dynamic":
            words = f"weights int8 a channel from {MIN_WEIGHT_ELEMENTS} elements on, activations quantised as they come"
        return Quantised(words)
    if inputs is None or not len(inputs):
        raise ConversionError(f"{precision} needs calibration inputs")
    bits = 16 if precision == "int16x8" else 8
    if bits == 16:
        content = _general_scales(content)
    fitting = choose_scope(content) if scope == AUTO else scope
    if bits == 16:  # 65,536 steps: nothing to gain from clipping
        fitting = EVERY if fitting == AUTO else fitting
    choice = choose(tflite_static.Graph(content, bits), inputs, fitting, search=bits == 8)
    found = audit(choice.graph)
    check(found, precision, choice.plan.scope)
    path.write_bytes(choice.graph)
    return Quantised(
        f"{choice.plan.words}; weights int8 a channel, activations int{bits}, calibrated on {len(inputs)} inputs",
        (found.words, *choice.notes),
    )


def mixed(
    source: Path, path: Path, inputs: npt.NDArray[np.float32], promise: Promise, *, target: str = ANY
) -> Quantised:
    """Write int8 with the fewest tensors in float that keep `promise` (`mixed.make`). `target` as in `quantise`."""
    scope = choose_scope(source.read_bytes())
    setting = Setting("tflite", str(source), EVERY if scope == AUTO else scope, target == ANY)
    return make_mixed.mixed(setting, path, inputs, promise)


def input_shape(source: Path) -> tuple[int, ...]:
    """Return the shape of a .tflite graph's first input."""
    graph = read_graph(source.read_bytes()).subgraphs[0]
    return tuple(int(edge) for edge in graph.tensors[graph.inputs[0]].shape)


def audit(content: bytes) -> Audit:
    """Count the operators of a .tflite by what they compute in; copies and casts between the two are left out."""
    model = read_graph(content)
    integer: collections.Counter[str] = collections.Counter()
    floating: collections.Counter[str] = collections.Counter()
    for graph in model.subgraphs:
        for operator in graph.operators:
            name = flatbuffer_utils.opcode_to_name(model, operator.opcodeIndex)
            if name not in MOVING:
                kind = graph.tensors[operator.outputs[0]].type
                (floating if kind == flatbuffer_utils.schema_fb.TensorType.FLOAT32 else integer)[name] += 1
    return Audit(dict(integer), dict(floating))


def check(found: Audit, precision: str, scope: str) -> None:
    """Raise ConversionError where an artifact that would be called int8 or int16x8 is not."""
    weighted = {name: count for name, count in found.floating.items() if name in WEIGHTED}
    if weighted or not found.integer:
        named = ", ".join(f"{count} {name}" for name, count in weighted.items()) or "every operator"
        raise ConversionError(f"it would not be {precision}: {named} would compute in float")
    total = sum(found.floating.values()) + sum(found.integer.values())
    if scope == EVERY and sum(found.floating.values()) > total / 2:
        raise ConversionError(f"it would not be {precision}: {found.words}")


def choose_scope(content: bytes) -> str:
    """Return `products` for a graph with attention or layer normalisation, whose full quantisation falls apart."""
    model = read_graph(content)
    names = [
        flatbuffer_utils.opcode_to_name(model, operator.opcodeIndex)
        for graph in model.subgraphs
        for operator in graph.operators
    ]
    attention = "BATCH_MATMUL" in names and names.count("SOFTMAX") > 1
    layer_normalisation = "RSQRT" in names and ("SQUARED_DIFFERENCE" in names or names.count("MEAN") > 4)
    return PRODUCTS if attention or layer_normalisation else AUTO


def _general_scales(content: bytes) -> bytes:
    """Return the graph with every addition and subtraction free of power-of-two scales."""
    model = read_graph(content)
    for graph in model.subgraphs:
        for operator in graph.operators:
            if hasattr(operator.builtinOptions, "potScaleInt16"):
                operator.builtinOptions.potScaleInt16 = False
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _dynamic() -> Any:
    manager = recipe_manager.RecipeManager()
    manager.add_dynamic_config(regex=".*", operation_name=_OPERATION.ALL_SUPPORTED, num_bits=8)
    rules = manager.get_quantization_recipe()
    for rule in rules:
        rule["op_config"]["min_weight_elements"] = MIN_WEIGHT_ELEMENTS
    return rules
