"""From one float32 .onnx to float16, dynamic and int8, with onnxruntime's quantiser.

- int8 weights are chosen so that no processor saturates (`safe_weights`); a target that cannot gets all 8 bits.
- ranges, scope, equalisation and bias corrections are those that did best on images held out (`choice`).
"""

from __future__ import annotations

import collections
import contextlib
import io
import logging
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnxconverter_common import float16
from onnxruntime.quantization.shape_inference import quant_pre_process

from edgebench.converters.base import ANY, TARGETS, Promise, Quantised
from edgebench.converters.quantize import onnx_dynamic, onnx_graph
from edgebench.converters.quantize.choice import choose
from edgebench.converters.quantize.mixed import make as make_mixed
from edgebench.converters.quantize.mixed.trials import Setting
from edgebench.converters.quantize.plans import AUTO, EVERY, PRODUCTS
from edgebench.errors import ConversionError

WEIGHTED = ("Conv", "ConvTranspose", "Gemm")
MOVING = ("QuantizeLinear", "DequantizeLinear", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten")


def quantise(
    source: Path,
    precision: str,
    path: Path,
    inputs: npt.NDArray[np.float32] | None = None,
    scope: str = AUTO,
    target: str = ANY,
) -> Quantised:
    """Write the float32 .onnx `source` in `precision` to `path`; inputs and outputs stay float32.

    `inputs` (n, ..) are preprocessed calibration inputs in the graph's layout; int8 needs them. `scope` is `every`
    (every operator with an integer kernel), `products` (convolutions and matrix products only) or `auto`; `target` is
    one of TARGETS. Raises ConversionError where the result does not keep what its name says.
    """
    if target not in TARGETS:
        raise ConversionError(f"unknown target {target}: known are {', '.join(TARGETS)}")
    with prepared(source) as graph:
        try:
            if precision == "float16":
                return _float16(graph, path)
            if precision == "dynamic":
                return onnx_dynamic.quantise(graph, path)
            if inputs is None or not len(inputs):
                raise ConversionError(f"{precision} needs calibration inputs")
            return _int8(graph, path, inputs, scope, target)
        except (ValueError, TypeError, KeyError, RuntimeError, AssertionError) as error:
            raise ConversionError(f"onnxruntime's quantiser: {str(error).splitlines()[0][:300]}") from error


def mixed(
    source: Path, path: Path, inputs: npt.NDArray[np.float32], promise: Promise, *, target: str = ANY
) -> Quantised:
    """Write int8 with the fewest tensors in float that keep `promise`; see `mixed.make`."""
    with prepared(source) as graph:
        scope = choose_scope(onnx_graph.load(str(graph)))
        setting = Setting("onnx", str(graph), EVERY if scope == AUTO else scope, target == ANY)
        return make_mixed.mixed(setting, path, inputs, promise)


@contextlib.contextmanager
def prepared(source: Path) -> Iterator[Path]:
    """Yield the graph as onnxruntime's own preparation leaves it: shapes inferred, constants folded, norms fused."""
    with tempfile.TemporaryDirectory(prefix="edgebench-onnx-") as folder, _quiet():
        path = Path(folder) / "prepared.onnx"
        try:
            quant_pre_process(str(source), str(path), skip_symbolic_shape=True)
        except (ValueError, TypeError, KeyError, RuntimeError, AssertionError) as error:
            raise ConversionError(f"onnxruntime's preparation: {str(error).splitlines()[0][:300]}") from error
        yield path


def input_shape(path: Path) -> tuple[int, ...]:
    """Return the shape of an .onnx graph's first input."""
    graph = onnx.load(str(path), load_external_data=False).graph
    return tuple(int(edge.dim_value) for edge in graph.input[0].type.tensor_type.shape.dim)


def choose_scope(model: Any) -> str:
    """Return `products` for a graph with attention or layer normalisation, whose full quantisation falls apart."""
    names = [node.op_type for node in model.graph.node]
    attention = names.count("Softmax") > 1
    # statistics of the image itself, taken anew at every run; InstanceNormalization is torch's GroupNorm
    normalises = not {"LayerNormalization", "GroupNormalization", "InstanceNormalization"}.isdisjoint(names)
    return PRODUCTS if attention or normalises or names.count("ReduceMean") > 4 * 6 else AUTO


def _float16(prepared: Path, path: Path) -> Quantised:
    model = float16.convert_float_to_float16(onnx.load(str(prepared)), keep_io_types=True)
    onnx.save(model, str(path))
    return Quantised("weights and arithmetic float16, inputs and outputs float32")


def _int8(prepared: Path, path: Path, inputs: npt.NDArray[np.float32], scope: str, target: str) -> Quantised:
    model = onnx_graph.load(str(prepared))
    safe = target == ANY
    choice = choose(onnx_graph.Graph(model, safe), inputs, choose_scope(model) if scope == AUTO else scope)
    integer, floating = audit(choice.graph)
    words = f"{sum(integer.values())} operators in integers, {sum(floating.values())} in float"
    if floating:
        words += f" ({', '.join(f'{count} {name}' for name, count in sorted(floating.items()))})"
    if {name for name in floating if name in WEIGHTED} or not integer:
        raise ConversionError(f"it would not be int8: {words}")
    onnx.save(choice.graph, str(path))
    return Quantised(
        f"{choice.plan.words}; {weights_words(target)}, activations uint8, calibrated on {len(inputs)} inputs; "
        "input and output float32",
        (words, *choice.notes),
    )


def weights_words(target: str) -> str:
    """Return how int8 weights are stored for a target, for the manifest."""
    if target == ANY:
        return "weights int8 a channel, scaled so that no processor saturates"
    return f"weights int8 a channel, all 8 bits used: right on {TARGETS[target]} only"


def audit(model: Any) -> tuple[dict[str, int], dict[str, int]]:
    """Count a QDQ graph's operators that compute in integers (all their inputs dequantised) and in float."""
    producers = {name: node.op_type for node in model.graph.node for name in node.output}
    integer: collections.Counter[str] = collections.Counter()
    floating: collections.Counter[str] = collections.Counter()
    for node in model.graph.node:
        if node.op_type not in MOVING:
            fed = producers.get(node.input[0]) == "DequantizeLinear" if node.input else False
            (integer if fed else floating)[node.op_type] += 1
    return dict(integer), dict(floating)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the library's advice and progress off the streams."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
