"""What is inside an artifact, and which of its layers lose what against the float artifact it was made from."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgebench.errors import EdgebenchError, UsageError
from edgebench.files import read_record, scratch_folder
from edgebench.images.datasets import Dataset
from edgebench.images.evaluation import evaluation_set, stratified
from edgebench.inspection.audit import audit
from edgebench.inspection.explanation import Explanation
from edgebench.inspection.graph import Graph
from edgebench.inspection.label import lies
from edgebench.inspection.layers.measure import Tick, measure_layers
from edgebench.inspection.layers.reasons import with_reasons
from edgebench.inspection.read import read_graph
from edgebench.pipeline.artifacts import Found
from edgebench.pipeline.scoring import image_size
from edgebench.records import OK, Artifact, Preprocessing, TensorSpec
from edgebench.runner.preprocess import guess_layout, normalise

SEED = 0


def explain(
    found: Found,
    dataset: Dataset | None,
    count: int,
    exact_file: Path | None = None,
    preprocessing: Preprocessing | None = None,
    tick: Tick | None = None,
) -> Explanation:
    """Look into one artifact; with a `dataset`, run `count` of its images through it and its float artifact.

    Raises UsageError where the file is not whole, and where the float artifact is neither given nor found beside it.
    """
    artifact = found.artifact
    if found.file is None:
        raise UsageError(f"{artifact.label} was not made, so it holds nothing: {artifact.status}: {artifact.reason}")
    content, graph = read_graph(found.file, artifact.format)
    known = audit(graph)
    seen = Explanation(artifact, found.file, graph, known, tuple(lies(artifact, graph, known)))
    if dataset is None:
        return seen
    exact_file = exact_file or float_sibling(found)
    exact = read_graph(exact_file, artifact.format)
    rule = artifact.preprocessing or preprocessing
    if rule is None:
        raise UsageError(f"{found.file} has no manifest: say how images become its input with --preprocess")
    inputs = model_inputs(graph, artifact, rule, dataset, count)
    layers = measure_layers(exact, (content, graph), [row[None] for row in inputs], tick)
    return dataclasses.replace(
        seen, layers=tuple(with_reasons(layers, exact[1])), exact_file=exact_file, images=len(inputs)
    )


def float_sibling(found: Found) -> Path:
    """Return the float32 artifact of the same model and format beside an artifact. Raises UsageError without one."""
    assert found.file is not None
    for manifest in sorted(found.file.parent.glob(f"*.{found.artifact.format}.json")):
        try:
            other = read_record(Artifact, manifest)
        except EdgebenchError:
            continue  # another program's file, or another version's: not the one that is looked for
        same = (other.model, other.format, other.source) == (
            found.artifact.model, found.artifact.format, found.artifact.source,
        )  # fmt: skip
        file = manifest.with_suffix("")
        if same and other.precision == "float32" and other.status == OK and file.is_file():
            return file
    raise UsageError(
        f"no float32 .{found.artifact.format} of {found.artifact.model} lies beside {found.file}: "
        "name it with --against"
    )


def model_inputs(
    graph: Graph, artifact: Artifact, rule: Preprocessing, dataset: Dataset, count: int
) -> npt.NDArray[np.float32]:
    """Return `count` images of a dataset, the classes alike, as the graph's float32 inputs (images, ..)."""
    tensor = graph.tensors[graph.inputs[0]]
    shape = tuple(max(edge, 1) for edge in tensor.shape)
    layout = artifact.layout or guess_layout(shape)
    if len(shape) != 4:
        raise UsageError(f"{artifact.label} takes {list(tensor.shape)}: that is no image")
    size = image_size(TensorSpec(tensor.name, shape, tensor.dtype), layout)
    chosen = dataset.subset(stratified(dataset.labels, count, SEED))
    with scratch_folder() as folder:
        pixels = np.load(evaluation_set(chosen, rule, size, folder).images, allow_pickle=False)
    return np.asarray(normalise(pixels, rule, layout), np.float32)
