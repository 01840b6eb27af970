"""Training a Keras network, phase by phase and epoch by epoch, each epoch kept on disk before the next begins."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgebench.errors import EdgebenchError
from edgebench.images.stored import StoredRows, new_rows
from edgebench.records import EpochRecord, PhaseRecord, Preprocessing
from edgebench.training import keras_network
from edgebench.training.bases import Base
from edgebench.training.data import Part
from edgebench.training.events import Epoch, Note, Progress, Started, Step
from edgebench.training.job import EARLY, EPOCHS, INTERRUPTED, Fit, Job
from edgebench.training.keras_network import Network
from edgebench.training.phases import (
    HEAD,
    Phase,
    Stopped,
    best_of,
    class_weights,
    judge,
    order,
    out_of_patience,
    phases,
    seeds,
)
from edgebench.training.settings import Training

PREDICT_BATCH = 32
LAST, BEST = "last", "best"


def input_of(training: Training, base: Base) -> tuple[Preprocessing, tuple[int, int, int]]:
    """Return how images reach the network, which scales them by itself, and its input size."""
    del training
    size = keras_network.input_size(base)
    return Preprocessing("none", channels="L" if size[2] == 1 else "RGB"), size


def fit(job: Job) -> Fit:
    """Train, or go on where an interrupted training of the same key stopped, and return the best epoch's network."""
    mixed = keras_network.set_up(job.training)
    if job.training.mixed_precision and not mixed:
        job.tell(Note("this machine computes in float32 alone: no mixed precision"))
    network = keras_network.build(job.training, job.base, len(job.data.classes), mixed)
    return _Fitting(job, network, mixed).run()


class _Fitting:
    """One training on its way."""

    def __init__(self, job: Job, network: Network, mixed: bool) -> None:
        self._job, self._network, self._mixed = job, network, mixed
        self._weights = class_weights(job.training, job.data.train, len(job.data.classes))
        self._history: list[EpochRecord] = []
        self._phases: list[PhaseRecord] = []
        self._stopped = EPOCHS

    def run(self) -> Fit:
        """Train every phase that is not finished, then judge the best epoch."""
        restored = self._job.state.load(LAST)
        if restored:
            self._history = [EpochRecord(**epoch) for epoch in restored[0]["history"]]
            self._phases = [PhaseRecord(**phase) for phase in restored[0]["phases"]]
            self._stopped = restored[0]["stopped"]
        try:
            for phase in phases(self._job.training, self._job.base)[len(self._phases) :]:
                resumed = restored if restored and restored[0]["phase"] == phase.index else None
                if phase.index and resumed is None:
                    self._load_best()
                self._train(phase, resumed)
        except Stopped:
            self._stopped = INTERRUPTED
        if not self._history:
            raise EdgebenchError("stopped before the first epoch was through: there is nothing to keep")
        self._load_best()
        return self._fit()

    def _train(self, phase: Phase, resumed: Any) -> None:
        if self._job.base.pretrained:
            self._network.free(phase.free)
        running = _PhaseRun(self._job, self._network, phase, self._weights)
        with running:
            facts: dict[str, Any] = resumed[0] if resumed else {"done": 0, "seconds": 0.0, "step_ms": []}
            if resumed:
                running.restore(resumed[1])
            self._announce(running, facts["done"])
            for epoch in range(facts["done"], phase.epochs):
                if out_of_patience(self._job.training, self._history, phase.name):
                    self._stopped = EARLY
                    break
                self._epoch(running, epoch, facts)
        self._phases.append(running.record(facts))
        self._keep(running, facts, over=True)

    def _announce(self, running: _PhaseRun, done: int) -> None:
        phase = running.phase
        self._job.tell(Started(phase.name, phase.epochs, running.steps, running.trainable, done))

    def _epoch(self, running: _PhaseRun, epoch: int, facts: dict[str, Any]) -> None:
        start = time.perf_counter()
        loss, accuracy, step_ms = running.epoch(epoch)
        outputs = running.validate()
        verdict = judge(outputs, self._job.data.val.labels)
        seconds = time.perf_counter() - start
        self._history.append(
            EpochRecord(
                running.phase.name, epoch + 1, loss, accuracy, verdict.loss, verdict.accuracy, running.rate,
                round(seconds, 4),
            )
        )  # fmt: skip
        facts["done"], facts["seconds"] = epoch + 1, facts["seconds"] + seconds
        facts["step_ms"] = [*facts["step_ms"], step_ms]
        best = best_of(self._history) == len(self._history) - 1
        if best:
            self._job.state.save(BEST, {"phase": running.phase.index}, weights=running.variables)
        self._keep(running, facts, over=False)
        self._job.tell(
            Epoch(
                running.phase.name, epoch + 1, running.phase.epochs, loss, accuracy, verdict.loss, verdict.accuracy,
                seconds, best,
            )
        )  # fmt: skip

    def _keep(self, running: _PhaseRun, facts: dict[str, Any], over: bool) -> None:
        kept = {
            **facts,
            "phase": None if over else running.phase.index,
            "history": [dataclasses.asdict(epoch) for epoch in self._history],
            "phases": [dataclasses.asdict(phase) for phase in self._phases],
            "stopped": self._stopped,
        }
        self._job.state.save(LAST, kept, weights=running.variables, optimizer=running.optimizer.variables)

    def _load_best(self) -> None:
        found = self._job.state.load(BEST)
        assert found is not None
        _assign(_variables(self._job, self._network, found[0]["phase"]), found[1]["weights"])

    def _fit(self) -> Fit:
        """Return the best epoch's network; in float32 where it was trained in mixed precision."""
        network, job = self._network, self._job
        if self._mixed:
            weights = network.model.get_weights()
            network = keras_network.build(job.training, job.base, len(job.data.classes), mixed=False)
            network.model.set_weights(weights)
        with StoredRows(job.judged.images) as images:
            outputs = _outputs(keras_network.answers(network.model), images)
        return Fit(
            save=lambda path: _save(network.model, path),
            probabilities=outputs,
            history=tuple(self._history),
            phases=tuple(self._phases),
            stopped=self._stopped,
            parameters=int(network.model.count_params()),
            tools=keras_network.versions(),
        )


class _PhaseRun:
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
        self.model.compile(self.optimizer, "sparse_categorical_crossentropy", jit_compile=False)
        self.optimizer = self.model.optimizer  # wrapped where precision is mixed
        self.optimizer.build(self.model.trainable_variables)
        self.variables = _variables(job, network, phase.index)
        self._step = keras_network.train_step(self.model)
        self._answer = keras_network.answers(self._judge)

    def __enter__(self) -> _PhaseRun:
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
        _assign(self.variables, groups["weights"])
        _assign(self.optimizer.variables, groups["optimizer"])

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
        return _outputs(self._answer, self._val)

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


def _variables(job: Job, network: Network, phase: int) -> list[Any]:
    """What changes in a phase: the head alone while the base is frozen."""
    frozen = job.base.pretrained and phase == 0
    return list((network.head if frozen else network.model).weights)


def _assign(variables: Sequence[Any], values: Sequence[npt.NDArray[Any]]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _seed(network: Network, values: npt.NDArray[np.uint32]) -> None:
    for state, value in zip(network.seeds(), values, strict=True):
        state.assign(value.astype(str(state.dtype)))


def _outputs(answer: Callable[[Any], npt.NDArray[np.float32]], rows: StoredRows) -> npt.NDArray[np.float32]:
    return np.concatenate([answer(batch) for batch in rows.batches(PREDICT_BATCH)])


def _save(model: Any, path: Path) -> None:
    """Write the .keras file in one step: beside it first, then renamed."""
    temporary = path.with_name(f".{path.name}.tmp.keras")
    try:
        model.save(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
