"""Joules, where the machine counts them: Intel and AMD packages (RAPL), or a board's own energy meter (hwmon).

Only counters that accumulate are read, so that nothing has to sample while the clock runs. What the machine draws
when idle is measured first, in the same process, and subtracted by the host.
"""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import NamedTuple, Optional

from edgebench.records import Scalar
from edgebench.runner import nvml
from edgebench.runner.sensors import read_int, read_text

IDLE_SECONDS = 0.5


class Meter(NamedTuple):
    """One reading of every counter: microjoules and the value after which each starts at zero again."""

    seconds: float
    counters: dict[str, tuple[int, int]]
    source: str


def read(root: Path = Path("/"), gpu: bool = False) -> Optional[Meter]:
    """Return the counters' readings; None where the machine has none, or keeps them from this user.

    With `gpu`, the GPU's own counter alone: what the processor adds is not the model's.
    """
    if gpu:
        reading = nvml.read()
        if isinstance(reading, str) or reading.millijoules is None:
            return None
        return Meter(time.monotonic(), {"gpu": (reading.millijoules * 1000, 0)}, "NVML")
    packages = (root / "sys/class/powercap").glob("*-rapl:*")
    found: dict[str, tuple[int, int]] = {}
    for package in packages:
        value = read_int(package / "energy_uj")
        if re.fullmatch(r"[a-z]+-rapl:\d+", package.name) and value is not None:
            found[package.name] = (value, read_int(package / "max_energy_range_uj") or 0)
    if found:
        return Meter(time.monotonic(), found, "RAPL")
    for path in (root / "sys/class/hwmon").glob("hwmon*/energy*_input"):
        value = read_int(path)
        if value is not None:
            found[str(path)] = (value, 0)
    names = {read_text(Path(name).parent / "name") for name in found}
    return Meter(time.monotonic(), found, f"hwmon {' '.join(sorted(names))}".strip()) if found else None


def joules(before: Meter, after: Meter) -> float:
    """Return what was used between two readings."""
    total = 0
    for name, (value, limit) in after.counters.items():
        used = value - before.counters.get(name, (value, 0))[0]
        total += used + limit if used < 0 else used
    return total / 1e6


def idle_watts(root: Path = Path("/"), gpu: bool = False, seconds: float = IDLE_SECONDS) -> Optional[float]:
    """Return what the machine draws while this process sleeps; None, at once, where nothing counts."""
    before = read(root, gpu)
    if before is None:
        return None
    time.sleep(seconds)
    after = read(root, gpu)
    return None if after is None else joules(before, after) / (after.seconds - before.seconds)


def table(before: Optional[Meter], after: Optional[Meter], idle: Optional[float]) -> dict[str, Scalar]:
    """Return the keys of one measurement; none where there is no meter."""
    if before is None or after is None or idle is None:
        return {}
    return {
        "energy_joules": joules(before, after),
        "energy_seconds": after.seconds - before.seconds,
        "energy_idle_watts": idle,
        "energy_source": before.source,
    }
