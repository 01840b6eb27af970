"""A Raspberry Pi that gets too hot, and one that does not, replayed from made-up /sys files.

Each trace is a Pi 4 under load, one line a second: temperature, clock and throttle bits. The sensors read the files
as they would on the device, before and after each of five processes; the latency follows the clock. The hot trace
must be called throttled, the clean one must not, nor one that was throttled last week and has the sticky bits still.

    python benchmarks/throttle.py
"""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

from edgebench.measures.stability import Stability, stability
from edgebench.records import OK, Run, Settings
from edgebench.runner import environment, sensors

# (temperature in °C, clock in MHz, throttle bits)
Trace = list[tuple[float, int, int]]
CLEAN: Trace = [(55 + 0.8 * second, 1800, 0x0) for second in range(20)]
OLD: Trace = [(temperature, clock, 0x50000) for temperature, clock, _ in CLEAN]
HOT: Trace = [(70 + 0.9 * s, 1800, 0x0) if s < 12 else (81.5, 1800 - 60 * (s - 11), 0xE0008) for s in range(20)]
BRIEF: Trace = [(75, 1800, 0x0 if second < 9 else 0x20000) for second in range(20)]  # capped between two readings
PROCESSES = 5


def main() -> int:
    """Print the verdict on each trace. Returns 1 where one is wrong."""
    traces = {"clean": (CLEAN, False), "old bits": (OLD, False), "hot": (HOT, True), "brief": (BRIEF, True)}
    wrong = 0
    for name, (trace, throttled) in traces.items():
        verdict = stability(replay(trace))
        wrong += (verdict.word is Stability.THROTTLED) != throttled
        print(f"{name:9} -> {verdict}")
    print(f"{wrong} of {len(traces)} traces judged wrongly")
    return 1 if wrong else 0


def replay(trace: Trace) -> list[Run]:
    """Return the runs of five processes that share the trace's seconds between them."""
    generator, runs = random.Random(0), []
    share = len(trace) // PROCESSES
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for repetition in range(PROCESSES):
            seconds = trace[repetition * share : (repetition + 1) * share]
            _write(root, seconds[0])
            table, before = environment.capture(root), sensors.read_state(root)
            latency = [int(9e9 / clock * generator.gauss(1, 0.005)) for _, clock, _ in seconds for _ in range(20)]
            _write(root, seconds[-1])
            table |= sensors.between(before, sensors.read_state(root))
            runs.append(_run(tuple(latency), repetition, table))
    return runs


def _write(root: Path, second: tuple[float, int, int]) -> None:
    temperature, clock, bits = second
    files = {
        "sys/class/thermal/thermal_zone0/type": "cpu-thermal",
        "sys/class/thermal/thermal_zone0/temp": str(int(temperature * 1000)),
        sensors.PI_THROTTLED: f"{bits:x}",
    }
    for core in sensors.allowed_cores():
        files[f"{sensors.CPUS}/cpu{core}/cpufreq/scaling_cur_freq"] = str(clock * 1000)
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content + "\n")


def _run(latency_ns: tuple[int, ...], repetition: int, table: dict[str, str | int | float | bool | None]) -> Run:
    return Run("latency", OK, "", "", "litert", "", repetition, Settings(), latency_ns=latency_ns, environment=table)


if __name__ == "__main__":
    raise SystemExit(main())
