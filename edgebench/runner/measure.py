"""The clock. Between two readings of it stands only the call that is measured."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from time import perf_counter_ns
from typing import Any, Iterator, NamedTuple, Sequence  # noqa: UP035 (Python 3.9 on devices)

from edgebench.records import Settings
from edgebench.runner.runtimes import Session


class Sample(NamedTuple):
    """Nanoseconds of one batch: the whole call, and the invoke inside it."""

    latency_ns: int
    invoke_ns: int


class Steady(NamedTuple):
    """What the steady state gave, the warm-up before it, and why the measuring ended."""

    warmup_ns: tuple[int, ...]
    samples: tuple[Sample, ...]
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


def measure(session: Session, batches: Sequence[Any], settings: Settings) -> Steady:
    """Warm up, then measure the batches in turn for `min_runs` and `min_seconds`, at most `max_seconds`."""
    with no_collection():
        warmup = tuple(
            time_once(session, batches[index % len(batches)]).latency_ns for index in range(settings.warmup)
        )
        samples: list[Sample] = []
        begin = perf_counter_ns()
        while True:
            samples.append(time_once(session, batches[len(samples) % len(batches)]))
            elapsed = (perf_counter_ns() - begin) / 1e9
            if elapsed >= settings.max_seconds:
                return Steady(warmup, tuple(samples), "budget")
            if len(samples) >= settings.min_runs and elapsed >= settings.min_seconds:
                return Steady(warmup, tuple(samples), "count")


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
