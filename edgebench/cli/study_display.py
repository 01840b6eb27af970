"""What a person sees of a study: one bar for each stage and device on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from dataclasses import dataclass

from edgebench.cli.converting import summary
from edgebench.cli.display import Display
from edgebench.pipeline.events import ConversionFinished, ConversionStarted, JobStarted, MemoryShort, Resumed
from edgebench.suite.events import CONVERT, MEASURE, TRAIN, Event, StageStarted, StepDone, StepStarted
from edgebench.training import events as training
from edgebench.units import count, duration, percent

TITLES = {TRAIN: ("model", "to train"), CONVERT: ("artifact", "to make"), MEASURE: ("cell", "to measure")}


@dataclass
class _Step:
    """How far a stage is, and what it does now since when."""

    stage: str
    done: int
    total: int
    text: str = ""
    since: float = 0.0
    found: int = 0  # of those done, what was there already
    began: float = 0.0

    def begin(self, text: str) -> None:
        """Note what begins."""
        if text != self.text:
            self.text, self.since = text, time.monotonic()

    def words(self, now: float) -> str:
        """Say it, with the seconds that it has taken so far."""
        here = f"now {self.text}, {duration(now - self.since)}"
        return f"{self.stage}: {self.done} of {self.total} done, {here}{self.left(now)}"

    def left(self, now: float) -> str:
        """Return `, about 3 min left`, from what was done in this run; empty before anything was."""
        made = self.done - self.found
        if not made:
            return ""
        return f", about {duration((now - self.began) / made * (self.total - self.done))} left"


class StudyDisplay(Display):
    """Renders the events of a study; safe to call from several threads. A context manager."""

    def __init__(self, quiet: bool = False) -> None:
        super().__init__(quiet, sweeps=0)  # how many requests each device will get is not known
        self._resumed: set[str] = set()
        self._step = _Step("", 0, 0)

    def show(self, event: Event) -> None:
        """Render one event."""
        match event:
            case StageStarted():
                self._stage(event)
            case StepStarted(stage, name):
                self._advance(stage, name, 0)
            case StepDone(stage, name, reason):
                self._done(stage, name, reason)
            case ConversionStarted(model, variant):
                self._advance(CONVERT, f"{model} {variant}", 0)
            case ConversionFinished(artifact, cached):
                self._advance(CONVERT, f"{artifact.model} {artifact.variant}", 1)
                self._say(summary(artifact, cached))
            case MemoryShort(model, reason):
                self._say(f"{model}  {reason}")
            case training.Note(text):
                self._say(text)
            case training.Progress(what, done, total):
                self._advance(TRAIN, f"{what}: {done} of {total}", 0)
            case training.Started():
                gone = f", going on after epoch {event.done}" if event.done else ""
                self._say(f"{event.phase}: {event.parameters_trainable:,} parameters learn{gone}")
            case training.Step(phase, epoch, step):
                self._advance(TRAIN, f"{phase}: epoch {epoch}, step {step}", 0)
            case training.Epoch():
                self._say(
                    f"{event.phase}: epoch {event.epoch} of {event.epochs}: validation loss {event.val_loss:.4f}, "
                    f"{percent(event.val_accuracy)} right{' *' if event.best else ''}"
                )
            case Resumed(device) if device in self._resumed:  # what an earlier way to measure has left there
                pass
            case Resumed(device):
                self._resumed.add(device)
                self.tell(event)
            case training.Finished():
                pass
            case JobStarted(device):
                self._resumed.add(device)
                self.tell(event)
            case _:
                self.tell(event)

    def _stage(self, event: StageStarted) -> None:
        left = event.total - event.finished
        there = f", {event.finished} are there already" if event.finished else ""
        what, to_do = TITLES[event.stage]
        self._say(f"{count(event.total, what)} {to_do}{there}")
        with self._lock:
            self._step = _Step(event.stage, event.finished, event.total, "", 0.0, event.finished, time.monotonic())
            self._doing[""] = "the source models' own outputs" if event.stage == MEASURE and left else ""
        if self._live and left and event.stage != MEASURE:  # there each device has a bar of its own
            self._tasks[event.stage] = self._progress.add_task("", total=left, device=event.stage)

    def _done(self, stage: str, name: str, reason: str) -> None:
        if stage == TRAIN:
            self._advance(stage, name, 1)
        if reason:
            self._say(f"{name}: {reason}")
        elif stage == TRAIN:
            self._say(f"{name}: trained")

    def _advance(self, stage: str, text: str, steps: int) -> None:
        with self._lock:
            self._step.done += steps
            self._step.begin(text)
            self._doing[""] = text
            if stage in self._tasks:
                left = self._step.left(time.monotonic())
                self._progress.update(self._tasks[stage], advance=steps, description=f"{text}{left}")

    def _beat(self) -> None:
        with self._lock:
            if self._doing.get("") and self._step.text:
                self._doing[""] = self._step.words(time.monotonic())
        super()._beat()

    def _say(self, text: str) -> None:
        with self._lock:
            self.line(text)
