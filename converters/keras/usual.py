"""A loaded model as a function from float32 NHWC images to a score a class, whatever habits it was built with."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from edgebench.errors import UsageError
from edgebench.records import PROBABILITIES, SCORES

PASSING = ("Identity", "Cast", "Reshape", "Squeeze", "EnsureShape")
CALLS = ("PartitionedCall", "StatefulPartitionedCall")
KINDS = {"Sigmoid": SCORES, "Softmax": PROBABILITIES}
ONE_SCORE = "the model gives one probability p; its artifacts give two classes, [1 - p, p]"


@dataclass(frozen=True)
class Loaded:
    """A model as a function of a float32 NHWC batch, with the `tf.Variable`s it reads."""

    call: Callable[[Any], Any]
    variables: list[Any]
    keep: Any
    shape: tuple[int, int, int]  # height, width, channels
    classes: int
    takes_bytes: bool = False  # its input is uint8, so that only pixels of 0 to 255 can be meant
    output_kind: str = ""  # as the records name it; empty: its last operator does not tell
    notes: tuple[str, ...] = ()


def loaded(model: Loaded, name: str, without_channel: bool) -> Loaded:
    """Return the model with a channel dimension and with two classes, where it has neither.

    Raises UsageError where its one output is no probability: nobody can know whether that is a class.
    """
    if without_channel:
        grey = model.call
        model = dataclasses.replace(model, call=lambda image: grey(tf.squeeze(image, -1)))
    if model.classes > 1 and model.output_kind:
        return model
    last = _last_operator(model)
    if model.classes > 1:
        return dataclasses.replace(model, output_kind=KINDS.get(last, ""))
    if last != "Sigmoid":
        raise UsageError(
            f"{name} gives one score that is no sigmoid's (a regression, or a logit): edgebench compares classes. "
            "End it with a sigmoid, or with two outputs"
        )
    one = model.call
    notes = (*model.notes, ONE_SCORE)
    return dataclasses.replace(
        model, call=lambda image: _two_classes(one(image)), classes=2, output_kind=PROBABILITIES, notes=notes
    )


def _two_classes(probability: Any) -> Any:
    return tf.concat([1.0 - probability, probability], axis=-1)


def _last_operator(model: Loaded) -> str:
    """Return the operator that makes the output, through calls of functions; empty where the graph does not tell.

    Nothing is frozen: copies of the weights would cost what the whole model takes.
    """
    tf.config.run_functions_eagerly(True)
    try:
        concrete = tf.function(model.call).get_concrete_function(tf.TensorSpec((1, *model.shape), tf.float32))
    finally:
        tf.config.run_functions_eagerly(False)
    definition = concrete.graph.as_graph_def()
    functions = {function.signature.name: function for function in definition.library.function}
    nodes = {node.name: node for node in definition.node}
    here = concrete.outputs[0].name
    while (node := nodes.get(here.partition(":")[0])) is not None:
        if node.op in PASSING:
            here = node.input[0]
        elif node.op in CALLS:
            inner = functions[node.attr["f"].func.name]
            place = int(here.rpartition(":")[2]) if ":" in here else 0
            here = inner.ret[inner.signature.output_arg[place].name]
            nodes = {node.name: node for node in inner.node_def}
        else:
            return str(node.op)
    return ""
