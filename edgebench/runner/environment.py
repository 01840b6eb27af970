"""What the machine was when it measured: typed keys, one flat table. Unknown is absent, never made up."""

from __future__ import annotations

import os
import platform
import struct
from pathlib import Path

from edgebench.records import Scalar


def capture(root: Path = Path("/")) -> dict[str, Scalar]:
    """Return facts about this machine and this process; `root` lets a recorded /sys and /proc be replayed."""
    table: dict[str, Scalar] = {
        "system": platform.system(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "userland_bits": struct.calcsize("P") * 8,
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "cpu": _cpu_model(root),
        "memory_bytes": _memory(root),
    }
    if hasattr(os, "sched_getaffinity"):
        table["cores_allowed"] = len(os.sched_getaffinity(0))
    if hasattr(os, "getloadavg"):
        table["load_1m"] = round(os.getloadavg()[0], 2)
    return {key: value for key, value in table.items() if value is not None}


def _cpu_model(root: Path) -> str | None:
    model = root / "proc/device-tree/model"
    if model.exists():
        return model.read_text(errors="replace").strip("\0\n ")
    try:
        lines = (root / "proc/cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        return platform.processor() or None
    names = [
        line.partition(":")[2].strip()
        for line in lines
        if line.startswith(("model name", "Model", "Hardware"))
    ]
    return names[0] if names else None


def _memory(root: Path) -> int | None:
    try:
        first = (root / "proc/meminfo").read_text().splitlines()[0]
    except (OSError, IndexError):
        return None
    return int(first.split()[1]) * 1024
