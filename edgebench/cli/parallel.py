"""Several devices at once, and Ctrl-C that reaches all of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from edgebench.devices.base import Device
from edgebench.pipeline.events import ProfileEvent, Tell

R = TypeVar("R")


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


def on_all(measure: Callable[[Device], list[R]], devices: Sequence[Device], tell: Stoppable) -> list[R]:
    """Call `measure` for every device, side by side, and return all results in the order of the devices.

    A single device is measured in this thread, which Ctrl-C interrupts at once.
    """
    if len(devices) == 1:
        return measure(devices[0])
    with ThreadPoolExecutor(len(devices)) as pool:
        futures = [pool.submit(measure, device) for device in devices]
        try:
            return [result for future in futures for result in future.result()]
        except BaseException:
            tell.stop()
            raise
