"""What the measuring itself costs: the runner's loop against a bare one, around a model of 5 ms.

The model keeps the processor busy for just 5 ms of its own time, so that all beyond it is the instrument's. Blocks of
both loops take turns, and are compared in processor time, so that a busy machine does not decide. The runner's whole
loop counts (clock readings, keeping samples, sorting for the interval). So does what it reports beyond 5 ms, taken
from the fastest sample: others can only add. At most 1 %.

    python benchmarks/overhead.py
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from time import perf_counter_ns, thread_time_ns
from typing import Any

from edgebench.records import Settings, TensorSpec
from edgebench.runner.measure import measure, no_collection
from edgebench.runner.sensors import between, read_state

MODEL_NS = 5_000_000


class FiveMilliseconds:
    """A session that keeps the processor busy until `clock` has gone on by 5 ms."""

    version = ""
    input = output = TensorSpec("x", (1,), "float32")

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock

    def copy_in(self, array: Any) -> None:
        """Nothing to copy."""

    def invoke(self) -> None:
        """Spin."""
        end = self._clock() + MODEL_NS
        while self._clock() < end:
            pass

    def copy_out(self) -> None:
        """Nothing to copy."""

    def facts(self) -> dict[str, Any]:
        """Nothing to say."""
        return {}

    def close(self) -> None:
        """Nothing to free."""


def main() -> int:
    """Print the overhead of the loop, of the figure it reports, and of the sensors. Returns 1 above 1 %."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=20)
    blocks = parser.parse_args().blocks
    work, wait = FiveMilliseconds(thread_time_ns), FiveMilliseconds(perf_counter_ns)
    settings = Settings(precision=1e-9, min_seconds=0.0, max_seconds=0.6)  # never precise: it looks until time is up
    loop, reported, sensors = [], [], []
    for _ in range(blocks):
        start = thread_time_ns()
        calls = len(measure(work, [None], settings).samples)
        spent = thread_time_ns() - start
        loop.append(spent / _bare(work, calls) - 1)
        reported.append(min(sample.latency_ns for sample in measure(wait, [None], settings).samples) / MODEL_NS - 1)
        start = perf_counter_ns()
        between(read_state(), read_state())
        sensors.append((perf_counter_ns() - start) / 1e6)
    print(f"runner's loop against a bare loop, 5 ms model: {statistics.median(loop):+.3%} a call (at most 1 %)")
    print(f"fastest reported latency against 5 ms:         {statistics.median(reported):+.3%} (at most 1 %)")
    print(f"sensors, read before and after the measuring, outside it: {statistics.median(sensors):.2f} ms a process")
    return 0 if max(statistics.median(loop), statistics.median(reported)) <= 0.01 else 1


def _bare(session: FiveMilliseconds, calls: int) -> int:
    start = thread_time_ns()
    with no_collection():  # once a process, not once a call
        for _ in range(calls):
            session.copy_in(None)
            session.invoke()
            session.copy_out()
    return thread_time_ns() - start


if __name__ == "__main__":
    raise SystemExit(main())
