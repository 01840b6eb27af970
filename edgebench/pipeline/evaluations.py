"""The exams of a profile: made once for all its devices, with what the host itself says for the same artifact."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgebench import registry
from edgebench.cells import data_word
from edgebench.converters.trust import NOTHING, Trust
from edgebench.devices.local import LocalDevice
from edgebench.files import atomic_path, sha256_file, sha256_json
from edgebench.images.datasets import Dataset
from edgebench.pipeline.events import Decoded, ExamReady, ExamStarted, Tell
from edgebench.pipeline.perturbed import PerturbedImages, perturbed_exams
from edgebench.pipeline.scoring import Exam, make_exam
from edgebench.records import OK, Artifact, Job, Perturbation, Preprocessing, Settings

Rows = tuple[int, ...]
"""Rows of an evaluation set; empty: all of it."""


class Exams:
    """Prepares each exam once, whichever device asks first. Safe to use from several threads."""

    def __init__(
        self,
        datasets: Sequence[Dataset],
        cache: Path,
        tell: Tell,
        perturbations: Sequence[Perturbation] = (),
        trust: Trust = NOTHING,
    ) -> None:
        self._datasets, self._cache, self._tell, self._trust = tuple(datasets), cache, tell, trust
        self.perturbations = tuple(perturbations)  # of the first set
        self._lock = threading.Lock()
        self._made: dict[Any, Exam] = {}
        self._perturbed: dict[Any, tuple[Exam, ...]] = {}

    def __len__(self) -> int:
        return len(self._datasets) + len(self.perturbations)

    @property
    def data(self) -> tuple[str, ...]:
        """What the evaluations are of, for the key of a cell; only what some model was already examined on."""
        made = {index: exam for (index, *_), exam in self._made.items()}
        words = [data_word(made[index].data.record, made[index].perturbation) for index in sorted(made)]
        return (*words, *(data_word(made[0].data.record, one) for one in self.perturbations if 0 in made))

    def of(self, artifact: Artifact, preprocessing: Preprocessing) -> tuple[Exam, ...]:
        """Return the exams for an artifact's model on unperturbed images, one a set; the first is the main one.

        Raises UsageError where the labels are not the model's.
        """
        return tuple(self._of(index, artifact, preprocessing) for index in range(len(self._datasets)))

    def perturbed(self, artifact: Artifact, preprocessing: Preprocessing) -> tuple[Exam, ...]:
        """Return the exams on the first set under each perturbation, in their order.

        Raises UsageError where the images have no room for one.
        """
        exam, key = self._of(0, artifact, preprocessing), _model_key(artifact, preprocessing)
        with self._lock:
            if key not in self._perturbed and self.perturbations:
                self._tell(ExamStarted(artifact.model))
                made = perturbed_exams(exam, artifact, preprocessing, self.perturbations, self._cache, self._trust)
                self._perturbed[key] = made
                self._tell(ExamReady(artifact.model, (), made[0].reference_reason))
            return self._perturbed.get(key, ())

    def perturbed_images(self, exam: Exam, rows: Rows) -> PerturbedImages:
        """Return the images of a perturbed exam, to be made when they are needed."""
        return PerturbedImages(exam, rows, self._cache)

    def _of(self, index: int, artifact: Artifact, preprocessing: Preprocessing) -> Exam:
        assert artifact.input is not None
        key, dataset = (index, *_model_key(artifact, preprocessing)), self._datasets[index]
        with self._lock:
            if key not in self._made:
                self._tell(ExamStarted(artifact.model))

                def tick(done: int, total: int) -> None:
                    self._tell(Decoded(artifact.model, done, total))

                exam = self._made[key] = make_exam(artifact, preprocessing, dataset, self._cache, tick, self._trust)
                self._tell(ExamReady(artifact.model, exam.data.record.skipped, exam.reference_reason))
            return self._made[key]

    def images(self, exam: Exam, rows: Rows) -> tuple[Path, str]:
        """Return the .npy of these rows and its hash: a device is not sent images that it will not see."""
        record = exam.data.record
        if not rows:
            return exam.data.images, record.pixels_sha256
        path = self._cache / "subsets" / f"{sha256_json([record.pixels_sha256, rows])[:16]}.npy"
        with self._lock:
            if not path.exists():
                pixels = np.load(exam.data.images, mmap_mode="r", allow_pickle=False)[list(rows)]
                _save(path, pixels)
            return path, sha256_file(path)

    def host_outputs(self, job: Job, file: Path, images: Path) -> npt.NDArray[np.float32] | None:
        """Return what this machine says for the artifact of a device's accuracy job on the same images.

        None where this machine cannot run it. So a kernel that differs there is not taken for quantisation drift.
        """
        runtime = registry.find_runtime(job.runtime).stand_in or job.runtime
        preprocessing = dataclasses.asdict(job.preprocessing)
        key = sha256_json(["halves up", job.artifact_sha256, job.images_sha256, runtime, preprocessing])
        path = self._cache / "host-outputs" / f"{key[:16]}.npy"
        with self._lock:
            if not path.exists():
                with LocalDevice() as host:
                    if runtime not in host.info().runtimes:
                        return None
                    here = dataclasses.replace(
                        job,
                        artifact=host.put(file, job.artifact_sha256),
                        images=host.put(images, job.images_sha256),
                        runtime=runtime,
                        settings=Settings(pin=False),
                    )
                    outcome = host.run(here, lambda _event: None)
                if outcome.run.status != OK or outcome.outputs is None:
                    return None
                _save(path, outcome.outputs)
            return np.asarray(np.load(path, allow_pickle=False), np.float32)


def prepare(exams: Exams, artifacts: Sequence[Artifact], fallback: Preprocessing) -> None:
    """Make the exams of all artifacts whose input is known, before anything is measured.

    Labels that do not fit are the user's to mend, and the source models would disturb the measuring.
    """
    for artifact in artifacts:
        if artifact.status == OK and artifact.input is not None:
            exams.of(artifact, artifact.preprocessing or fallback)
            exams.perturbed(artifact, artifact.preprocessing or fallback)


def _model_key(artifact: Artifact, preprocessing: Preprocessing) -> tuple[Any, ...]:
    assert artifact.input is not None
    return (artifact.source, preprocessing, artifact.input.shape[1:], artifact.layout, artifact.labels)


def _save(path: Path, values: npt.NDArray[Any]) -> None:
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.save(stream, values, allow_pickle=False)
