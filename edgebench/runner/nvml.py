"""What an NVIDIA GPU says of itself, through its driver's own library. Not yet tried on a real GPU.

NVML API reference: nvmlInit_v2, nvmlDeviceGetComputeRunningProcesses_v3, nvmlDeviceGetTotalEnergyConsumption.
"""

from __future__ import annotations

import ctypes
import os
from typing import Any, NamedTuple, Optional

MOST_PROCESSES = 64


class _Process(ctypes.Structure):
    _fields_ = [
        ("pid", ctypes.c_uint),
        ("used_bytes", ctypes.c_ulonglong),
        ("gpu_instance", ctypes.c_uint),
        ("compute_instance", ctypes.c_uint),
    ]


class _Memory(ctypes.Structure):
    _fields_ = [(name, ctypes.c_ulonglong) for name in ("total", "free", "used")]


class Reading(NamedTuple):
    """The first GPU now. `own_bytes` is None where the driver hides processes (containers, some boards)."""

    name: str
    own_bytes: Optional[int]
    used_bytes: Optional[int]
    millijoules: Optional[int]


def read() -> Optional[Reading]:
    """Return what the first GPU says; None without an NVIDIA driver."""
    try:
        library: Any = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return None
    device = ctypes.c_void_p()
    if library.nvmlInit_v2() != 0 or library.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(device)) != 0:
        return None
    name = ctypes.create_string_buffer(96)
    library.nvmlDeviceGetName(device, name, 96)
    memory, energy = _Memory(), ctypes.c_ulonglong()
    used = memory.used if library.nvmlDeviceGetMemoryInfo(device, ctypes.byref(memory)) == 0 else None
    counted = library.nvmlDeviceGetTotalEnergyConsumption(device, ctypes.byref(energy)) == 0
    return Reading(name.value.decode(), _own_bytes(library, device), used, energy.value if counted else None)


def _own_bytes(library: Any, device: Any) -> Optional[int]:
    count, table = ctypes.c_uint(MOST_PROCESSES), (_Process * MOST_PROCESSES)()
    if library.nvmlDeviceGetComputeRunningProcesses_v3(device, ctypes.byref(count), table) != 0:
        return None
    own = [process.used_bytes for process in table[: count.value] if process.pid == os.getpid()]
    return own[0] if own and own[0] < 2**63 else None  # the largest number means: not available
