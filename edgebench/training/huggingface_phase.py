"""One phase of a Hugging Face training: a Trainer over images or cached features, and what the Trainer tells it."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from edgebench.errors import EdgebenchError, MissingExtraError
from edgebench.records import EpochRecord, PhaseRecord, Preprocessing
from edgebench.training.events import Epoch, Started, Step
from edgebench.training.huggingface_augmentation import augmented
from edgebench.training.huggingface_network import Head, Whole, heads_of
from edgebench.training.huggingface_rows import cached, images_of, probabilities
from edgebench.training.huggingface_trainer import EdgebenchTrainer, Order, arguments, optimizer_of
from edgebench.training.job import EARLY, Job
from edgebench.training.phases import (
    HEAD,
    Phase,
    Stopped,
    best_of,
    class_weights,
    judge,
    out_of_patience,
    seeds,
)

try:
    from edgebench.converters.huggingface import torchvision_operators  # noqa: F401  # isort: skip (before transformers)
    import torch
    import transformers
except ModuleNotFoundError as error:
    raise MissingExtraError(error.name or "torch", "huggingface", "training a Hugging Face checkpoint") from error

BEST = "best"
HISTORY = "edgebench.json"


@dataclasses.dataclass
class Course:
    """How a training has gone so far; its phases add to it."""

    history: list[EpochRecord]
    phases: list[PhaseRecord]
    stopped: str


class PhaseRun(transformers.TrainerCallback):  # type: ignore[misc]  # transformers carries no types here
    """One phase: a Trainer over images, or over the cached inputs of the head; and what it is told by the Trainer."""

    def __init__(self, job: Job, network: Any, preprocessing: Preprocessing, course: Course, phase: Phase) -> None:
        self.job, self.network, self.course, self.phase = job, network, course, phase
        self._frozen = phase.name == HEAD
        self._heads = heads_of(network) if self._frozen else {}
        for parameter in network.parameters():
            parameter.requires_grad = not self._frozen
        for parameter in (parameter for head in self._heads.values() for parameter in head.parameters()):
            parameter.requires_grad = True
        self._choose(preprocessing)
        self.steps = -(-len(job.data.train.labels) // job.training.batch)
        self.folder = job.state.folder / f"phase-{phase.index}"
        self.learning = sum(p.numel() for p in self.model.parameters() if p.requires_grad)
        self.optimizer_bytes = 0
        self._epoch = 0
        self._step_ms: list[float] = []
        self._started = 0.0

    def _choose(self, preprocessing: Preprocessing) -> None:
        """Choose what learns from what: the head alone where it is one and nothing is augmented, else the network."""
        job = self.job
        self.features_seconds: float | None = None
        self.model: Any
        if len(self._heads) == 1 and job.training.cache_features and not job.training.augment:
            (head,) = self._heads.values()
            self.model = Head(head)
            self._train, self._val, self.features_seconds = cached(job, preprocessing, self.network, head)
        else:
            self.model = Whole(self.network, self._frozen, keeps_statistics=job.base.pretrained)
            changed = self._changed if job.training.augment else None
            self._train = images_of(job.data.train, preprocessing, changed)
            self._val = images_of(job.data.val, preprocessing)

    def _changed(self, pixels: Any, row: int) -> Any:
        """Augment one image: by seed, epoch and row alone, so that it can be resumed."""
        generator = np.random.default_rng((self.job.training.seed, self.phase.index, self._epoch, row, 2))
        return augmented(pixels, self.job.training.augment, generator)

    def run(self) -> None:
        """Train the phase, or go on with it."""
        job, training = self.job, self.job.training
        checkpoint = _last_checkpoint(self.folder)
        before: list[EpochRecord] = []
        if checkpoint:
            before = [EpochRecord(**epoch) for epoch in json.loads((checkpoint / HISTORY).read_text())]
            others = [epoch for epoch in self.course.history if epoch.phase != self.phase.name]
            self.course.history[:] = [*others, *before]
        job.tell(Started(self.phase.name, self.phase.epochs, self.steps, self.learning, len(before)))
        self._trainer = trainer = EdgebenchTrainer(
            self.model,
            self._train,
            Order(training, self.phase.index, len(self._train)),
            arguments(training, self.phase, self.folder),
            optimizer_of(training, self.phase.rate),
            class_weights(training, job.data.train, len(job.data.classes)),
            self,
        )
        if not (before and out_of_patience(training, self.course.history, self.phase.name)):
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        self.optimizer_bytes = _bytes_of(trainer.optimizer)
        if job.stopped():
            raise Stopped

    def record(self) -> PhaseRecord:
        """Return what the phase cost."""
        mine = [epoch for epoch in self.course.history if epoch.phase == self.phase.name]
        return PhaseRecord(
            name=self.phase.name,
            epochs=len(mine),
            seconds=round(sum(epoch.seconds for epoch in mine) + (self.features_seconds or 0), 3),
            step_ms=round(float(np.median(self._step_ms)), 3) if self._step_ms else None,
            batch=self.job.training.batch,
            parameters_trainable=self.learning,
            optimizer_bytes=self.optimizer_bytes,
            features_seconds=self.features_seconds,
        )

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Seed what is random by the epoch alone, so that it can be resumed."""
        self._epoch = state.global_step // self.steps
        torch.manual_seed(int(seeds(self.job.training, self.phase.index, self._epoch, 1)[0, 0]))
        self._trainer.tally[:] = 0
        self._started = time.perf_counter()

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Take the time of a step."""
        self._step = time.perf_counter()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:  # noqa: ARG002
        """Tell how far it is; stop where the user wants it."""
        self._step_ms.append(1000 * (time.perf_counter() - self._step))
        done = state.global_step
        self.job.tell(Step(self.phase.name, (done - 1) // self.steps + 1, (done - 1) % self.steps + 1))
        if self.job.stopped():
            control.should_training_stop = True
        return control

    def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:  # noqa: ARG002
        """Validate, keep the best epoch, and stop early."""
        epoch, begun = divmod(state.global_step, self.steps)
        if begun:  # stopped on the way: no epoch, and nothing to go on from
            control.should_save = False
            return control
        history = self.course.history
        self._judge(epoch, float(kwargs["lr_scheduler"].get_last_lr()[0]))
        if out_of_patience(self.job.training, history, self.phase.name) and epoch < self.phase.epochs:
            self.course.stopped = EARLY
            control.should_training_stop = True
        return control

    def _judge(self, epoch: int, rate: float) -> None:
        """Add the epoch to the history, keep it where it is the best, and tell of it."""
        verdict = judge(probabilities(self.model, self._val), self.job.data.val.labels)
        seconds = time.perf_counter() - self._started
        loss, right, seen = (float(value) for value in self._trainer.tally)
        if not np.isfinite(loss):
            raise EdgebenchError(f"the loss of epoch {epoch} is not a number: the learning rate is too high")
        name, history = self.phase.name, self.course.history
        mean, accuracy = loss / seen, right / seen
        history.append(
            EpochRecord(name, epoch, mean, accuracy, verdict.loss, verdict.accuracy, rate, round(seconds, 4))
        )
        best = best_of(history) == len(history) - 1
        if best:
            self._keep_best()
        self.job.tell(
            Epoch(name, epoch, self.phase.epochs, mean, accuracy, verdict.loss, verdict.accuracy, seconds, best)
        )

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Put the history beside the Trainer's own checkpoint: with it the checkpoint is whole."""
        mine = [dataclasses.asdict(e) for e in self.course.history if e.phase == self.phase.name]
        folder = self.folder / f"checkpoint-{state.global_step}"
        temporary = folder / f"{HISTORY}.tmp"
        temporary.write_text(json.dumps(mine))
        temporary.replace(folder / HISTORY)

    def _keep_best(self) -> None:
        prefixes = tuple(f"{name}." for name in self._heads) or ("",)
        kept = {n: v for n, v in self.network.state_dict().items() if n.startswith(prefixes)}
        arrays = [value.detach().cpu().numpy() for value in kept.values()]
        self.job.state.save(BEST, {"names": list(kept)}, weights=arrays)


def _last_checkpoint(folder: Path) -> Path | None:
    """Return the newest checkpoint that was written whole."""
    whole = [path.parent for path in folder.glob(f"checkpoint-*/{HISTORY}")]
    return max(whole, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def _bytes_of(optimizer: Any) -> int:
    """Return the bytes of an optimiser's state; none where it was not made."""
    entries = optimizer.state_dict()["state"].values() if optimizer is not None else ()
    values = (value for entry in entries for value in entry.values() if torch.is_tensor(value))
    return sum(value.numel() * value.element_size() for value in values)
