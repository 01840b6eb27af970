"""Resident memory by phase, from the kernel's high-water mark.

`ru_maxrss` is inherited through fork and exec on Linux, so it may show the parent's peak. VmHWM is this process's own,
and writing `5` to /proc/self/clear_refs resets it (proc(5)), which makes a peak for each phase: memory that was held
for a millisecond counts. Levels come from smaps_rollup, which is exact; the counters in /proc/self/status lag behind.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Optional

from edgebench.records import PhaseMemory

PROC = Path("/proc/self")


class MemoryProbe:
    """Reads the level and the peak of each phase; `method` says how."""

    def __init__(self, proc: Path = PROC) -> None:
        self._proc = proc
        self.phases: list[PhaseMemory] = []
        if not (proc / "status").exists():
            self.method = f"psutil; peaks of the process so far: {sys.platform} cannot reset its high-water mark"
        elif self._reset():
            self.method = "VmHWM, reset for each phase"
        else:
            self.method = "VmHWM, of the process so far: this kernel does not allow a reset"

    def end_phase(self, phase: str) -> None:
        """Record the level now and the peak since the last phase ended, then start the next phase."""
        if not (self._proc / "status").exists():
            self.phases.append(_without_proc(phase))
            return
        status = _sizes(self._proc / "status")
        exact = _sizes(self._proc / "smaps_rollup")
        rss = exact.get("Rss", status["VmRSS"])
        anonymous: Optional[int] = exact.get("Anonymous", status.get("RssAnon"))
        self.phases.append(
            PhaseMemory(
                phase,
                rss_bytes=rss,
                peak_rss_bytes=max(status["VmHWM"], rss),
                anonymous_bytes=anonymous,
                file_bytes=None if anonymous is None else rss - anonymous,
            )
        )
        self._reset()

    def _reset(self) -> bool:
        try:
            (self._proc / "clear_refs").write_text("5")
        except OSError:
            return False
        return True


def _sizes(path: Path) -> dict[str, int]:
    """Return the `Name: N kB` lines of a /proc file in bytes; none where it cannot be read."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    fields = (line.replace(":", " ").split() for line in lines if line.endswith(" kB"))
    return {name: int(size) * 1024 for name, size, _ in fields}


def _without_proc(phase: str) -> PhaseMemory:
    """Windows keeps a peak working set; on macOS ru_maxrss is in bytes and this task's own."""
    import psutil  # only where /proc is missing

    info = psutil.Process().memory_info()
    peak = getattr(info, "peak_wset", 0)
    if not peak:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return PhaseMemory(phase, info.rss, max(int(peak), info.rss))
