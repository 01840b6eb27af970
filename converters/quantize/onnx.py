"""From one float32 .onnx to float16, dynamic and int8, with onnxruntime's quantiser.

- int8 weights use 7 bits (`reduce_range`): x86 processors without VNNI add products in 16 bits, which saturate with 8
  (14.8 dB instead of 21.5 on a small trained net), and an artifact must be right on every processor.
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
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process

from edgebench.converters.base import Quantised
from edgebench.converters.quantize import onnx_dynamic
from edgebench.errors import ConversionError

FULL, MIXED, AUTO = "full", "mixed", "auto"
WEIGHTED = ("Conv", "ConvTranspose", "MatMul", "Gemm")
MIXED_OPERATIONS = ["Conv", "MatMul", "Gemm"]


class _Inputs(CalibrationDataReader):  # type: ignore[misc]  # the library carries no types
    """Feeds preprocessed inputs one by one."""

    def __init__(self, name: str, inputs: npt.NDArray[np.float32]) -> None:
        self._rows = iter(inputs)
        self._name = name

    def get_next(self) -> dict[str, Any] | None:
        """Return the next batch of one, None at the end."""
        row = next(self._rows, None)
        return None if row is None else {self._name: row[None]}


def quantise(
    source: Path, precision: str, path: Path, inputs: npt.NDArray[np.float32] | None = None, recipe: str = AUTO
) -> Quantised:
    """Write the float32 .onnx `source` in `precision` to `path`; inputs and outputs stay float32.

    `inputs` (n, ..) are preprocessed calibration inputs in the graph's layout; int8 needs them. `recipe` as in
    `quantize_tflite`. Raises ConversionError where the result does not keep what its name says.
    """
    with tempfile.TemporaryDirectory(prefix="edgebench-onnx-") as folder, _quiet():
        prepared = Path(folder) / "prepared.onnx"
        try:
            quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
            if precision == "float16":
                return _float16(prepared, path)
            if precision == "dynamic":
                return onnx_dynamic.quantise(prepared, path)
            if inputs is None or not len(inputs):
                raise ConversionError(f"{precision} needs calibration inputs")
            return _int8(prepared, path, inputs, recipe)
        except (ValueError, TypeError, KeyError, RuntimeError, AssertionError) as error:
            raise ConversionError(f"onnxruntime's quantiser: {str(error).splitlines()[0][:300]}") from error


def input_shape(path: Path) -> tuple[int, ...]:
    """Return the shape of an .onnx graph's first input."""
    graph = onnx.load(str(path), load_external_data=False).graph
    return tuple(int(edge.dim_value) for edge in graph.input[0].type.tensor_type.shape.dim)


def choose_recipe(model: Any) -> str:
    """Return `mixed` for a graph with attention or layer normalisation, whose full quantisation falls apart."""
    names = [node.op_type for node in model.graph.node]
    attention = names.count("Softmax") > 1
    # statistics of the image itself, taken anew at every run; InstanceNormalization is torch's GroupNorm
    normalises = not {"LayerNormalization", "GroupNormalization", "InstanceNormalization"}.isdisjoint(names)
    return MIXED if attention or normalises or names.count("ReduceMean") > 4 * 6 else FULL


def _float16(prepared: Path, path: Path) -> Quantised:
    model = float16.convert_float_to_float16(onnx.load(str(prepared)), keep_io_types=True)
    onnx.save(model, str(path))
    return Quantised("weights and arithmetic float16, inputs and outputs float32")


def _int8(prepared: Path, path: Path, inputs: npt.NDArray[np.float32], recipe: str) -> Quantised:
    model = onnx.load(str(prepared))
    recipe = choose_recipe(model) if recipe == AUTO else recipe
    quantize_static(
        str(prepared),
        str(path),
        _Inputs(model.graph.input[0].name, inputs),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=None if recipe == FULL else MIXED_OPERATIONS,
        per_channel=True,
        reduce_range=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod.MinMax,
    )
    integer, floating = audit(onnx.load(str(path)))
    words = f"{sum(integer.values())} operators in integers, {sum(floating.values())} in float"
    if floating:
        words += f" ({', '.join(f'{count} {name}' for name, count in sorted(floating.items()))})"
    left = {name: count for name, count in floating.items() if name in ("Conv", "ConvTranspose", "Gemm")}
    if left or not integer:
        raise ConversionError(f"it would not be int8: {words}")
    kept = "every operator with an integer kernel" if recipe == FULL else "convolutions and matrix products only"
    return Quantised(
        f"{kept}; weights int8 a channel (7 bits used, so that no processor saturates), activations uint8, "
        f"ranges: minimum and maximum over {len(inputs)} inputs; input and output float32",
        (words,),
    )


def audit(model: Any) -> tuple[dict[str, int], dict[str, int]]:
    """Count a QDQ graph's operators that compute in integers (all their inputs dequantised) and in float."""
    producers = {name: node.op_type for node in model.graph.node for name in node.output}
    integer: collections.Counter[str] = collections.Counter()
    floating: collections.Counter[str] = collections.Counter()
    moving = ("QuantizeLinear", "DequantizeLinear", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten")
    for node in model.graph.node:
        if node.op_type not in moving:
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
