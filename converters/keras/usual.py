"""A loaded model as a function from float32 NHWC images to a score a class, whatever habits it was built with."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from edgebench.converters.keras import frozen_graph
from edgebench.errors import UsageError

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
    notes: tuple[str, ...] = ()


def loaded(model: Loaded, name: str, without_channel: bool) -> Loaded:
    """Return the model with a channel dimension and with two classes, where it has neither.

    Raises UsageError where its one output is no probability: nobody can know whether that is a class.
    """
    if without_channel:
        grey = model.call
        model = dataclasses.replace(model, call=lambda image: grey(tf.squeeze(image, -1)))
    if model.classes > 1:
        return model
    if not _ends_in_sigmoid(model):
        raise UsageError(
            f"{name} gives one score that is no sigmoid's (a regression, or a logit): edgebench compares classes. "
            "End it with a sigmoid, or with two outputs"
        )
    one = model.call
    notes = (*model.notes, ONE_SCORE)
    return dataclasses.replace(model, call=lambda image: _two_classes(one(image)), classes=2, notes=notes)


def _two_classes(probability: Any) -> Any:
    return tf.concat([1.0 - probability, probability], axis=-1)


def _ends_in_sigmoid(model: Loaded) -> bool:
    frozen = frozen_graph.freeze(model.call, tf.TensorSpec((1, *model.shape), tf.float32))
    nodes = {node.name: node for node in frozen.graph.as_graph_def().node}
    here = nodes[frozen.outputs[0].op.name]
    while here.op in ("Identity", "Cast", "Reshape"):
        here = nodes[here.input[0].partition(":")[0]]
    return bool(here.op == "Sigmoid")
