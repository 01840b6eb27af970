"""Columns of how the source model was trained, where `edgebench train` did it."""

from __future__ import annotations

from dataclasses import dataclass

from edgebench.records import TrainingRecord
from edgebench.results.derived import Derived
from edgebench.results.figure import Basis, Unit, figure


def _training(d: Derived) -> TrainingRecord | None:
    return d.result.artifact.training


def _milliseconds(d: Derived) -> float | None:
    found = _training(d)
    return 1000 * found.seconds if found else None


def _trainable(d: Derived) -> int | None:
    found = _training(d)
    return found.parameters_trainable if found else None


def _epochs(d: Derived) -> int | None:
    found = _training(d)
    return len(found.history) if found else None


def _memory(d: Derived) -> int | None:
    found = _training(d)
    return found.peak_rss_bytes if found else None


def _base(d: Derived) -> str:
    found = _training(d)
    return found.base if found else ""


@dataclass(frozen=True)
class TrainingFigures:
    """What the training cost; empty for models that came trained."""

    trained_from: str = figure(Basis.IDENTITY, Unit.TEXT, _base, "What edgebench train began with.")
    training_ms: float | None = figure(
        Basis.MACHINE, Unit.MILLISECONDS, _milliseconds, "Time of all epochs, and of features that were computed once."
    )
    training_epochs: int | None = figure(Basis.IDENTITY, Unit.COUNT, _epochs, "Epochs it was trained for, all phases.")
    parameters_trained: int | None = figure(Basis.ARTIFACT, Unit.COUNT, _trainable, "Parameters that learned.")
    training_peak_rss_bytes: int | None = figure(
        Basis.MACHINE, Unit.BYTES, _memory, "The most memory the training's process held at once."
    )
