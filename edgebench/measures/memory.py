"""What the memory run of a result says, by phase. Pure functions over records; bytes throughout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from edgebench.records import OK, PhaseMemory, Run


@final
@dataclass(frozen=True)
class MemorySummary:
    """Bytes, None where not measured. `peak_bytes` is of the whole process, `model_bytes` above its imports."""

    peak_bytes: int
    model_bytes: int | None
    load_peak_bytes: int | None
    first_inference_peak_bytes: int | None
    steady_bytes: int | None
    steady_anonymous_bytes: int | None
    steady_file_bytes: int | None
    method: str
    gpu_bytes: int | None
    gpu_method: str


def memory_summary(runs: Sequence[Run]) -> MemorySummary | None:
    """Return the figures of the last memory run that ended well; None without one."""
    run = next((r for r in reversed(runs) if r.kind == "memory" and r.status == OK and r.memory), None)
    if run is None:
        return None
    phases: dict[str, PhaseMemory] = {phase.phase: phase for phase in run.memory}
    peak = max(phase.peak_rss_bytes for phase in phases.values())
    imports, load, first = phases.get("imports"), phases.get("load"), phases.get("first_inference")
    steady = phases.get("steady")
    gpu, gpu_method = run.environment.get("gpu_memory_bytes"), run.environment.get("gpu_memory_method")
    return MemorySummary(
        peak_bytes=peak,
        model_bytes=max(peak - imports.rss_bytes, 0) if imports else None,
        load_peak_bytes=load.peak_rss_bytes if load else None,
        first_inference_peak_bytes=first.peak_rss_bytes if first else None,
        steady_bytes=steady.rss_bytes if steady else None,
        steady_anonymous_bytes=steady.anonymous_bytes if steady else None,
        steady_file_bytes=steady.file_bytes if steady else None,
        method=run.memory_method,
        gpu_bytes=gpu if isinstance(gpu, int) else None,
        gpu_method=gpu_method if isinstance(gpu_method, str) else "",
    )
