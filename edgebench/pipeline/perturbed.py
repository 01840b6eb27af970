"""Evaluations on perturbed images: the source model is asked once for all; images are made when needed, then gone."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgebench.converters.trust import Trust
from edgebench.errors import EdgebenchError
from edgebench.files import sha256_file, sha256_json
from edgebench.images.perturbations import VERSION, check_size, perturb
from edgebench.images.stored import StoredRows
from edgebench.leftovers import held_folder
from edgebench.pipeline.reference import perturbed_outputs
from edgebench.pipeline.scoring import Exam
from edgebench.records import Artifact, Perturbation, Preprocessing, to_dict

PIECE = 128  # images in memory at once


def perturbed_exams(
    exam: Exam,
    artifact: Artifact,
    preprocessing: Preprocessing,
    wanted: Sequence[Perturbation],
    cache: Path,
    trust: Trust,
) -> tuple[Exam, ...]:
    """Return the exam under each perturbation, with what the source model says there.

    Raises UsageError where the images have no room for one.
    """
    shape = np.load(exam.data.images, mmap_mode="r", allow_pickle=False).shape
    for one in wanted:
        check_size(one, shape[1:], artifact.model)
    if exam.reference is None or artifact.source is None:
        return tuple(_without_reference(exam, one, exam.reference_reason) for one in wanted)
    paths = {one: _reference_path(exam, artifact, preprocessing, one, cache) for one in wanted if one.severity}
    missing = {one: path for one, path in paths.items() if not path.exists()}
    try:
        if missing:
            perturbed_outputs(artifact.source, preprocessing, exam.data.images, missing, trust)
    except EdgebenchError as error:
        return tuple(_without_reference(exam, one, str(error)) for one in wanted)
    return tuple(_with_reference(exam, one, paths.get(one)) for one in wanted)


def _without_reference(exam: Exam, perturbation: Perturbation, reason: str) -> Exam:
    return dataclasses.replace(exam, perturbation=perturbation, reference=None, reference_reason=reason)


def _with_reference(exam: Exam, perturbation: Perturbation, path: Path | None) -> Exam:
    if path is None:  # severity 0: the images as they are
        return dataclasses.replace(exam, perturbation=perturbation)
    outputs = np.load(path, mmap_mode="r", allow_pickle=False)
    return dataclasses.replace(exam, perturbation=perturbation, reference=outputs, reference_sha256=sha256_file(path))


def _reference_path(
    exam: Exam, artifact: Artifact, preprocessing: Preprocessing, perturbation: Perturbation, cache: Path
) -> Path:
    assert artifact.source is not None
    made_of = [artifact.source.__dict__, preprocessing.__dict__, exam.data.record.pixels_sha256]
    key = sha256_json([*made_of, to_dict(perturbation), VERSION])
    return cache / "references" / f"{artifact.model}-{key[:16]}.npy"


class PerturbedImages:
    """The images of one perturbed exam as a .npy that is made on first use and gone at the end of the `with`.

    `sha256` names them without making them: what decides their pixels is hashed, so a finished job is found again.
    """

    def __init__(self, exam: Exam, rows: Sequence[int], cache: Path) -> None:
        assert exam.perturbation is not None
        self._exam, self._rows = exam, rows
        decided_by = [exam.data.record.pixels_sha256, list(rows), to_dict(exam.perturbation), VERSION]
        self.sha256 = sha256_json(decided_by)
        self._cache, self._path = cache, Path()
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> PerturbedImages:
        return self

    def __exit__(self, *exception: Any) -> None:
        self._stack.close()

    def path(self) -> Path:
        """Return where they are; a process that is killed leaves them to the next one, which removes them."""
        if self._path == Path():
            self._cache.mkdir(parents=True, exist_ok=True)
            made = self._stack.enter_context(held_folder(self._cache)) / f"{self.sha256[:16]}.npy"
            self._make(made)
            self._path = made
        return self._path

    def _make(self, path: Path) -> None:
        assert self._exam.perturbation is not None
        with StoredRows(self._exam.data.images) as images, path.open("wb") as stream:
            numbers = list(self._rows) or list(range(len(images)))
            header = {"descr": "|u1", "fortran_order": False, "shape": (len(numbers), *images.shape[1:])}
            np.lib.format.write_array_header_1_0(stream, header)
            for start in range(0, len(numbers), PIECE):
                piece = numbers[start : start + PIECE]
                stream.write(perturb(images.take(piece), self._exam.perturbation, piece).tobytes())
