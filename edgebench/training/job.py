"""What a framework's `fit` is given and what it gives back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgebench.records import EpochRecord, PhaseRecord
from edgebench.training.bases import Base
from edgebench.training.data import Data, Part
from edgebench.training.events import Tell
from edgebench.training.settings import Training
from edgebench.training.state import State

EPOCHS, EARLY, INTERRUPTED = "epochs", "early", "interrupted"
"""Why a training ended: every epoch was through, the validation loss got no better, or the user stopped it."""


@dataclass(frozen=True)
class Job:
    """One training with its images on disk. `stopped` tells whether the user wants to end it."""

    training: Training
    base: Base
    data: Data
    state: State
    tell: Tell
    stopped: Callable[[], bool]

    @property
    def judged(self) -> Part:
        """The images the model is judged by."""
        return self.data.test or self.data.val


@dataclass(frozen=True)
class Fit:
    """A trained model: `save` writes it to a path; `probabilities` (images, classes) are of `Job.judged`."""

    save: Callable[[Path], None]
    probabilities: npt.NDArray[np.float32]
    history: tuple[EpochRecord, ...]
    phases: tuple[PhaseRecord, ...]
    stopped: str
    parameters: int
    tools: dict[str, str]
