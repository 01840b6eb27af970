"""How a model was trained: what `edgebench train` leaves beside it as training.json, for its artifacts' manifests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional

from edgebench.records.vocabulary import RECORD_VERSION, Record


@dataclass(frozen=True)
class EpochRecord(Record):
    """One epoch. Losses are mean cross-entropies in nats, accuracies shares 0..1; the training's own with dropout."""

    phase: str
    epoch: int  # from 1, in its phase
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    learning_rate: float
    seconds: float  # training and validation


@dataclass(frozen=True)
class PhaseRecord(Record):
    """One phase: what was free, and what it cost."""

    name: str  # head, fine-tune or all
    epochs: int
    seconds: float  # epochs, and features where they were cached
    step_ms: Optional[float]  # median; None where the phase had no step
    batch: int
    parameters_trainable: int
    optimizer_bytes: int
    features_seconds: Optional[float] = None  # None: features were not cached


@dataclass(frozen=True)
class Sample(Record):
    """One prediction to look at: `jpeg` is base64 of a small picture."""

    name: str
    label: str
    predicted: str
    probability: float
    jpeg: str


@dataclass(frozen=True)
class TrainingRecord(Record):
    """One finished or stopped training. `confusion` counts images, true classes down and predicted ones across."""

    model: str
    source_sha256: str  # of the trained model, as Source.sha256 is
    base: str
    pretrained: bool
    settings: dict[str, object]
    classes: tuple[str, ...]
    split: str  # where the split came from, in words
    images: dict[str, int]  # split -> images
    phases: tuple[PhaseRecord, ...]
    history: tuple[EpochRecord, ...]
    best: int  # index into history
    stopped: str  # epochs, early or interrupted
    seconds: float
    parameters: int
    peak_rss_bytes: int
    judged_on: str  # test, or val where there is no test
    accuracy: float
    loss: float
    confusion: tuple[tuple[int, ...], ...]
    samples: tuple[Sample, ...] = ()
    unreadable: tuple[str, ...] = ()
    duplicates: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    tools: dict[str, str] = field(default_factory=dict)
    key: str = ""  # hash of settings, images, base and versions
    created: str = ""  # ISO 8601, UTC
    version: int = RECORD_VERSION

    @property
    def parameters_trainable(self) -> int:
        """The most parameters that any phase trained."""
        return max((phase.parameters_trainable for phase in self.phases), default=0)
