"""What a training is asked and what it says while it goes on: JSON lines of `messages` between its process and ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgebench.records import Record
from edgebench.training.settings import Training


@dataclass(frozen=True)
class Request(Record):
    """Train into `<out>/models/<name>/`; `force` replaces the model of another training."""

    training: Training
    out: Path
    force: bool


@dataclass(frozen=True)
class Stop(Record):
    """The user's wish, on standard input: end now and keep the best epoch."""


@dataclass(frozen=True)
class Note(Record):
    """Something the user should know, in one line."""

    text: str


@dataclass(frozen=True)
class Progress(Record):
    """`done` of `total` of something that has no epochs: images decoded, features computed."""

    what: str
    done: int
    total: int


@dataclass(frozen=True)
class Started(Record):
    """A phase begins; `steps` batches an epoch. `done` epochs were finished before it was interrupted."""

    phase: str
    epochs: int
    steps: int
    parameters_trainable: int
    done: int = 0


@dataclass(frozen=True)
class Step(Record):
    """Batch `step` of an epoch (from 1) is through."""

    phase: str
    epoch: int
    step: int


@dataclass(frozen=True)
class Epoch(Record):
    """An epoch is through and kept on disk."""

    phase: str
    epoch: int
    epochs: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    seconds: float
    best: bool


@dataclass(frozen=True)
class Finished(Record):
    """The model is on disk at `model`, its record at `record`; `before`: it had been trained already."""

    model: Path
    record: Path
    before: bool


Event = Note | Progress | Started | Step | Epoch | Finished
Tell = Callable[[Event], None]
EVENTS: tuple[type[Event], ...] = (Note, Progress, Started, Step, Epoch, Finished)
