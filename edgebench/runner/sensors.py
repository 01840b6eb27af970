"""What the machine did while it was measured: clock, heat, throttling, other programs, energy.

Read once before and once after; the difference is the table. A sensor that is missing leaves its key out. All paths
stand under `root`, so that a recorded /sys and /proc can be replayed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import NamedTuple, Optional

from edgebench.records import Scalar

CPUS = "sys/devices/system/cpu"
PI_THROTTLED = "sys/devices/platform/soc/soc:firmware/get_throttled"  # hexadecimal, Raspberry Pi kernels only
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


class State(NamedTuple):
    """One reading. None is a sensor that is not there."""

    wall_seconds: float
    own_cpu_seconds: float
    busy_seconds: Optional[float]  # of all cores, by everybody
    steal_seconds: Optional[float]
    total_seconds: Optional[float]
    frequency_hz: Optional[int]
    temperature_celsius: Optional[float]
    throttled: Optional[int]
    throttle_count: Optional[int]
    switches: Optional[int]  # times this process was taken off its core against its will


def read_state(root: Path = Path("/")) -> State:
    """Read every sensor there is."""
    busy, steal, total = _cpu_times(root)
    own = os.times()
    return State(
        wall_seconds=time.monotonic(),
        own_cpu_seconds=own.user + own.system,
        busy_seconds=busy,
        steal_seconds=steal,
        total_seconds=total,
        frequency_hz=frequency_hz(root),
        temperature_celsius=temperature_celsius(root),
        throttled=pi_throttled(root),
        throttle_count=_throttle_count(root),
        switches=_involuntary_switches(),
    )


def between(before: State, after: State) -> dict[str, Scalar]:
    """Return the table of one measurement from its two readings."""
    table: dict[str, Scalar] = {
        "frequency_before_hz": before.frequency_hz,
        "frequency_after_hz": after.frequency_hz,
        "temperature_before_celsius": before.temperature_celsius,
        "temperature_after_celsius": after.temperature_celsius,
        "throttled_before": before.throttled,
        "throttled_after": after.throttled,
        "throttle_events": _rise(before.throttle_count, after.throttle_count),
        "involuntary_switches": _rise(before.switches, after.switches),
        **_others(before, after),
    }
    return {key: value for key, value in table.items() if value is not None}


def _others(before: State, after: State) -> dict[str, Scalar]:
    """Cores that other programs kept busy, and the share of time the hypervisor gave to other machines."""
    wall = after.wall_seconds - before.wall_seconds
    if before.busy_seconds is None or after.busy_seconds is None or wall < 10 / TICKS_PER_SECOND:
        return {}
    own = after.own_cpu_seconds - before.own_cpu_seconds
    others = max(after.busy_seconds - before.busy_seconds - own, 0.0) / wall
    table: dict[str, Scalar] = {"others_cpu_cores": round(others, 3)}
    total = (after.total_seconds or 0.0) - (before.total_seconds or 0.0)
    if total > 0 and before.steal_seconds is not None and after.steal_seconds is not None:
        table["steal_share"] = round((after.steal_seconds - before.steal_seconds) / total, 4)
    return table


def _rise(before: Optional[int], after: Optional[int]) -> Optional[int]:
    return None if before is None or after is None else after - before


def _cpu_times(root: Path) -> tuple[Optional[float], Optional[float], Optional[float]]:
    """Return busy, stolen and total seconds of all cores together (proc_stat(5): USER_HZ ticks)."""
    line = read_text(root / "proc/stat").partition("\n")[0].split()
    if len(line) < 9 or line[0] != "cpu":
        return None, None, None
    user, nice, system, idle, waiting, irq, soft_irq, steal = (int(field) for field in line[1:9])
    busy = user + nice + system + irq + soft_irq
    total = busy + idle + waiting + steal
    return busy / TICKS_PER_SECOND, steal / TICKS_PER_SECOND, total / TICKS_PER_SECOND


def frequency_hz(root: Path = Path("/")) -> Optional[int]:
    """Return the highest current clock of the cores this process may use."""
    clocks = [read_int(root / CPUS / f"cpu{core}/cpufreq/scaling_cur_freq") for core in allowed_cores()]
    known = [clock for clock in clocks if clock is not None]
    return max(known) * 1000 if known else None


def temperature_celsius(root: Path = Path("/")) -> Optional[float]:
    """Return the hottest thermal zone that is a processor's, or the hottest of all where none says so."""
    zones = {zone: read_int(zone / "temp") for zone in (root / "sys/class/thermal").glob("thermal_zone*")}
    known = {zone: value for zone, value in zones.items() if value is not None}
    processor = {
        zone: value
        for zone, value in known.items()
        if any(word in read_text(zone / "type").lower() for word in ("cpu", "soc", "pkg"))
    }
    values = (processor or known).values()
    return max(values) / 1000 if values else None


def trip_celsius(root: Path = Path("/")) -> Optional[float]:
    """Return the lowest passive trip point: where the kernel starts to slow the processor down."""
    found = []
    for kind in (root / "sys/class/thermal").glob("thermal_zone*/trip_point_*_type"):
        if read_text(kind) == "passive":
            value = read_int(kind.with_name(kind.name.replace("_type", "_temp")))
            found += [value] if value is not None and value > 0 else []
    return min(found) / 1000 if found else None


def pi_throttled(root: Path = Path("/")) -> Optional[int]:
    """Return a Raspberry Pi's throttle bits, from the kernel's file or from `vcgencmd`."""
    text = read_text(root / PI_THROTTLED)
    vcgencmd = shutil.which("vcgencmd") if root == Path("/") and not text else None
    if vcgencmd:
        try:
            answer = subprocess.run([vcgencmd, "get_throttled"], capture_output=True, text=True, timeout=5)
        except (OSError, subprocess.TimeoutExpired):
            return None
        text = answer.stdout.strip().rpartition("=")[2]
    try:
        return int(text, 16)
    except ValueError:
        return None


def _throttle_count(root: Path) -> Optional[int]:
    """Return how often the cores were slowed for heat (x86: thermal_throttle counters)."""
    counts = [read_int(path) for path in (root / CPUS).glob("cpu*/thermal_throttle/core_throttle_count")]
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _involuntary_switches() -> Optional[int]:
    try:
        import resource
    except ImportError:  # Windows
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw


def allowed_cores() -> list[int]:
    """Return the cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def read_text(path: Path) -> str:
    """Return a small file's text without the space around it; empty where it cannot be read."""
    try:
        return path.read_text(errors="replace").strip("\0\n ")
    except OSError:
        return ""


def read_int(path: Path) -> Optional[int]:
    """Return a small file's integer; None where there is none."""
    try:
        return int(read_text(path))
    except ValueError:
        return None
