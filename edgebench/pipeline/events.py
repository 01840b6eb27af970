"""What the pipeline tells while it works. Whoever shows it matches on the type; new events need no other change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgebench.devices.base import OnDevice
from edgebench.records import Artifact


@dataclass(frozen=True)
class ConversionStarted:
    """A variant is being made."""

    model: str
    variant: str


@dataclass(frozen=True)
class ConversionFinished:
    """A variant is made, or has failed: its manifest says which. `cached`: it was there, unchanged."""

    artifact: Artifact
    cached: bool = False


@dataclass(frozen=True)
class MemoryShort:
    """A conversion takes more memory than is free, in one line; it is tried all the same."""

    model: str
    reason: str


@dataclass(frozen=True)
class Resumed:
    """An interrupted profile goes on; so many runs of it are kept."""

    device: str
    finished: int


@dataclass(frozen=True)
class ExamStarted:
    """A model's images and its source model's own outputs are being prepared."""

    model: str


@dataclass(frozen=True)
class Decoded:
    """`done` of `total` images are decoded for a model."""

    model: str
    done: int
    total: int


@dataclass(frozen=True)
class ExamReady:
    """They are there. `skipped` names files that cannot be read; `reference_reason` says why there is no reference."""

    model: str
    skipped: tuple[str, ...]
    reference_reason: str


@dataclass(frozen=True)
class JobStarted:
    """Job `done` of `total` on a device begins."""

    device: str
    cell: str
    kind: str
    done: int
    total: int


@dataclass(frozen=True)
class CellFailed:
    """A cell's run has a status other than ok; the sweep goes on."""

    cell: str
    status: str
    reason: str


ConversionEvent = ConversionStarted | ConversionFinished | MemoryShort
ProfileEvent = Resumed | ExamStarted | Decoded | ExamReady | JobStarted | CellFailed | OnDevice

TellConversion = Callable[[ConversionEvent], None]
"""Called from one thread."""

Tell = Callable[[ProfileEvent], None]
"""Called from a thread a device. Raises nothing but KeyboardInterrupt, which ends the work."""
