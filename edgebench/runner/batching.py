"""Several images an invoke in accuracy runs: only where the outputs are proved to be the same bits, and come sooner.

The first images are computed both ways. Latency and memory are never measured like this.
"""

from __future__ import annotations

import dataclasses
from math import prod
from pathlib import Path
from time import perf_counter_ns
from typing import Any, Callable, NamedTuple, Optional

from edgebench.records import Job
from edgebench.runner.runtimes import RefusedError, Session

SIZE = 16
FEWEST_IMAGES = 12 * SIZE  # the comparison itself takes the time of five batches
LARGEST_INPUT = 96 * 96 * 3  # larger images fill the processor alone, and 16 of them a small device's memory
LARGEST_FILE = 64 << 20  # its weights are in memory twice while the two are compared
PASSES = 2
FACT = "accuracy_batch"

Outputs = Callable[[Session, int, int, int], Any]
"""`(session, start, stop, size)`: the outputs of these images in batches of `size`."""


class Batching(NamedTuple):
    """The session that an accuracy run goes on with, None for the one it has, and why."""

    session: Optional[Session]
    words: str


def choose(job: Job, runtime: Any, one: Session, images: int, outputs: Outputs) -> Batching:
    """Return a session of `SIZE` images an invoke where it is the better one; `images` is how many there are to do."""
    takes: Any = getattr(runtime, "takes_batches", None)
    if takes is None or not takes(job.runtime) or job.settings.accelerator != "cpu" or job.settings.batch != 1:
        return Batching(None, "")
    small = prod(one.input.shape) <= LARGEST_INPUT and Path(job.artifact).stat().st_size <= LARGEST_FILE
    if images < FEWEST_IMAGES or not small:
        return Batching(None, "")
    try:
        several = runtime.open_session(job.runtime, job.artifact, dataclasses.replace(job.settings, batch=SIZE))
    except RefusedError as error:
        return Batching(None, f"1: refused at {SIZE}: {error}")
    words = _compare(one, several, outputs)
    if words:
        several.close()
        return Batching(None, f"1: {words}")
    return Batching(several, str(SIZE))


def _compare(one: Session, several: Session, outputs: Outputs) -> str:
    """Return why the images go one by one; empty where batches give the same bits sooner."""
    try:
        for start in (0, SIZE):  # two batches: what depends on the others in a batch differs here
            alone, together = (outputs(s, start, start + SIZE, size) for s, size in ((one, 1), (several, SIZE)))
            if alone.tobytes() != together.tobytes():
                return f"outputs differ in batches of {SIZE}"
    except (RefusedError, ValueError, RuntimeError) as error:
        return f"refused at {SIZE}: {error}"
    times = [min(_nanoseconds(outputs, s, size) for _ in range(PASSES)) for s, size in ((one, 1), (several, SIZE))]
    return "" if times[1] < times[0] else f"no faster in batches of {SIZE}"


def _nanoseconds(outputs: Outputs, session: Session, size: int) -> int:
    begin = perf_counter_ns()
    outputs(session, 0, SIZE, size)
    return perf_counter_ns() - begin
