"""The time of each operator, from ONNX Runtime's own profile."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from edgebench.orderstats import median
from edgebench.records import OperatorTime

WARMUP_RUNS = 3
RUNS = 20


def run_profiled(session: Any, feed: dict[str, object]) -> tuple[OperatorTime, ...]:
    """Run a session that was opened with profiling on, and return its operators, the most expensive first."""
    for _ in range(WARMUP_RUNS + RUNS):
        session.run(None, feed)
    path = Path(session.end_profiling())
    try:
        return parse(json.loads(path.read_text()))
    finally:
        path.unlink()


def parse(events: list[dict[str, Any]]) -> tuple[OperatorTime, ...]:
    """Return the median time of each node without its first `WARMUP_RUNS`; `dur` is in microseconds.

    One node's events are "<name>_fence_before", "<name>_kernel_time" and "<name>_fence_after"; only the second is work.
    """
    suffix = "_kernel_time"
    durations: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith(suffix):
            details = event["args"]
            name = event["name"][: -len(suffix)]
            durations[name, str(details.get("op_name", "")), str(details.get("provider", ""))].append(event["dur"])
    times = []
    for (name, kind, provider), values in durations.items():
        steady = values[WARMUP_RUNS:] or values
        place = provider.replace("ExecutionProvider", "")
        times.append(OperatorTime(name, kind, round(1000 * median(steady)), place))
    return tuple(sorted(times, key=lambda time: -time.time_ns))
