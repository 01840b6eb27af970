"""What a batch size will meet in the files: a free batch, one that the runtime lays out anew, or one that is fixed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgebench.errors import EdgebenchError
from edgebench.inspection.read import FORMATS, read_graph
from edgebench.pipeline.artifacts import Found

RESIZED = ("tflite",)
"""Formats whose runtimes give a fixed input another batch."""


def batch_notes(found: Sequence[Found], batches: Sequence[int]) -> Iterator[str]:
    """Yield a line for every batch size that files are not made for; nothing where all take every size."""
    table: dict[tuple[bool, int, tuple[int, ...]], list[str]] = {}
    for item in found:
        made = made_for(item)
        others = tuple(batch for batch in batches if made is not None and batch != made)
        if made is not None and others:
            table.setdefault((item.artifact.format in RESIZED, made, others), []).append(item.artifact.label)
    for (resized, made, others), names in table.items():
        sizes = " and ".join(map(str, others))
        if resized:
            yield f"made for a batch of {made}, laid out anew by the runtime for {sizes}: {', '.join(names)}"
        else:
            yield f"fixed to a batch of {made}, so {sizes} will be refused: {', '.join(names)}"


def made_for(item: Found) -> int | None:
    """Return the batch that a file is fixed to; None where it is free, or nobody knows."""
    artifact, file = item.artifact, item.file
    if file is None:
        return None
    if artifact.format not in FORMATS:
        return artifact.input.shape[0] if artifact.input is not None and artifact.source is not None else None
    try:
        _, graph = read_graph(file, artifact.format)
    except EdgebenchError:
        return None  # the runtime will say what is wrong with it
    shape = graph.tensors[graph.inputs[0]].shape if graph.inputs else ()
    return shape[0] if shape and shape[0] > 0 else None
