"""Which cores the process may use, set before any runtime starts its threads (they inherit it)."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Optional

from edgebench.runner.sensors import CPUS, allowed_cores, read_int, read_text

LOOK_SECONDS = 0.06  # long enough to see a core that another program keeps busy (ticks are 10 ms)


def pin(threads: int, root: Path = Path("/")) -> Optional[str]:
    """Bind this process to the `threads` best cores and return them; None where the system cannot or need not."""
    allowed = allowed_cores()
    if threads >= len(allowed) or not hasattr(os, "sched_setaffinity"):
        return None
    before = busy_ticks(root)
    time.sleep(LOOK_SECONDS)
    busy = {core: ticks - before.get(core, ticks) for core, ticks in busy_ticks(root).items()}
    cores = best_cores(allowed, threads, busy, root)
    os.sched_setaffinity(0, cores)
    return ",".join(str(core) for core in cores)


def best_cores(allowed: list[int], threads: int, busy: Mapping[int, int], root: Path = Path("/")) -> list[int]:
    """Return `threads` cores: the fastest first, each physical core before its siblings, the least busy, the highest.

    Core 0 takes most interrupts, so among equals the higher numbers come first.
    """
    seen: dict[str, int] = {}
    ranked = []
    for core in sorted(allowed, key=lambda core: (busy.get(core, 0), -core)):
        siblings = read_text(root / CPUS / f"cpu{core}/topology/thread_siblings_list") or str(core)
        sibling = seen[siblings] = seen.get(siblings, -1) + 1
        fastest = read_int(root / CPUS / f"cpu{core}/cpufreq/cpuinfo_max_freq") or 0
        ranked.append((-fastest, sibling, busy.get(core, 0), -core))
    return sorted(-core for _, _, _, core in sorted(ranked)[:threads])


def busy_ticks(root: Path = Path("/")) -> dict[int, int]:
    """Return the ticks that each core has spent on work, by everybody."""
    ticks = {}
    for line in read_text(root / "proc/stat").splitlines():
        name, _, rest = line.partition(" ")
        if name.startswith("cpu") and name[3:].isdigit():
            user, nice, system, _, _, irq, soft_irq, *_ = (int(field) for field in rest.split())
            ticks[int(name[3:])] = user + nice + system + irq + soft_irq
    return ticks
