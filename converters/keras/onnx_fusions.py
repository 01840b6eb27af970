"""What tf2onnx spells out, fused back into what runtimes have one kernel for.

- `relu6(x + 3) / 6` becomes HardSigmoid, and times `x` HardSwish (MobileNetV3);
- the GELU that TensorFlow writes with `erfc` becomes the form with `erf` that onnxruntime fuses;
- a mean over height and width becomes GlobalAveragePool, and a Reshape to the shape it has already goes: both end
  the blocked layout that onnxruntime runs convolutions in.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from onnx import helper, numpy_helper, shape_inference

TOLERANCE = 1e-5


def fuse(model: Any) -> Any:
    """Fuse in place and return the model."""
    shapes = _static_shapes(model)
    graph = _Graph(model.graph)
    for node in list(model.graph.node):
        if node.op_type == "ReduceMean":
            _global_pool(graph, node, shapes)
        elif node.op_type == "Reshape" and shapes.get(node.input[0]) == shapes.get(node.output[0], ()):
            graph.bypass(node)
    for node in list(model.graph.node):
        if node.op_type == "Mul":
            _hard_sigmoid(graph, node)
    for node in list(model.graph.node):
        if node.op_type == "Mul":
            _hard_swish(graph, node) or _gelu(graph, node)
    graph.drop_unused()
    return model


# Why not onnxscript.rewriter: tried (0.7.2), a number in its patterns matches constants of rank 0 alone, so that every
# constant of shape (1,) needs a variable and a condition of its own; and `[keras]` would need one more package.
class _Graph:
    """The lookups that patterns need: who makes a value, and which values are scalars."""

    def __init__(self, proto: Any) -> None:
        self.proto = proto
        self._producers = {name: node for node in proto.node for name in node.output}
        self._scalars = {}
        for value in proto.initializer:
            array = numpy_helper.to_array(value)
            if array.size == 1 and array.dtype.kind == "f":
                self._scalars[value.name] = float(array.reshape(-1)[0])

    def maker(self, name: str, kind: str) -> Any | None:
        """Return the node that makes `name` if it is of this kind."""
        node = self._producers.get(name)
        return node if node is not None and node.op_type == kind else None

    def scaled(self, node: Any | None, constant: float) -> str | None:
        """Return the other input of a Mul or Add whose one input is this scalar."""
        if node is None or len(node.input) != 2:
            return None
        for one, other in (node.input, reversed(node.input)):
            if abs(self._scalars.get(one, math.inf) - constant) < TOLERANCE:
                return str(other)
        return None

    def is_scalar(self, name: str, constant: float) -> bool:
        """Tell whether `name` is this constant."""
        return abs(self._scalars.get(name, math.inf) - constant) < TOLERANCE

    def replace(self, node: Any, nodes: list[Any], constants: dict[str, float] | None = None) -> None:
        """Put `nodes` in the place of `node`; the last one makes its output."""
        place = next(index for index, other in enumerate(self.proto.node) if other is node)
        self.proto.node.remove(node)
        for offset, new in enumerate(nodes):
            self.proto.node.insert(place + offset, new)
            inserted = self.proto.node[place + offset]
            self._producers.update(dict.fromkeys(inserted.output, inserted))
        for name, value in (constants or {}).items():
            if name not in self._scalars:
                self.proto.initializer.append(numpy_helper.from_array(np.array(value, np.float32), name))
                self._scalars[name] = value

    def bypass(self, node: Any) -> None:
        """Let the readers of a node that changes nothing read its input; an output of the graph stays."""
        if any(node.output[0] == value.name for value in self.proto.output):
            return
        for reader in self.proto.node:
            reader.input[:] = [node.input[0] if name == node.output[0] else name for name in reader.input]

    def constant(self, name: str) -> Any | None:
        """Return the value of an initializer as an array, None where it is none."""
        return next((numpy_helper.to_array(value) for value in self.proto.initializer if value.name == name), None)

    def drop_unused(self) -> None:
        """Remove the nodes and constants that nothing reads any more."""
        outputs = {value.name for value in self.proto.output}
        while True:
            used = outputs | {name for node in self.proto.node for name in node.input}
            dead = [node for node in self.proto.node if not used & set(node.output)]
            for node in dead:
                self.proto.node.remove(node)
            if not dead:
                break
        for value in [value for value in self.proto.initializer if value.name not in used]:
            self.proto.initializer.remove(value)


def _static_shapes(model: Any) -> dict[str, tuple[int, ...]]:
    """Return the shapes that are known in full; a dimension that is not is 0."""
    graph = shape_inference.infer_shapes(model).graph
    shapes = {
        value.name: tuple(int(edge.dim_value) for edge in value.type.tensor_type.shape.dim)
        for value in [*graph.value_info, *graph.input, *graph.output]
    }
    return {name: shape for name, shape in shapes.items() if shape and 0 not in shape}


def _global_pool(graph: _Graph, node: Any, shapes: dict[str, tuple[int, ...]]) -> None:
    """ReduceMean over height and width -> GlobalAveragePool, and Flatten where they are dropped.

    Height and width are the last two of four dimensions, or the middle two behind a Transpose, which goes too.
    """
    axes = graph.constant(node.input[1]) if len(node.input) == 2 else None
    keep = next((attribute.i for attribute in node.attribute if attribute.name == "keepdims"), 1)
    source = node.input[0]
    transpose = graph.maker(source, "Transpose")
    if axes is not None and sorted(axes.tolist()) == [1, 2] and not keep and transpose is not None:
        permutation = next((list(attribute.ints) for attribute in transpose.attribute if attribute.name == "perm"), [])
        source = transpose.input[0] if permutation == [0, 2, 3, 1] else ""
    elif axes is None or sorted(axes.tolist()) != [2, 3] or len(shapes.get(source, ())) != 4:
        return
    if not source:
        return
    pooled = node.output[0] if keep else f"{node.name}_pooled"
    nodes = [helper.make_node("GlobalAveragePool", [source], [pooled], name=f"{node.name}_pool")]
    if not keep:
        nodes.append(helper.make_node("Flatten", [pooled], list(node.output), axis=1, name=node.name))
    graph.replace(node, nodes)


def _hard_sigmoid(graph: _Graph, node: Any) -> None:
    """clip(x + 3, 0, 6) * (1 / 6) -> HardSigmoid."""
    clipped = graph.scaled(node, 1 / 6)
    clip = graph.maker(clipped, "Clip") if clipped else None
    if (
        clip is None
        or len(clip.input) != 3
        or not (graph.is_scalar(clip.input[1], 0) and graph.is_scalar(clip.input[2], 6))
    ):
        return
    source = graph.scaled(graph.maker(clip.input[0], "Add"), 3)
    if source is not None:
        fused = helper.make_node("HardSigmoid", [source], list(node.output), alpha=1 / 6, beta=0.5, name=node.name)
        graph.replace(node, [fused])


def _hard_swish(graph: _Graph, node: Any) -> bool:
    """x * HardSigmoid(x) -> HardSwish."""
    for one, other in (tuple(node.input), tuple(reversed(node.input))):
        gate = graph.maker(other, "HardSigmoid")
        if gate is not None and gate.input[0] == one:
            graph.replace(node, [helper.make_node("HardSwish", [one], list(node.output), name=node.name)])
            return True
    return False


def _gelu(graph: _Graph, node: Any) -> bool:
    """(0.5 x) (1 - erf(-x / sqrt 2)) -> 0.5 (x (erf(x / sqrt 2) + 1))."""
    for half, rest in (tuple(node.input), tuple(reversed(node.input))):
        difference = graph.maker(rest, "Sub")
        source = graph.scaled(graph.maker(half, "Mul"), 0.5)
        if difference is None or source is None or not graph.is_scalar(difference.input[0], 1):
            continue
        erf = graph.maker(difference.input[1], "Erf")
        negated = graph.scaled(graph.maker(erf.input[0], "Mul"), math.sqrt(0.5)) if erf is not None else None
        negation = graph.maker(negated, "Neg") if negated else None
        if negation is None or negation.input[0] != source:
            continue
        name, constants = node.name, {"gelu_sqrt2": math.sqrt(2), "gelu_one": 1.0, "gelu_half": 0.5}
        nodes = [
            helper.make_node("Div", [source, "gelu_sqrt2"], [f"{name}_div"], name=f"{name}_div"),
            helper.make_node("Erf", [f"{name}_div"], [f"{name}_erf"], name=f"{name}_erf"),
            helper.make_node("Add", [f"{name}_erf", "gelu_one"], [f"{name}_add"], name=f"{name}_add"),
            helper.make_node("Mul", [source, f"{name}_add"], [f"{name}_mul"], name=f"{name}_mul"),
            helper.make_node("Mul", [f"{name}_mul", "gelu_half"], list(node.output), name=name),
        ]
        graph.replace(node, nodes, constants)
        return True
    return False
