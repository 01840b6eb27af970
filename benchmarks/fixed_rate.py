"""A stall must be seen: 200 ms injected once into a stream of 100 images a second must appear in p99.

A clock that starts with each call sees one slow call in 500, which p99 does not show; one that counts from the
scheduled arrival sees every image that had to wait.

    python benchmarks/fixed_rate.py
"""

from __future__ import annotations

from instrument import arguments, artifact, run_once

from edgebench.devices.local import LocalDevice
from edgebench.measures.samples import Sorted
from edgebench.records import Settings


def main() -> int:
    """Print p99 with and without the stall, by both clocks. Returns 1 where the stall stays hidden."""
    path = artifact(arguments(__doc__ or "").parse_args().artifact)
    settings = Settings(rate_hz=100, max_seconds=5)
    with LocalDevice() as device:
        clean = run_once(device, path, "stall=0@0", settings)
        stalled = run_once(device, path, "stall=200@250", settings)
    rows = {
        "no stall, from the schedule": Sorted(clean.latency_ns).percentile(0.99),
        "stall, from the schedule": Sorted(stalled.latency_ns).percentile(0.99),
        "stall, from the start of the call": Sorted(stalled.invoke_ns).percentile(0.99),
    }
    for name, value in rows.items():
        assert value is not None
        print(f"p99 {value / 1e6:8.2f} ms: {name} ({len(stalled.latency_ns)} images)")
    seen = rows["stall, from the schedule"]
    assert seen is not None
    return 0 if seen > 100e6 else 1


if __name__ == "__main__":
    raise SystemExit(main())
