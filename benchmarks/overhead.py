"""What the measuring itself costs: the runner's loop against a bare one, around a model of 5 ms.

The model is a busy wait of just 5 ms, so that all beyond it is the instrument's. Blocks of both loops take turns.
The runner's whole loop counts (clock readings, keeping samples, sorting for the interval), and so does what it
reports beyond 5 ms. At most 1 %.

    python benchmarks/overhead.py
"""

from __future__ import annotations

import argparse
import statistics
from time import perf_counter_ns
from typing import Any

from edgebench.records import Settings, TensorSpec
from edgebench.runner.measure import measure
from edgebench.runner.sensors import between, read_state

MODEL_NS = 5_000_000
CALLS = 100


class FiveMilliseconds:
    """A session that keeps the processor busy for 5 ms."""

    version = ""
    input = output = TensorSpec("x", (1,), "float32")

    def copy_in(self, array: Any) -> None:
        """Nothing to copy."""

    def invoke(self) -> None:
        """Spin."""
        end = perf_counter_ns() + MODEL_NS
        while perf_counter_ns() < end:
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
    session = FiveMilliseconds()
    settings = Settings(min_runs=CALLS, precision=1e-9, min_seconds=0.0, max_seconds=CALLS * MODEL_NS / 1e9)
    loop, reported, sensors = [], [], []
    for _ in range(blocks):
        bare = _bare(session)
        start = perf_counter_ns()
        steady = measure(session, [None], settings)
        per_call = (perf_counter_ns() - start) / len(steady.samples)
        loop.append(per_call / bare - 1)
        reported.append(statistics.median(sample.latency_ns for sample in steady.samples) / MODEL_NS - 1)
        start = perf_counter_ns()
        between(read_state(), read_state())
        sensors.append((perf_counter_ns() - start) / 1e6)
    print(f"runner's loop against a bare loop, 5 ms model: {statistics.median(loop):+.3%} a call (at most 1 %)")
    print(f"reported median latency against 5 ms:          {statistics.median(reported):+.3%} (at most 1 %)")
    print(f"sensors, read before and after the measuring, outside it: {statistics.median(sensors):.2f} ms a process")
    return 0 if max(statistics.median(loop), statistics.median(reported)) <= 0.01 else 1


def _bare(session: FiveMilliseconds) -> float:
    start = perf_counter_ns()
    for _ in range(CALLS):
        session.copy_in(None)
        session.invoke()
        session.copy_out()
    return (perf_counter_ns() - start) / CALLS


if __name__ == "__main__":
    raise SystemExit(main())
