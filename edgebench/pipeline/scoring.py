"""From raw outputs to counts: which label each output stands for, and the reference to hold them against."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgebench.converters.trust import NOTHING, Trust
from edgebench.errors import EdgebenchError, UsageError
from edgebench.files import sha256_file, sha256_json
from edgebench.images.datasets import Dataset
from edgebench.images.evaluation import EvaluationImages, Ticker, evaluation_set
from edgebench.measures import accuracy as drift
from edgebench.measures.label_sets import given, score_sets
from edgebench.measures.outputs import output_kind, pack
from edgebench.pipeline.reference import Predict, reference_outputs
from edgebench.records import INDEPENDENT, Accuracy, Artifact, Perturbation, Preprocessing, TensorSpec


@dataclass(frozen=True)
class Exam:
    """What one model is examined on: its evaluation set, its labels as output indices, its reference.

    Where images carry sets of labels, `labels` is True for each that an image carries, (images, outputs).
    """

    data: EvaluationImages
    labels: npt.NDArray[np.int64] | npt.NDArray[np.bool_] | None
    reference: npt.NDArray[np.float32] | None
    reference_sha256: str = ""
    reference_reason: str = ""
    perturbation: Perturbation | None = None


def image_size(spec: TensorSpec, layout: str) -> tuple[int, int, int]:
    """Return (height, width, channels) of an image input."""
    shape = spec.shape[1:]
    return (shape[1], shape[2], shape[0]) if layout == "NCHW" else (shape[0], shape[1], shape[2])


def make_exam(
    artifact: Artifact,
    preprocessing: Preprocessing,
    dataset: Dataset,
    cache: Path,
    tick: Ticker | None,
    trust: Trust = NOTHING,
    predict: Predict = reference_outputs,
) -> Exam:
    """Prepare the evaluation set for this artifact's input and the source model's outputs on it, which `predict` makes.

    Raises UsageError where the data's labels are not the model's.
    """
    assert artifact.input is not None and artifact.output is not None
    size = image_size(artifact.input, artifact.layout)
    data = evaluation_set(dataset, preprocessing, size, cache / "evaluation-sets", tick)
    labels: Any = None
    if data.record.multi_label:
        if artifact.output_kind:
            _check_independent(artifact.output_kind, data.record.name, artifact.model)
        labels = _output_sets(data, artifact.labels, artifact.output.shape[-1], artifact.model, dataset.ordered)
    elif data.record.labelled:
        labels = _output_indices(data, artifact.labels, artifact.output.shape[-1], artifact.model)
    try:
        path = _reference(artifact, preprocessing, data, cache, trust, predict)
    except EdgebenchError as error:
        return Exam(data, labels, None, reference_reason=str(error))
    return Exam(data, labels, np.load(path, mmap_mode="r", allow_pickle=False), sha256_file(path))


def score_outputs(
    exam: Exam,
    outputs: npt.NDArray[np.float32],
    rows: tuple[int, ...],
    artifact: Artifact,
    host: npt.NDArray[np.float32] | None = None,
) -> Accuracy:
    """Count hits and differences for the outputs of `rows` of the evaluation set (empty: all of it).

    On perturbed images the counts of each class are left out: there may be dozens of such evaluations.

    `host` is what this machine says for the same artifact and images. Raises EdgebenchError where shapes differ.
    """
    reference, labels = _of_rows(exam.reference, rows), _of_rows(exam.labels, rows)
    images = len(rows) or len(exam.data.labels)
    if len(outputs) != images:
        raise EdgebenchError(f"{len(outputs)} outputs came back for {images} images")
    if reference is not None and reference.shape != outputs.shape:
        raise EdgebenchError(f"outputs have shape {outputs.shape}, the source model's {reference.shape}")
    kind = artifact.output_kind or output_kind(outputs)
    if exam.data.record.multi_label:
        _check_independent(kind, exam.data.record.name, artifact.model)
    score = score_sets if answers_in_sets(kind, labels) else drift.score
    counts = score(outputs, labels, reference, kind, exam.reference_reason, per_class=exam.perturbation is None)
    agreeing, host_right = _against_host(outputs, labels, host, kind)
    return dataclasses.replace(
        counts,
        reference_sha256=exam.reference_sha256,
        rows_sha256=sha256_json(rows) if rows else "",
        agree_with_host=agreeing,
        host_right=host_right,
    )


def answers_in_sets(kind: str, labels: npt.NDArray[Any] | None) -> bool:
    """Whether an answer is a set of labels: the outputs are independent, and no image has one class that is its own.

    One class an image asks for the first choice, whatever the model.
    """
    return kind in INDEPENDENT and (labels is None or labels.ndim == 2)


def _of_rows(values: Any, rows: tuple[int, ...]) -> Any:
    return values if values is None or not rows else values[np.array(rows, np.int64)]


def _against_host(outputs: Any, labels: Any, host: Any, kind: str) -> tuple[int | None, str]:
    """Return on how many images this machine agrees, and where it is right itself; nothing where it was not asked."""
    if host is None or host.shape != outputs.shape:
        return None, ""
    if answers_in_sets(kind, labels):
        here, there = given(host, kind), given(outputs, kind)
        agree = (here == there).all(axis=1)
        right = "" if labels is None else pack((here == labels).all(axis=1))
    else:
        agree = host.argmax(axis=1) == outputs.argmax(axis=1)
        right = "" if labels is None else pack(host.argmax(axis=1) == labels)
    return int(agree.sum()), right


def _check_independent(kind: str, data: str, model: str) -> None:
    """Raise UsageError where a model that chooses one class is asked about images that carry sets of labels."""
    if kind not in INDEPENDENT:
        raise UsageError(
            f"the images of {data} carry several labels, and {model} gives {kind}, of which one is chosen: give images "
            "of one class each, or a model with a sigmoid for each label (Hugging Face: problem_type "
            "multi_label_classification in its config.json)"
        )


def _output_sets(
    data: EvaluationImages, model_labels: tuple[str, ...], outputs: int, model: str, ordered: bool
) -> npt.NDArray[np.bool_]:
    """Return (images, outputs), True for each label that an image carries: by name, or in the order that was given."""
    known = data.classes or tuple(str(at) for at in range(1 + max((at for one in data.sets for at in one), default=-1)))
    if model_labels and data.classes and set(data.classes) <= set(model_labels):
        places = [model_labels.index(name) for name in data.classes]
    elif data.classes and not ordered:
        raise UsageError(
            f"{model} does not know the labels of {data.record.name} ({', '.join(known[:5])}): which output is which? "
            "Give them in the model's order with --labels"
        )
    elif len(known) > outputs or (data.classes and len(known) != outputs):
        raise UsageError(
            f"{data.record.name} has {len(known)} labels, {model} has {outputs} outputs: give the right data, or the "
            "model's labels in order with --labels"
        )
    else:
        places = list(range(len(known)))
    carried = np.zeros((len(data.sets), outputs), np.bool_)
    for row, labels in enumerate(data.sets):
        carried[row, [places[at] for at in labels]] = True
    return carried


def _output_indices(
    data: EvaluationImages, model_labels: tuple[str, ...], classes: int, model: str
) -> npt.NDArray[np.int64]:
    """Map the data's labels to the model's outputs: by name where the model knows its labels, else by order."""
    if data.classes and model_labels and set(data.classes) <= set(model_labels):
        order = np.array([model_labels.index(name) for name in data.classes], np.int64)
        return order[data.labels]
    found = len(data.classes) or int(data.labels.max()) + 1
    if (data.classes and found != classes) or found > classes:
        shown = ", ".join(data.classes[:5]) or f"0..{found - 1}"
        raise UsageError(
            f"{data.record.name} has {found} classes ({shown}), {model} has {classes} outputs: give the right data, "
            "or the model's labels in order with --labels"
        )
    return data.labels


def _reference(
    artifact: Artifact,
    preprocessing: Preprocessing,
    data: EvaluationImages,
    cache: Path,
    trust: Trust,
    predict: Predict,
) -> Path:
    """Run the source model on the evaluation set once, in its own process, and keep what it said."""
    if artifact.source is None:
        raise EdgebenchError("no manifest, so the source model is not known")
    key = sha256_json([artifact.source.__dict__, preprocessing.__dict__, data.record.pixels_sha256])
    path = cache / "references" / f"{artifact.model}-{key[:16]}.npy"
    if not path.exists():
        predict(artifact.source, preprocessing, data.images, path, trust)
    return path
