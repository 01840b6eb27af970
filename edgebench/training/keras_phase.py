"""One phase of a Keras training: its optimiser, its steps, and the images or cached features it reads."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgebench.errors import EdgebenchError
from edgebench.images.stored import StoredRows, new_rows
from edgebench.records import PhaseRecord
from edgebench.training import keras_network
from edgebench.training.data import Part
from edgebench.training.events import Progress, Step
from edgebench.training.job import Job
from edgebench.training.keras_network import Network
from edgebench.training.phases import (
    HEAD,
    Phase,
    Stopped,
    order,
    seeds,
)

PREDICT_BATCH = 32


class PhaseRun:
    """One phase with its optimiser, and with the images or cached features it reads. A context manager."""

    def __init__(self, job: Job, network: Network, phase: Phase, weights: npt.NDArray[np.float32]) -> None:
        self._job, self._network, self.phase, self._weights = job, network, phase, weights
        cached = phase.name == HEAD and job.training.cache_features
        self.features_seconds: float | None = None
        self.model = network.head if cached else network.trainee
        self._judge = network.head if cached else network.model
        self._sources = self._features() if cached else [StoredRows(job.data.train.images)]
        self._val = StoredRows(self._feature_file("val") if cached else job.data.val.images)
        self.steps = -(-len(job.data.train.labels) // job.training.batch)
        self.optimizer = keras_network.make_optimizer(job.training, phase.rate, self.steps * phase.epochs)
        self.optimizer.build(self.model.trainable_variables)
        self.variables = changing(job, network, phase.index)
        self._step = keras_network.train_step(self.model, self.optimizer)
        self._answer = keras_network.answers(self._judge)

    def __enter__(self) -> PhaseRun:
        return self

    def __exit__(self, *exception: object) -> None:
        for rows in (*self._sources, self._val):
            rows.__exit__()

    @property
    def trainable(self) -> int:
        """Parameters that learn in this phase."""
        return sum(int(np.prod(variable.shape)) for variable in self.model.trainable_variables)

    @property
    def rate(self) -> float:
        """The learning rate now."""
        return float(np.asarray(self.optimizer.learning_rate))

    def restore(self, groups: dict[str, list[npt.NDArray[Any]]]) -> None:
        """Go on from the weights and the optimiser's state of an epoch."""
        assign(self.variables, groups["weights"])
        assign(self.optimizer.variables, groups["optimizer"])

    def epoch(self, epoch: int) -> tuple[float, float, float]:
        """Train one epoch; return mean loss, accuracy and the median milliseconds of a step."""
        training, labels = self._job.training, self._job.data.train.labels
        _seed(self._network, seeds(training, self.phase.index, epoch, len(self._network.seeds())))
        source = self._sources[epoch % len(self._sources)]
        rows = order(training, self.phase.index, epoch, len(labels))
        sums, times = np.zeros(2), []
        for step in range(self.steps):
            if self._job.stopped():
                raise Stopped
            mine = rows[step * training.batch : (step + 1) * training.batch]
            start = time.perf_counter()
            loss, right = self._step(source.take(mine), labels[mine], self._weights[labels[mine]])
            times.append(time.perf_counter() - start)
            sums += np.array([loss * len(mine), right])
            self._job.tell(Step(self.phase.name, epoch + 1, step + 1))
        if not np.isfinite(sums[0]):
            raise EdgebenchError(
                f"the loss of epoch {epoch + 1} is not a number: the learning rate {self.phase.rate:g} is too high"
            )
        return float(sums[0] / len(labels)), float(sums[1] / len(labels)), 1000 * float(np.median(times))

    def validate(self) -> npt.NDArray[np.float32]:
        """Return class probabilities of the validation images."""
        return outputs(self._answer, self._val)

    def record(self, facts: dict[str, Any]) -> PhaseRecord:
        """Return what the phase cost."""
        return PhaseRecord(
            name=self.phase.name,
            epochs=facts["done"],
            seconds=round(facts["seconds"] + (self.features_seconds or 0), 3),
            step_ms=round(float(np.median(facts["step_ms"])), 3) if facts["step_ms"] else None,
            batch=self._job.training.batch,
            parameters_trainable=self.trainable,
            optimizer_bytes=sum(int(np.prod(v.shape)) * np.dtype(v.dtype).itemsize for v in self.optimizer.variables),
            features_seconds=self.features_seconds,
        )

    def _features(self) -> list[StoredRows]:
        """Compute, or find, the frozen base's outputs: of the images, or of each augmented copy."""
        start = time.perf_counter()
        training, data = self._job.training, self._job.data
        copies = min(training.copies, training.epochs) if training.augment else 1
        for copy in range(copies):
            self._write_features(f"train-{copy}", data.train, copy)
        self._write_features("val", data.val, None)
        self.features_seconds = round(time.perf_counter() - start, 3)
        return [StoredRows(self._feature_file(f"train-{copy}")) for copy in range(copies)]

    def _write_features(self, name: str, part: Part, copy: int | None) -> None:
        """Write the pooled features of one split; `copy` numbers its augmentation, None leaves the images alone."""
        path, augmentation = self._feature_file(name), self._network.augmentation
        if path.exists():
            return
        if copy is not None:
            count = len(self._network.seeds())
            _seed(self._network, seeds(self._job.training, self.phase.index, 10**6 + copy, count))
        shape = (len(part.labels), *self._network.head.input_shape[1:])
        extract = keras_network.answers(self._network.extractor)
        with StoredRows(part.images) as images, new_rows(path, shape) as add:
            for done, batch in enumerate(images.batches(PREDICT_BATCH), 1):
                if self._job.stopped():
                    raise Stopped
                pixels = batch.astype(np.float32)
                if augmentation is not None and copy is not None:
                    pixels = augmentation(pixels, training=True)
                add(extract(pixels))
                self._job.tell(Progress(f"features of {name}", min(done * PREDICT_BATCH, len(images)), len(images)))

    def _feature_file(self, name: str) -> Path:
        return self._job.state.folder / "features" / f"{name}.npy"


def changing(job: Job, network: Network, phase: int) -> list[Any]:
    """What changes in a phase: the head alone while the base is frozen."""
    frozen = job.base.pretrained and phase == 0
    return list((network.head if frozen else network.model).weights)


def assign(variables: Sequence[Any], values: Sequence[npt.NDArray[Any]]) -> None:
    """Give each variable its value."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _seed(network: Network, values: npt.NDArray[np.uint32]) -> None:
    for state, value in zip(network.seeds(), values, strict=True):
        state.assign(value.astype(str(state.dtype)))


def outputs(answer: Callable[[Any], npt.NDArray[np.float32]], rows: StoredRows) -> npt.NDArray[np.float32]:
    """Return the answers to all rows, as one array."""
    return np.concatenate([answer(batch) for batch in rows.batches(PREDICT_BATCH)])
