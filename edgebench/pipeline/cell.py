"""One artifact on one device while it is being measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgebench.pipeline.evaluations import Rows
from edgebench.pipeline.scoring import Exam
from edgebench.records import OK, Accuracy, Artifact, Flips, Run

Pixels = tuple[str, str]
"""Images on the device: their path and hash."""


@dataclass
class Examined:
    """One evaluation of a cell, and what came of it."""

    exam: Exam
    rows: Rows = ()
    accuracy: Accuracy | None = None
    outputs: npt.NDArray[np.float32] | None = None
    flips: Flips | None = None


@dataclass
class Cell:
    """One artifact on one device while it is being measured."""

    artifact: Artifact
    file: Path | None
    runtime: str
    group: str = ""
    status: str = OK
    reason: str = ""
    runs: list[Run] = field(default_factory=list)
    examined: list[Examined] = field(default_factory=list)
    images: Pixels = ("", "")  # what its latency is measured with; empty: seeded random images

    @property
    def name(self) -> str:
        """Model and variant, and whether it is the baseline's."""
        return f"{self.group} {self.artifact.label}".lstrip()

    def fail(self, status: str, reason: str) -> None:
        """Keep the first thing that went wrong; what was measured before it stays."""
        if self.status == OK:
            self.status, self.reason = status, reason
