"""What is asked of a profile: artifacts, images, settings, and what may be taken as measured."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgebench.converters.trust import NOTHING, Trust
from edgebench.devices.base import Device, Rest
from edgebench.devices.config import HERE
from edgebench.images.datasets import Dataset
from edgebench.pipeline.artifacts import Found
from edgebench.pipeline.completion import data_key
from edgebench.pipeline.evaluations import Exams
from edgebench.records import Perturbation, Preprocessing, Settings

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


@dataclass(frozen=True)
class Measuring:
    """How to measure and on which images, whatever is measured on whichever device."""

    scenarios: tuple[Settings, ...]  # one, or one a batch size
    datasets: tuple[Dataset, ...] = ()  # the first is the main set
    perturbations: tuple[Perturbation, ...] = ()
    rule: Preprocessing | None = None  # for files without a manifest
    runtime: str | None = None
    images: int | None = None
    budget_seconds: float | None = None  # of a remote device for the accuracy of one artifact
    rest: Rest | None = None
    trust: Trust = NOTHING

    def request(self, found: Sequence[Found], out: Path, fresh: bool = False, only_failed: bool = False) -> Request:
        """Return the request for these artifacts, without exams."""
        return Request(
            found, None, self.scenarios[0], out, self.runtime, self.images, None, self.rule, fresh, only_failed,
            self.rest, f"{data_key(self.datasets)} {self.perturbations}",
        )  # fmt: skip

    def on(self, device: Device, request: Request) -> list[Request]:
        """Return one request a scenario; a remote device gets a time budget where the user said no number of images."""
        limit = self.budget_seconds if device.name not in HERE and request.images is None else None
        accelerator = "gpu" if device.name == "gpu" else "cpu"
        return [
            dataclasses.replace(
                request, budget_seconds=limit, settings=dataclasses.replace(settings, accelerator=accelerator)
            )
            for settings in self.scenarios
        ]
