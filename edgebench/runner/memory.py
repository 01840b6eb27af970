"""Resident memory by phase, from the kernel's high-water mark.

`ru_maxrss` is inherited through fork and exec, so it may show the parent's peak. VmHWM is this process's own, and
writing `5` to /proc/self/clear_refs resets it (Linux, proc(5)), which makes a peak for each phase.
"""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from edgebench.records import PhaseMemory

STATUS = Path("/proc/self/status")
CLEAR_REFS = Path("/proc/self/clear_refs")


class MemoryProbe:
    """Reads the level and the peak of each phase; `method` says how."""

    def __init__(self) -> None:
        self.method = "VmHWM, reset for each phase"
        if not STATUS.exists():
            self.method = "psutil, the level only: this system has no resettable high-water mark"
        elif not self._reset():
            self.method = "VmHWM, of the process so far: this kernel does not allow a reset"
        self.phases: list[PhaseMemory] = []

    def end_phase(self, phase: str) -> None:
        """Record the level now and the peak since the last phase ended, then start the next phase."""
        if not STATUS.exists():
            rss = _psutil_rss()
            self.phases.append(PhaseMemory(phase, rss, rss))
            return
        values = _status()
        self.phases.append(
            PhaseMemory(
                phase,
                rss_bytes=values["VmRSS"],
                peak_rss_bytes=values["VmHWM"],
                anonymous_bytes=values.get("RssAnon"),
                file_bytes=values.get("RssFile"),
            )
        )
        self._reset()

    def _reset(self) -> bool:
        try:
            CLEAR_REFS.write_text("5")
        except OSError:
            return False
        return True


def _status() -> dict[str, int]:
    found = {}
    for line in STATUS.read_text().splitlines():
        key, _, rest = line.partition(":")
        if key in ("VmRSS", "VmHWM", "RssAnon", "RssFile"):
            found[key] = int(rest.split()[0]) * 1024
    return found


def _psutil_rss() -> int:
    import psutil  # only where /proc is missing

    rss: Optional[int] = psutil.Process().memory_info().rss
    return int(rss or 0)
