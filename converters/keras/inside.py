"""What a model does to its pixels before its first layer that learns: read from its graph, whatever it was saved as.

Operators (`x / 127.5 - 1`), Rescaling, Normalization and the reversed channels with means of caffe are all the same
here: a function `a x + b` of each pixel, which is found by asking the graph itself for its value at 0 and at 1.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from edgebench.converters.keras import frozen_graph
from edgebench.converters.keras.frozen_graph import inputs_of, names_behind
from edgebench.errors import UsageError
from edgebench.images.preprocessing import EXAMPLE
from edgebench.records import Preprocessing

PASSING = (
    "Identity", "IdentityN", "Cast", "StopGradient", "PreventGradient", "CheckNumerics", "Reshape", "Squeeze",
    "ExpandDims", "Transpose", "ReverseV2", "StridedSlice", "GatherV2", "Pad", "PadV2", "MirrorPad", "ResizeBilinear",
    "ResizeNearestNeighbor", "ResizeBicubic", "BroadcastTo", "Tile", "EnsureShape", "Slice",
)  # fmt: skip
"""Operators that move values about and leave them what they are."""
CALCULATING = ("Sub", "Add", "AddV2", "Mul", "Div", "RealDiv", "BiasAdd", "Neg", "MulNoNan", "DivNoNan")
LEARNED = "ReadVariableOp"

LARGEST_MEAN = 300.0  # a value of a pixel that becomes zero
LARGEST_UNIT = 1100.0  # the difference of pixels that becomes one; beyond, the pixels had 16 bits
SMALLEST_UNIT = 8.0  # nobody divides by so much what lies between -1 and 1
BEYOND_ONE = 2.0  # nobody subtracts so much from what lies between -1 and 1


@dataclass(frozen=True)
class Scaling:
    """`(pixel - mean) / unit`, as the model calculates it; the medians over its channels and places."""

    mean: float
    unit: float

    @property
    def plain(self) -> bool:
        """The model takes what it is given."""
        return abs(self.unit - 1) < 1e-3 and abs(self.mean) < 1e-3

    @property
    def of_bytes(self) -> bool:
        """Only pixels of 0 to 255 can be meant: what it subtracts or divides by lies far outside of 0 to 1."""
        if abs(self.mean) > LARGEST_MEAN or self.unit > LARGEST_UNIT:
            return False
        return self.mean > BEYOND_ONE or self.unit >= SMALLEST_UNIT

    def __str__(self) -> str:
        return f"(x - {self.mean:.4g}) / {self.unit:.4g}"


BYTES = Scaling(0.0, 255.0)
"""Of a model whose input is uint8, whatever it does to it."""


def rule_of(scaling: Scaling | None, name: str, looks_like: str = "") -> Preprocessing:
    """Return the rule `none` where the model scales pixels of 0 to 255 by itself.

    Raises UsageError, a question, where it does not, or where its numbers cannot be meant for such pixels.
    `looks_like` is a rule to suggest.
    """
    if scaling is not None and scaling.of_bytes:
        return Preprocessing(rule="none")
    if scaling is None:
        found = "It calculates with its pixels in a way that does not tell"
    elif scaling.plain:
        found = "The file does not say" + (f" (it looks like {looks_like})" if looks_like else "")
    else:
        found = (
            f"It begins with {scaling}, which cannot be meant for pixels of 0-255: "
            "were they divided by 255 before (--preprocess scale=1/255)?"
        )
    raise UsageError(
        f"how were the images for {name} prepared in training? {found}. Add {EXAMPLE} (none: pixels 0-255 as they are)"
    )


def refuse_scaling_twice(scaling: Scaling | None, rule: Preprocessing, name: str) -> None:
    """Raise UsageError where the user's rule scales pixels that the model expects as they are."""
    if rule.scale == 1 and not any(rule.mean) and all(value == 1 for value in rule.std):
        return
    if scaling is not None and scaling.of_bytes:
        raise UsageError(
            f"{name} begins with {scaling}, so it takes pixels of 0-255 as they are, and --preprocess {rule.rule} "
            "would scale them once more: leave --preprocess out (`none` with resize=.. is allowed)"
        )


def read_scaling(call: Callable[[Any], Any], spec: Any) -> Scaling | None:
    """Return what a function of one image of `spec` (batch 1) does to its pixels before anything else.

    None where that is no function of each pixel by itself, such as a standardisation by the image's own mean, and
    where the graph cannot be read because it keeps a state, as the random layers of a SavedModel do.
    """
    try:
        frozen = frozen_graph.freeze(call, spec)
    except ValueError:
        return None
    definition = frozen.definition
    source = frozen.source.name.partition(":")[0]
    end = _end(definition, source)
    if end == source:
        return Scaling(0.0, 1.0)
    values = _evaluate(definition, frozen.source, end, (0.0, 1.0, 255.0))
    offset, factor = values[0], values[1] - values[0]
    touched = np.abs(factor) > 1e-9  # padding stays zero whatever the pixels are
    if not touched.any() or not np.allclose(values[2], offset + 255 * factor, rtol=1e-3, atol=1e-3):
        return None
    means = -offset[touched] / factor[touched]
    return Scaling(float(np.median(means)), float(np.median(1 / np.abs(factor[touched]))))


def _end(definition: Any, source: str) -> str:
    """Return the node where the pixels stop being calculated with by constants alone."""
    nodes = {node.name: node for node in definition.node}
    readers: dict[str, list[Any]] = defaultdict(list)
    for node in definition.node:
        for name in set(inputs_of(node)):
            readers[name].append(node)
    here = source
    while True:
        after = [node for node in readers[here] if node.op != "Shape"]
        if len(after) == 1 and _continues(after[0], here, nodes):
            here = after[0].name
        elif joined := _reordered(after, readers):
            here = joined
        else:
            return here


def _continues(node: Any, here: str, nodes: Mapping[str, Any]) -> bool:
    others = [name for name in inputs_of(node) if name != here]
    if not all(_is_constant(name, nodes) for name in others):
        return False
    if node.op in PASSING:
        return True
    # x * x is no scaling; a constant that was learned is a layer of the network
    once = inputs_of(node).count(here) == 1
    return node.op in CALCULATING and once


def _reordered(after: list[Any], readers: Mapping[str, list[Any]]) -> str | None:
    """Return the concatenation that channels taken apart by slices or a split are put together in again."""
    if not after or any(node.op not in ("StridedSlice", "Split", "SplitV", "Unpack", "GatherV2") for node in after):
        return None
    joined = {node.name for part in after for node in readers[part.name]}
    kinds = {node.op for part in after for node in readers[part.name]}
    return joined.pop() if len(joined) == 1 and kinds <= {"ConcatV2", "Pack"} else None


def _is_constant(name: str, nodes: Mapping[str, Any]) -> bool:
    """Tell whether a value depends neither on the image nor on a variable that was trained."""
    behind = names_behind(name, nodes)
    return not any(nodes[other].op == "Placeholder" or LEARNED in other for other in behind)


def _evaluate(definition: Any, spec: Any, end: str, pixels: tuple[float, ...]) -> list[npt.NDArray[np.float64]]:
    """Return the value of node `end` for images of one pixel value everywhere."""
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(frozen_graph.part_behind(definition, end), name="")
    with tf.compat.v1.Session(graph=graph) as session:
        image = graph.get_tensor_by_name(spec.name)
        made = [
            session.run(f"{end}:0", {image: np.full(spec.shape, value, spec.dtype.as_numpy_dtype)}) for value in pixels
        ]
    return [np.asarray(value, np.float64) for value in made]
