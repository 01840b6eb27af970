"""What the machine is: typed keys, one flat table. Unknown is absent, never made up."""

from __future__ import annotations

import os
import platform
import struct
from pathlib import Path
from typing import Optional

from edgebench.records import Scalar
from edgebench.runner import sensors
from edgebench.runner.sensors import read_int, read_text


def capture(root: Path = Path("/")) -> dict[str, Scalar]:
    """Return facts about this machine and this process; `root` lets a recorded /sys and /proc be replayed."""
    cpu0 = root / sensors.CPUS / "cpu0/cpufreq"
    table: dict[str, Scalar] = {
        "system": platform.system(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "userland_bits": struct.calcsize("P") * 8,
        "libc": " ".join(platform.libc_ver()).strip() or None,
        "python": platform.python_version(),
        "board": read_text(root / "proc/device-tree/model") or None,
        "cpu": _cpu_model(root),
        "cpu_features": _cpu_features(root),
        "cores": os.cpu_count(),
        "cores_allowed": ",".join(str(core) for core in sensors.allowed_cores()),
        "memory_bytes": _memory_line(root, "MemTotal"),
        "governor": read_text(cpu0 / "scaling_governor") or None,
        "frequency_max_hz": _times_1000(read_int(cpu0 / "cpuinfo_max_freq")),
        "frequency_limit_hz": _times_1000(read_int(cpu0 / "scaling_max_freq")),
        "turbo": _turbo(root),
        "temperature_trip_celsius": sensors.trip_celsius(root),
        "virtualised": _virtualised(root),
        "swap_free_bytes": _memory_line(root, "SwapFree"),
    }
    if hasattr(os, "getloadavg"):
        table["load_1m"] = round(os.getloadavg()[0], 2)
    return {key: value for key, value in table.items() if value is not None}


# Instructions that decide how fast 8-bit kernels run, and their names in /proc/cpuinfo.
FEATURES = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "asimd", "asimdhp", "asimddp", "i8mm", "sve")


def _cpu_features(root: Path) -> Optional[str]:
    for line in read_text(root / "proc/cpuinfo").splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("flags", "Features"):
            return " ".join(name for name in FEATURES if name in value.split())
    return None


def _cpu_model(root: Path) -> Optional[str]:
    lines = (line.partition(":") for line in read_text(root / "proc/cpuinfo").splitlines())
    found = {key.strip(): value.strip() for key, _, value in lines}
    # On ARM boards `Model` is the board, which says more than its core's revision.
    names = (found.get(key) for key in ("Model", "model name", "Hardware"))
    return next((name for name in names if name), platform.processor() or None)


def _turbo(root: Path) -> Optional[bool]:
    """Whether the clock may rise above its base (intel_pstate, or cpufreq's boost)."""
    no_turbo = read_int(root / sensors.CPUS / "intel_pstate/no_turbo")
    boost = read_int(root / sensors.CPUS / "cpufreq/boost")
    if no_turbo is not None:
        return no_turbo == 0
    return None if boost is None else boost == 1


def _virtualised(root: Path) -> Optional[bool]:
    """Whether the processor says that it runs under a hypervisor (x86 only)."""
    for line in read_text(root / "proc/cpuinfo").splitlines():
        if line.startswith("flags"):
            return "hypervisor" in line.split()
    return None


def _memory_line(root: Path, name: str) -> Optional[int]:
    for line in read_text(root / "proc/meminfo").splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return int(value.split()[0]) * 1024
    return None


def _times_1000(value_khz: Optional[int]) -> Optional[int]:
    return None if value_khz is None else value_khz * 1000
