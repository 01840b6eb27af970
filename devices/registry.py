"""Device names -> devices."""

from __future__ import annotations

from pathlib import Path

from edgebench.devices.base import Device
from edgebench.devices.local import LocalDevice
from edgebench.errors import UsageError


def open_device(name: str, project: Path) -> Device:  # noqa: ARG001 (remote devices are named in the project folder)
    """Return the device called `name`; an unknown name lists the known ones."""
    if name == "cpu":
        return LocalDevice(name)
    raise UsageError(f"unknown device {name!r}: known are cpu")
