"""What is asked of a profile: artifacts, images, settings, and what may be taken as measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgebench.devices.base import Rest
from edgebench.pipeline.artifacts import Found
from edgebench.pipeline.evaluations import Exams
from edgebench.records import Preprocessing, Settings

PLAIN = Preprocessing("none")


@dataclass(frozen=True)
class Request:
    """What to measure, and with what. `images` limits the accuracy run; None leaves it to the device's budget."""

    found: Sequence[Found]
    exams: Exams | None  # None: no images, so no accuracy
    settings: Settings
    out: Path
    runtime: str | None = None
    images: int | None = None
    budget_seconds: float | None = None
    preprocessing: Preprocessing | None = None
    fresh: bool = False
    only_failed: bool = False  # what has a result already, with status ok, is taken as it is
    rest: Rest | None = None  # before each round of latency; None: as the device's own configuration says
    data_key: str | None = None  # what the images are; not None: finished results are kept until `completion.forget`
