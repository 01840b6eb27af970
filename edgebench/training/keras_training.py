"""Training a Keras network, phase by phase and epoch by epoch, each epoch kept on disk before the next begins."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

from edgebench.errors import EdgebenchError
from edgebench.images.stored import StoredRows
from edgebench.records import EpochRecord, PhaseRecord, Preprocessing
from edgebench.training import keras_network
from edgebench.training.bases import Base
from edgebench.training.events import Epoch, Note, Started
from edgebench.training.job import EARLY, EPOCHS, INTERRUPTED, Fit, Job
from edgebench.training.keras_network import Network
from edgebench.training.keras_phase import PhaseRun, assign, changing, outputs
from edgebench.training.phases import (
    Phase,
    Stopped,
    best_of,
    class_weights,
    judge,
    out_of_patience,
    phases,
)
from edgebench.training.settings import Training

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
        running = PhaseRun(self._job, self._network, phase, self._weights)
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

    def _announce(self, running: PhaseRun, done: int) -> None:
        phase = running.phase
        self._job.tell(Started(phase.name, phase.epochs, running.steps, running.trainable, done))

    def _epoch(self, running: PhaseRun, epoch: int, facts: dict[str, Any]) -> None:
        start = time.perf_counter()
        loss, accuracy, step_ms = running.epoch(epoch)
        verdict = judge(running.validate(), self._job.data.val.labels)
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

    def _keep(self, running: PhaseRun, facts: dict[str, Any], over: bool) -> None:
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
        assign(changing(self._job, self._network, found[0]["phase"]), found[1]["weights"])

    def _fit(self) -> Fit:
        """Return the best epoch's network; in float32 where it was trained in mixed precision."""
        network, job = self._network, self._job
        if self._mixed:
            weights = network.model.get_weights()
            network = keras_network.build(job.training, job.base, len(job.data.classes), mixed=False)
            network.model.set_weights(weights)
        with StoredRows(job.judged.images) as images:
            found = outputs(keras_network.answers(network.model), images)
        return Fit(
            save=lambda path: _save(network.model, path),
            probabilities=found,
            history=tuple(self._history),
            phases=tuple(self._phases),
            stopped=self._stopped,
            parameters=int(network.model.count_params()),
            tools=keras_network.versions(),
        )


def _save(model: Any, path: Path) -> None:
    """Write the .keras file in one step: beside it first, then renamed."""
    temporary = path.with_name(f".{path.name}.tmp.keras")
    try:
        model.save(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
