"""Which cores the process may use, set before any runtime starts its threads (they inherit it)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Optional

from edgebench.runner.sensors import CPUS, allowed_cores, read_int, read_text


def pin(threads: int, root: Path = Path("/")) -> Optional[str]:
    """Bind this process to the `threads` best cores and return them; None where the system cannot or need not."""
    cores = best_cores(allowed_cores(), threads, root)
    if cores is None or not hasattr(os, "sched_setaffinity"):
        return None
    os.sched_setaffinity(0, cores)
    return ",".join(str(core) for core in cores)


def best_cores(allowed: list[int], threads: int, root: Path = Path("/")) -> Optional[list[int]]:
    """Return `threads` cores: the fastest first, one of each physical core before its siblings, the highest last.

    Core 0 takes most interrupts, so among equals the higher numbers come first. None where all are needed anyway.
    """
    if threads >= len(allowed):
        return None
    seen: dict[str, int] = {}
    ranked = []
    for core in sorted(allowed, reverse=True):
        siblings = read_text(root / CPUS / f"cpu{core}/topology/thread_siblings_list") or str(core)
        sibling = seen[siblings] = seen.get(siblings, -1) + 1
        fastest = read_int(root / CPUS / f"cpu{core}/cpufreq/cpuinfo_max_freq") or 0
        ranked.append((-fastest, sibling, -core))
    return sorted(-core for _, _, core in sorted(ranked)[:threads])
