"""Several devices at once, and Ctrl-C that reaches all of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from edgebench.devices.base import Cancellable, Device
from edgebench.devices.config import HERE
from edgebench.devices.text import SHORT, clean_text
from edgebench.errors import DeviceError, EdgebenchError
from edgebench.pipeline.events import ProfileEvent, Tell

R = TypeVar("R")
POLL_SECONDS = 0.2
LEAVE_SECONDS = 1.0  # what devices may take to leave after Ctrl-C; a thread that takes longer ends with the process


class Stoppable:
    """Passes events on until it is stopped; then whoever tells it something is interrupted as by Ctrl-C."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._stopped = threading.Event()

    def __enter__(self) -> Stoppable:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stopped.set()

    def __call__(self, event: ProfileEvent) -> None:
        """Pass one event on. Raises KeyboardInterrupt once stopped."""
        if self._stopped.is_set():
            raise KeyboardInterrupt
        self._tell(event)

    def stop(self) -> None:
        """Interrupt the others at their next event."""
        self._stopped.set()


@dataclass
class _Work(Generic[R]):
    """One device's thread. It is a daemon: no device that hangs keeps the process from ending."""

    device: Device
    results: list[R] = field(default_factory=list)
    error: BaseException | None = None
    thread: threading.Thread = field(default_factory=threading.Thread)

    def start(self, measure: Callable[[Device], list[R]]) -> None:
        """Measure in a thread; keep what it returns or raises."""

        def run() -> None:
            try:
                self.results = measure(self.device)
            except BaseException as error:  # noqa: BLE001 (raised again in the main thread)
                self.error = error

        self.thread = threading.Thread(target=run, daemon=True, name=self.device.name)
        self.thread.start()


def on_every(
    measure: Callable[[Device], list[R]], devices: Sequence[Device], tell: Stoppable
) -> tuple[list[R], list[EdgebenchError]]:
    """Call `measure` for every device, side by side; a device that is lost costs its own results, the others go on."""
    lost: list[EdgebenchError] = []

    def careful(device: Device) -> list[R]:
        try:
            return measure(device)
        except EdgebenchError as error:
            lost.append(error)
        except Exception as error:  # what is unexpected on one device ends that device alone
            if device.name in HERE:
                raise
            words = f"{device.name}: an error in edgebench: {type(error).__name__}: {clean_text(error, SHORT)}"
            lost.append(DeviceError(f"{words}; please report it. The other devices went on"))
        return []

    return on_all(careful, devices, tell), lost


def on_all(measure: Callable[[Device], list[R]], devices: Sequence[Device], tell: Stoppable) -> list[R]:
    """Call `measure` for every device, side by side, and return all results in the order of the devices.

    A single device is measured in this thread, which Ctrl-C interrupts at once. With several, the first error that
    `measure` lets through, or Ctrl-C, ends the others at once.
    """
    if len(devices) == 1:
        return measure(devices[0])
    works: list[_Work[R]] = [_Work(device) for device in devices]
    try:
        for work in works:
            work.start(measure)
        while any(work.thread.is_alive() for work in works):
            for work in works:
                work.thread.join(POLL_SECONDS / len(works))
                if work.error is not None:
                    raise work.error
        for work in works:
            if work.error is not None:
                raise work.error
    except BaseException:
        _stop(works, tell)
        raise
    return [result for work in works for result in work.results]


def _stop(works: Sequence[_Work[R]], tell: Stoppable) -> None:
    tell.stop()
    for work in works:
        if work.thread.is_alive() and isinstance(work.device, Cancellable):
            work.device.cancel()
    deadline = time.monotonic() + LEAVE_SECONDS
    for work in works:
        if work.thread.ident is not None:
            work.thread.join(max(0.0, deadline - time.monotonic()))
