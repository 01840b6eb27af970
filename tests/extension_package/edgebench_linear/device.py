"""A second device of this machine."""

from edgebench.devices.local import LocalDevice


def open_device(name):
    return LocalDevice(name)
