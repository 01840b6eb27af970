"""What the pipeline asks of a device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from edgebench.records import Job, Run


@dataclass(frozen=True)
class Phase:
    """The runner is in this phase of its job; `done` of `total` images where it counts them."""

    phase: str
    done: int | None = None
    total: int | None = None


@dataclass(frozen=True)
class Carried:
    """A runtime's package begins its way to the device."""

    package: str
    version: str


@dataclass(frozen=True)
class Upload:
    """`done` of `total` bytes of a file have arrived."""

    name: str
    done: int
    total: int
    bytes_per_second: float


@dataclass(frozen=True)
class Reconnect:
    """The connection broke for `reason` and is made anew; what runs there goes on."""

    reason: str


@dataclass(frozen=True)
class Busy:
    """The device measures for `owner`, and this job waits."""

    owner: str


@dataclass(frozen=True)
class Waiting:
    """Nothing new yet: where Ctrl-C can take hold."""


@dataclass(frozen=True)
class Notice:
    """Something a person should know, in words."""

    text: str


Event = Phase | Carried | Upload | Reconnect | Busy | Waiting | Notice
Progress = Callable[[Event], None]
"""Called with each thing that happens on a device. Raises nothing but KeyboardInterrupt."""


@dataclass(frozen=True)
class OnDevice:
    """An event with where it happened; `cell` and `kind` of the job, empty outside of one."""

    device: str
    event: Event
    cell: str = ""
    kind: str = ""


Listener = Callable[[OnDevice], None]
"""Called with what happens outside of a job; as Progress, it raises nothing but KeyboardInterrupt."""


@dataclass(frozen=True)
class Outcome:
    """What one job brought back. `outputs` is float32 (images, classes), dequantised; None unless kind is accuracy."""

    run: Run
    outputs: npt.NDArray[np.float32] | None


@dataclass(frozen=True)
class Rest:
    """What a device is given before each round of latency: seconds of rest, and a temperature in degrees Celsius."""

    cool_down: float = 0.0
    max_temperature: float | None = None


@dataclass(frozen=True)
class DeviceInfo:
    """What the pipeline must know before it plans: which runtimes, and what kind of place it is."""

    name: str
    runtimes: dict[str, str]  # runtime name -> version, those that can be used there
    emulated: bool = False  # its latency means nothing
    remote: bool = False  # another machine, whose kernels may differ from the host's
    reasons: dict[str, str] = field(default_factory=dict)  # format -> why nothing there can run it
    rest: Rest = Rest()


class Device(Protocol):
    """A place where jobs run, each in a fresh process. A context manager: leaving it closes connections."""

    name: str

    def __enter__(self) -> Device: ...
    def __exit__(self, *exception: object) -> None: ...

    def info(self) -> DeviceInfo:
        """Describe the device. Raises DeviceError where it cannot be reached."""

    def put(self, path: Path, sha256: str) -> str:
        """Make a file or folder available on the device and return its path there; what is there is not sent again."""

    def run(self, job: Job, progress: Progress) -> Outcome:
        """Run one job in a fresh process. A crash, refusal or time-out is a Run with that status, never an exception.

        Raises DeviceError only where the device itself is lost.
        """


@runtime_checkable
class Cancellable(Protocol):
    """A device that another thread can end at once: whoever uses it is interrupted as by Ctrl-C."""

    def cancel(self) -> None:
        """End what runs, or let go of it."""


@runtime_checkable
class Lending(Protocol):
    """A device that can be given a file for a while."""

    def lend(self, path: Path, sha256: str) -> str:
        """As `put`, until `take_back`."""

    def take_back(self, sha256: str) -> None:
        """Delete there what was lent under this hash, and nothing else."""


@runtime_checkable
class Thermometer(Protocol):
    """A device that says how hot it is."""

    def temperature(self) -> float | None:
        """Return degrees Celsius, None where it cannot be known."""
