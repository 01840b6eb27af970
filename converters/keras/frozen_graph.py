"""A TensorFlow function of one image as a frozen graph, and from there as ONNX.

tf2onnx converts the frozen graph: its other entries make constants into required inputs or lose functions. Three
things it lacks are added here: `Erfc` (every exact GELU), scalars added behind a convolution (its transpose
optimiser raises there and leaves every transpose in), and fused activations (see `onnx_fusions`).
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import onnx
import tensorflow as tf
import tf2onnx
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
from tf2onnx.optimizer.transpose_optimizer import TransposeOptimizer

from edgebench.converters.keras import onnx_fusions
from edgebench.errors import ConversionError

OPSET = 18  # the newest that tf2onnx writes
INPUT, OUTPUT = "image", "output"


def freeze(call: Callable[[Any], Any], spec: tf.TensorSpec) -> Any:
    """Trace `call` for the static `spec` and return its graph with every variable as a constant.

    Inner functions are traced as plain Python: a grouped convolution is wrapped for XLA by Keras, and such a wrapper
    is never inlined afterwards.
    """
    tf.config.run_functions_eagerly(True)
    try:
        concrete = tf.function(call).get_concrete_function(spec)
    finally:
        tf.config.run_functions_eagerly(False)
    return convert_variables_to_constants_v2(concrete)


def to_onnx(frozen: Any) -> Any:
    """Return the ONNX model of a frozen function with one input and one output, renamed `image` and `output`."""
    with _quiet(), _scalar_additions():
        model, _ = tf2onnx.convert.from_graph_def(
            frozen.graph.as_graph_def(),
            input_names=[frozen.inputs[0].name],
            output_names=[frozen.outputs[0].name],
            opset=OPSET,
            custom_op_handlers={"Erfc": (_erfc, [])},
        )
    if len(model.graph.input) != 1:
        extra = ", ".join(value.name for value in model.graph.input)
        raise ConversionError(f"the ONNX graph has {len(model.graph.input)} inputs ({extra}) instead of one")
    foreign = sorted({n.op_type for n in model.graph.node if n.domain not in ("", "ai.onnx.ml", "ai.onnx")})
    unknown = sorted({n.op_type for n in model.graph.node if not n.domain and not onnx.defs.has(n.op_type)})
    if foreign or unknown:
        raise ConversionError(f"tf2onnx has no ONNX form for {', '.join(foreign + unknown)}")
    _rename(model.graph, model.graph.input[0].name, INPUT)
    _rename(model.graph, model.graph.output[0].name, OUTPUT)
    return onnx_fusions.fuse(model)


def _erfc(context: Any, node: Any, name: str, arguments: Any) -> None:  # noqa: ARG001 (tf2onnx's signature)
    """Erfc(x) = 1 - Erf(x)."""
    shape, dtype = context.get_shape(node.output[0]), context.get_dtype(node.output[0])
    outputs, source = node.output, node.input[0]
    context.remove_node(node.name)
    erf = context.make_node("Erf", [source], shapes=[shape], dtypes=[dtype])
    one = context.make_const(tf2onnx.utils.make_name("one"), np.array(1, np.float32))
    context.make_node("Sub", [one.output[0], erf.output[0]], outputs=outputs, shapes=[shape], dtypes=[dtype])


@contextlib.contextmanager
def _scalar_additions() -> Iterator[None]:
    """Let the transpose optimiser pass an addition of a scalar: `max(())` raises in tf2onnx 1.17."""
    original = TransposeOptimizer._add_handler

    def handler(self: Any, transpose: Any, node: Any) -> Any:
        if node.inputs[1].is_const() and node.inputs[1].get_tensor_value(as_list=False).ndim == 0:
            return self._handle_node_having_branches(transpose, node)
        return original(self, transpose, node)

    TransposeOptimizer._add_handler = handler
    try:
        yield
    finally:
        TransposeOptimizer._add_handler = original


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence tf2onnx: what it cannot convert is found in the graph it returns."""
    level = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        yield
    finally:
        logging.disable(level)


def _rename(graph: Any, old: str, new: str) -> None:
    for node in graph.node:
        node.input[:] = [new if name == old else name for name in node.input]
        node.output[:] = [new if name == old else name for name in node.output]
    for value in [*graph.input, *graph.output, *graph.value_info]:
        if value.name == old:
            value.name = new
