"""What a training says while it goes on: frozen values that cross the pipe from its process as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edgebench.errors import EdgebenchError


@dataclass(frozen=True)
class Note:
    """Something the user should know, in one line."""

    text: str


@dataclass(frozen=True)
class Progress:
    """`done` of `total` of something that has no epochs: images decoded, features computed."""

    what: str
    done: int
    total: int


@dataclass(frozen=True)
class Started:
    """A phase begins; `steps` batches an epoch. `done` epochs were finished before it was interrupted."""

    phase: str
    epochs: int
    steps: int
    parameters_trainable: int
    done: int = 0


@dataclass(frozen=True)
class Step:
    """Batch `step` of an epoch (from 1) is through."""

    phase: str
    epoch: int
    step: int


@dataclass(frozen=True)
class Epoch:
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
class Finished:
    """The model is on disk at `model`, its record at `record`; `before`: it had been trained already."""

    model: str
    record: str
    before: bool


Event = Note | Progress | Started | Step | Epoch | Finished
Tell = Callable[[Event], None]
KINDS: dict[str, type[Any]] = {kind.__name__.lower(): kind for kind in (Note, Progress, Started, Step, Epoch, Finished)}


def to_line(event: Event) -> dict[str, Any]:
    """Return the event as the JSON of one line."""
    return {"event": type(event).__name__.lower(), **dataclasses.asdict(event)}


def from_line(line: dict[str, Any]) -> Event:
    """Return the event of one line. Raises EdgebenchError where it is none."""
    values = dict(line)
    kind = KINDS.get(values.pop("event", ""))
    if kind is None:
        raise EdgebenchError(f"the training said something unknown: {line}")
    found: Event = kind(**values)
    return found
