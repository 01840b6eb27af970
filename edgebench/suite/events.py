"""What a study tells while it works, beside what its steps tell themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgebench.pipeline.events import ConversionEvent, ProfileEvent
from edgebench.training import events as training

TRAIN, CONVERT, MEASURE = "train", "convert", "measure"


@dataclass(frozen=True)
class StageStarted:
    """A stage has `total` steps, of which `finished` are there already."""

    stage: str
    total: int
    finished: int


@dataclass(frozen=True)
class StepStarted:
    """One step of a stage begins."""

    stage: str
    name: str


@dataclass(frozen=True)
class StepDone:
    """One step is through; `reason` is empty where it went well."""

    stage: str
    name: str
    reason: str = ""


Event = StageStarted | StepStarted | StepDone | ConversionEvent | ProfileEvent | training.Event
Tell = Callable[[Event], None]
"""Called from several threads, one at a time a stage. Raises nothing but KeyboardInterrupt."""
