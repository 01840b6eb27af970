"""The clock. Between two readings of it stands only the call that is measured."""

from __future__ import annotations

import gc
import time
from contextlib import contextmanager
from time import perf_counter_ns
from typing import Any, Iterator, NamedTuple, Sequence  # noqa: UP035 (Python 3.9 on devices)

from edgebench.records import Settings
from edgebench.runner.runtimes import Session
from edgebench.runner.steady import is_precise, is_warm, next_check

WARMUP_SHARE = 0.2  # of max_seconds, after which the warm-up ends in any case
SPIN_NS = 1_000_000  # the last millisecond before a scheduled arrival is waited for without sleeping


class Sample(NamedTuple):
    """Nanoseconds of one batch: the whole call, and the invoke inside it."""

    latency_ns: int
    invoke_ns: int


class Steady(NamedTuple):
    """What the steady state gave, and why the measuring ended: interval, count or budget."""

    samples: list[Sample]
    stopped_by: str


def time_once(session: Session, batch: Any) -> Sample:
    """Copy in, invoke, copy out: one sample."""
    start = perf_counter_ns()
    session.copy_in(batch)
    before = perf_counter_ns()
    session.invoke()
    after = perf_counter_ns()
    session.copy_out()
    end = perf_counter_ns()
    return Sample(end - start, after - before)


def warm_up(session: Session, batches: Sequence[Any], settings: Settings) -> tuple[int, ...]:
    """Invoke until the latency no longer falls, at least `warmup` times, at most a fifth of `max_seconds`."""
    latencies: list[int] = []
    deadline = perf_counter_ns() + int(WARMUP_SHARE * settings.max_seconds * 1e9)
    while not is_warm(latencies, settings.warmup):
        if perf_counter_ns() >= deadline and latencies:
            break
        latencies.append(time_once(session, batches[len(latencies) % len(batches)]).latency_ns)
    return tuple(latencies)


def measure(session: Session, batches: Sequence[Any], settings: Settings) -> Steady:
    """Measure the batches in turn, in the scenario that the settings ask for."""
    with no_collection():
        if settings.rate_hz > 0:
            return fixed_rate(session, batches, settings)
        if settings.sustained_seconds > 0:
            return Steady(back_to_back(session, batches, settings.sustained_seconds), "count")
        return until_precise(session, batches, settings)


def until_precise(session: Session, batches: Sequence[Any], settings: Settings) -> Steady:
    """One call after another until the median is known within `precision`, or the budget ends.

    At least `min_runs` calls and `min_seconds`; with a precision of 0, just those. Sorting for the interval happens
    between calls, ever more rarely as samples grow.
    """
    samples: list[Sample] = []
    latencies: list[int] = []
    check = settings.min_runs
    begin = perf_counter_ns()
    least, most = begin + int(settings.min_seconds * 1e9), begin + int(settings.max_seconds * 1e9)
    while True:
        samples.append(time_once(session, batches[len(samples) % len(batches)]))
        latencies.append(samples[-1].latency_ns)
        now = perf_counter_ns()
        if len(samples) >= check and now >= least:
            if settings.precision <= 0:
                return Steady(samples, "count")
            if is_precise(latencies, settings.precision):
                return Steady(samples, "interval")
            check = next_check(len(samples))
        if now >= most:
            return Steady(samples, "budget")


def back_to_back(session: Session, batches: Sequence[Any], seconds: float) -> list[Sample]:
    """Keep calling for `seconds`."""
    samples: list[Sample] = []
    end = perf_counter_ns() + int(seconds * 1e9)
    while perf_counter_ns() < end:
        samples.append(time_once(session, batches[len(samples) % len(batches)]))
    return samples


def fixed_rate(session: Session, batches: Sequence[Any], settings: Settings) -> Steady:
    """Send `rate_hz` batches a second for `max_seconds`, each timed from when it was due, not from when it began.

    A stall delays every arrival behind it, and each of them shows it; a clock that starts with the call would hide
    all but the first (G. Tene, "How NOT to Measure Latency", 2013: coordinated omission).
    """
    samples: list[Sample] = []
    period = 1e9 / settings.rate_hz
    count = max(int(settings.max_seconds * settings.rate_hz), 1)
    begin = perf_counter_ns() + int(period)
    for index in range(count):
        due = begin + int(index * period)
        if perf_counter_ns() > begin + 2 * settings.max_seconds * 1e9:
            return Steady(samples, "budget")  # it cannot keep up: the queue only grows
        _wait_until(due)
        sample = time_once(session, batches[index % len(batches)])
        samples.append(Sample(perf_counter_ns() - due, sample.invoke_ns))
    return Steady(samples, "count")


def _wait_until(due_ns: int) -> None:
    left = due_ns - perf_counter_ns() - SPIN_NS
    if left > 0:
        time.sleep(left / 1e9)
    while perf_counter_ns() < due_ns:
        pass


@contextmanager
def no_collection() -> Iterator[None]:
    """Keep the garbage collector out of the timed region."""
    enabled = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
