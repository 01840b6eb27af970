"""A TensorFlow function of one image as a frozen graph, and from there as ONNX.

tf2onnx converts the frozen graph: its other entries make constants into required inputs or lose functions. What it
lacks is added here: `Erfc` (every exact GELU), scalars added behind a convolution (its transpose optimiser raises
there and leaves every transpose in), fused activations (see `onnx_fusions`), and thrift with the weights.
"""

from __future__ import annotations

import contextlib
import copy
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
import tensorflow as tf
import tf2onnx
from tensorflow.python.framework.convert_to_constants import (
    _FunctionConverterDataInEager,
    _replace_variables_by_constants,
)
from tf2onnx import convert, tf_loader
from tf2onnx.graph import Node
from tf2onnx.optimizer.transpose_optimizer import TransposeOptimizer

from edgebench.converters.keras import onnx_fusions
from edgebench.errors import ConversionError

OPSET = 18  # the newest that tf2onnx writes
INPUT, OUTPUT = "image", "output"


@dataclass(frozen=True)
class Frozen:
    """A graph whose every variable is a constant, from one tensor to another."""

    definition: Any = field(repr=False)  # a GraphDef, with nothing in it that the output does not need
    source: tf.TensorSpec  # its name is that of the tensor, `image:0`
    output: str  # also a tensor's name


def freeze(call: Callable[[Any], Any], spec: tf.TensorSpec) -> Frozen:
    """Trace `call` for the static `spec` and return its graph with every variable as a constant.

    Inner functions are traced as plain Python: a grouped convolution is wrapped for XLA by Keras, and such a wrapper
    is never inlined afterwards. TensorFlow's own `convert_variables_to_constants_v2` makes a function of the graph
    again, which costs eight copies of the weights until it is collected.
    """
    tf.config.run_functions_eagerly(True)
    try:
        concrete = tf.function(call).get_concrete_function(spec)
    finally:
        tf.config.run_functions_eagerly(False)
    found = _FunctionConverterDataInEager(func=concrete, lower_control_flow=True, aggressive_inlining=False)
    definition, _ = _replace_variables_by_constants(converter_data=found)
    source, output = concrete.inputs[0], concrete.outputs[0].name
    part = part_behind(definition, output.partition(":")[0])
    return Frozen(part, tf.TensorSpec(source.shape, source.dtype, source.name), output)


def part_behind(definition: Any, end: str) -> Any:
    """Return the GraphDef of what node `end` is calculated from, without what is merely waited for (`^name`)."""
    nodes = {node.name: node for node in definition.node}
    wanted = names_behind(end, nodes)
    part = tf.compat.v1.GraphDef(versions=definition.versions, library=definition.library)
    for node in definition.node:
        if node.name in wanted:
            kept = part.node.add()
            kept.CopyFrom(node)
            kept.input[:] = [name for name in node.input if not name.startswith("^")]
    return part


def names_behind(end: str, nodes: Mapping[str, Any]) -> set[str]:
    """Return node `end` and all that it is calculated from."""
    waiting, seen = [end], set()
    while waiting:
        here = waiting.pop()
        if here not in seen:
            seen.add(here)
            waiting += inputs_of(nodes[here])
    return seen


def inputs_of(node: Any) -> list[str]:
    """Return the nodes whose values a node reads; those it merely waits for (`^name`) are none."""
    return [name.partition(":")[0] for name in node.input if not name.startswith("^")]


def to_onnx(frozen: Frozen) -> Any:
    """Return the ONNX model of a frozen graph, its input and output renamed `image` and `output`."""
    inputs, outputs = [frozen.source.name], [frozen.output]
    with _quiet(), _scalar_additions(), _weights_in_place(), tf.device("/cpu:0"):
        with tf.Graph().as_default():
            folded = tf_loader.tf_optimize(inputs, outputs, frozen.definition)
        model, _ = convert._convert_common(
            folded,
            continue_on_error=True,
            input_names=inputs,
            output_names=outputs,
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
def _weights_in_place() -> Iterator[None]:
    """Let no pass of tf2onnx's optimiser copy the weights.

    Each of its passes writes every node back to protobuf, whose arenas give nothing back: twelve passes, two to four
    rounds, one copy of all weights each (5 GB for a file of 100 MB). Constants never change there, and the last graph
    is made from their attributes. It also copies the whole graph before each pass, for the passes that raise: here
    constants are shared by those copies.
    """
    update = Node.update_proto

    def update_others(self: Any, *arguments: Any, **options: Any) -> None:
        if not self.is_const():
            update(self, *arguments, **options)

    Node.update_proto = update_others
    Node.__deepcopy__ = _copy_without_weights
    try:
        yield
    finally:
        Node.update_proto = update
        del Node.__deepcopy__


def _copy_without_weights(node: Any, memo: dict[int, Any]) -> Any:
    """Copy a node of tf2onnx's graph as `copy.deepcopy` does; a constant's values are shared."""
    if node.is_const():
        memo.update((id(shared), shared) for shared in (node.op, *node.attr.values()))
    made = memo[id(node)] = Node.__new__(Node)
    vars(made).update(copy.deepcopy(vars(node), memo))
    return made


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
