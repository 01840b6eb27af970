"""The rest a device is given before a round of latency: so many seconds, then until it is cool enough."""

from __future__ import annotations

import time
from collections.abc import Callable

from edgebench.devices.base import Device, Notice, Progress, Rest, Thermometer, Waiting

PATIENCE_SECONDS = 900.0  # a Pi in a closed case may never come below what was asked for
LOOK_SECONDS = 2.0


def rest(
    device: Device,
    wish: Rest,
    progress: Progress,
    pause: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Wait as `wish` says. Where the device does not cool down in time, or does not say how hot it is, tell and go on.

    Every wait is cut into short ones that `progress` may interrupt.
    """
    _wait(wish.cool_down, progress, pause, clock)
    if wish.max_temperature is None:
        return
    deadline = clock() + PATIENCE_SECONDS
    while True:
        now = device.temperature() if isinstance(device, Thermometer) else None
        if now is None:
            progress(
                Notice(f"it does not say how hot it is, so {wish.max_temperature:g} degrees C cannot be waited for")
            )
            return
        if now <= wish.max_temperature:
            return
        if clock() > deadline:
            limit = f"{wish.max_temperature:g} degrees C in {PATIENCE_SECONDS / 60:.0f} minutes"
            progress(Notice(f"it did not cool to {limit} ({now:.1f} now): measured as it is"))
            return
        _wait(LOOK_SECONDS, progress, pause, clock)


def _wait(seconds: float, progress: Progress, pause: Callable[[float], None], clock: Callable[[], float]) -> None:
    until = clock() + seconds
    while clock() < until:
        progress(Waiting())
        pause(min(0.5, max(0.0, until - clock())))
