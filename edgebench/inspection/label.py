"""What an artifact's label says, held against what is in its file."""

from __future__ import annotations

from edgebench.inspection.audit import Audit, broken_tensors
from edgebench.inspection.graph import Graph, Tensor
from edgebench.records import Artifact, TensorSpec

# label -> what may be true of a file that bears it
HONEST = {
    "float32": {"float32"},
    "float16": {"float16"},
    "dynamic": {"dynamic"},
    "int8": {"int8"},
    "int16x8": {"int16x8"},
    "mixed": {"mixed", "int8"},
}
SMALL_WEIGHTS = 1024
"""Converters leave smaller weights in float: a dynamic artifact of nothing but these is float32 throughout."""


def lies(artifact: Artifact, graph: Graph, found: Audit) -> list[str]:
    """Return each thing in which the label is not true of the file, in words; empty where the label is honest."""
    wrong = [*precision_lies(artifact.precision, found), *broken_tensors(graph)[:3]]
    for what, spec, names in (("input", artifact.input, graph.inputs), ("output", artifact.output, graph.outputs)):
        if len(names) != 1:
            wrong.append(f"the file has {len(names)} {what}s, an image classifier has one")
        elif spec is not None:
            wrong += _tensor(what, spec, graph.tensors.get(names[0]))
    classes = artifact.output.shape[-1] if artifact.output and artifact.output.shape else 0
    if artifact.labels and classes and len(artifact.labels) != classes:
        wrong.append(f"it names {len(artifact.labels)} classes and has {classes} outputs")
    return wrong


def precision_lies(label: str, found: Audit) -> list[str]:
    """Return why a file is not of the precision that it is called, in words; empty where it is."""
    honest = HONEST.get(label)
    if honest is None or found.precision in honest or found.precision == "unknown":
        return []
    largest = max((item.elements for item in found.weighted), default=0)
    if label == "dynamic" and found.precision == "float32" and largest < SMALL_WEIGHTS:
        return []
    return [f"it is called {label}, and its operators with weights are {found.precision}: {weighted_words(found)}"]


def weighted_words(found: Audit) -> str:
    """Say what the operators with weights work on: `12 with int8 activations and int8 weights`."""
    table: dict[tuple[str, str], int] = {}
    for item in found.weighted:
        table[(item.activations, item.weights)] = table.get((item.activations, item.weights), 0) + 1
    parts = [
        f"{count} with {activations} activations and {weights or 'no stored'} weights"
        for (activations, weights), count in sorted(table.items(), key=lambda entry: -entry[1])
    ]
    return ", ".join(parts) or "it has none"


def _tensor(what: str, spec: TensorSpec, there: Tensor | None) -> list[str]:
    if there is None:
        return []
    wrong = []
    if there.name != spec.name:
        wrong.append(f"the {what} is called {there.name!r}, the label says {spec.name!r}")
    if there.dtype and there.dtype != spec.dtype:
        wrong.append(f"the {what} is {there.dtype}, the label says {spec.dtype}")
    if len(there.shape) != len(spec.shape) or any(
        edge not in (-1, said) for edge, said in zip(there.shape[1:], spec.shape[1:], strict=False)
    ):
        wrong.append(f"the {what} has shape {list(there.shape)}, the label says {list(spec.shape)}")
    quantised = len(there.scales) == 1 and spec.dtype not in ("float32", "float16")
    if quantised and (abs(there.scales[0] - spec.scale) > 1e-6 * spec.scale or there.zero_points != (spec.zero_point,)):
        wrong.append(
            f"the {what} is quantised with scale {there.scales[0]:.6g} and zero point {there.zero_points[0]}, "
            f"the label says {spec.scale:.6g} and {spec.zero_point}"
        )
    return wrong
