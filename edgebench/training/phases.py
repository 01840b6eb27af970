"""What both frameworks share: the phases of a training, orders and seeds by epoch, and how outputs are judged."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from edgebench.images.stored import StoredRows
from edgebench.records import EpochRecord, Sample
from edgebench.training.bases import Base
from edgebench.training.data import Data, Part
from edgebench.training.settings import Training

HEAD, FINE_TUNE, SCRATCH = "head", "fine-tune", "all"
SAMPLES = 12
SAMPLE_PIXELS = 72


class Stopped(Exception):
    """The user asked to stop: what is finished counts."""


@dataclass(frozen=True)
class Phase:
    """One phase: which layers of the base are free, for how long and how fast."""

    index: int
    name: str
    free: str  # a number of layers, or all
    epochs: int
    rate: float


@dataclass(frozen=True)
class Verdict:
    """Outputs held against labels: mean cross-entropy in nats and the share of right first choices."""

    loss: float
    accuracy: float


def phases(training: Training, base: Base) -> list[Phase]:
    """Return the phases: the head alone and then the free layers, or everything from scratch."""
    if not base.pretrained:
        return [Phase(0, SCRATCH, "all", training.epochs, training.learning_rate)]
    found = [Phase(0, HEAD, "0", training.epochs, training.learning_rate)]
    if training.fine_tune:
        found.append(Phase(1, FINE_TUNE, training.fine_tune, training.low_epochs, training.low_rate))
    return found


def order(training: Training, phase: int, epoch: int, images: int) -> npt.NDArray[np.int64]:
    """Return the order of the images in one epoch: of the seed and the epoch alone, so that it can be resumed."""
    return np.random.default_rng((training.seed, phase, epoch)).permutation(images)


def seeds(training: Training, phase: int, epoch: int, count: int) -> npt.NDArray[np.uint32]:
    """Return seeds (count, 2) of whatever is random in one epoch."""
    return np.random.default_rng((training.seed, phase, epoch, 1)).integers(0, 1 << 31, (count, 2), dtype=np.uint32)


def class_weights(training: Training, part: Part, classes: int) -> npt.NDArray[np.float32]:
    """Return the weight of each class: images / (classes * images of the class), or one."""
    if not training.class_weights:
        return np.ones(classes, np.float32)
    counts = np.bincount(part.labels, minlength=classes)
    return np.asarray(len(part.labels) / (classes * np.maximum(counts, 1)), np.float32)


def judge(probabilities: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]) -> Verdict:
    """Return loss and accuracy of class probabilities (images, classes)."""
    chosen = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return Verdict(float(-np.log(np.maximum(chosen, 1e-12)).mean()), float((probabilities.argmax(1) == labels).mean()))


def best_of(history: list[EpochRecord]) -> int:
    """Return the index of the epoch with the lowest validation loss, the first of equal ones."""
    return int(np.argmin([epoch.val_loss for epoch in history]))


def out_of_patience(training: Training, history: list[EpochRecord], phase: str) -> bool:
    """Whether a phase has gone `patience` epochs without a better validation loss than its own best."""
    mine = [epoch for epoch in history if epoch.phase == phase]
    return bool(training.patience and mine) and len(mine) - 1 - best_of(mine) >= training.patience


def confusion(
    probabilities: npt.NDArray[np.float32], labels: npt.NDArray[np.int64], classes: int
) -> tuple[tuple[int, ...], ...]:
    """Return counts, true classes down and predicted ones across."""
    table = np.zeros((classes, classes), np.int64)
    np.add.at(table, (labels, probabilities.argmax(1)), 1)
    return tuple(tuple(int(count) for count in row) for row in table)


def samples(probabilities: npt.NDArray[np.float32], part: Part, data: Data) -> tuple[Sample, ...]:
    """Return some predictions to look at: the most certain mistakes first, then images spread over the set."""
    chosen, certain = probabilities.argmax(1), probabilities.max(1)
    wrong = np.flatnonzero(chosen != part.labels)
    rows = list(wrong[np.argsort(-certain[wrong])][: SAMPLES // 2])
    spread = np.linspace(0, len(part.labels) - 1, min(SAMPLES, len(part.labels))).astype(int)
    rows += [row for row in spread if row not in rows][: SAMPLES - len(rows)]
    with StoredRows(part.images) as images:
        return tuple(
            Sample(
                part.names[row],
                data.classes[part.labels[row]],
                data.classes[chosen[row]],
                round(float(certain[row]), 4),
                _jpeg(images.take([row])[0]),
            )
            for row in rows
        )


def _jpeg(pixels: npt.NDArray[np.uint8]) -> str:
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    image.thumbnail((SAMPLE_PIXELS, SAMPLE_PIXELS))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=80)
    return base64.b64encode(stream.getvalue()).decode()
