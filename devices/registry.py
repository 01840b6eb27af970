"""Opens a device by name: `cpu` and `gpu` are here; everything else is reached over SSH or another package's."""

from __future__ import annotations

from pathlib import Path

from edgebench.devices.base import Device, Listener
from edgebench.devices.config import HERE, find_device
from edgebench.devices.local import LocalDevice
from edgebench.registry import find_device as find_opener

LOCAL_DEVICES = HERE


def open_device(name: str, project: Path, session: str = "", tell: Listener | None = None) -> Device:
    """Return the device called `name`; nothing is connected before it is entered or asked.

    `tell` hears what happens outside of a job: uploads, new connections. `project` is the folder whose devices.toml
    counts first. `session` names the profile, so that the jobs a killed host left on the device are picked up by the
    same profile again. Raises UsageError listing the known names.
    """
    if name in LOCAL_DEVICES:
        return LocalDevice(name)
    opener = find_opener(name)
    if opener is not None:
        device: Device = opener(name)
        return device
    from edgebench.devices.ssh.device import SshDevice  # 0.1 s that a profile on this machine does not pay

    return SshDevice(find_device(name, project), session, tell)
