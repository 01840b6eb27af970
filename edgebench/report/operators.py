"""Where the time of an inference goes: the most expensive operators, and those that fell off the fast path."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgebench.records import Result, Run
from edgebench.units import one_line, percent

MOST = 10


@dataclass(frozen=True)
class Operators:
    """What `profile --operators` found for one result, in words; `rows` is (time, share, operator, place, name)."""

    title: str
    rows: tuple[tuple[str, str, str, str, str], ...]
    remarks: tuple[str, ...]


def operators(results: Sequence[Result]) -> list[Operators]:
    """Return a table for each result that was asked for its operators."""
    found = ((result, run) for result in results for run in result.runs if run.kind == "operators")
    return [_of(result, run) for result, run in found]


def _of(result: Result, run: Run) -> Operators:
    total = sum(operator.time_ns for operator in run.operators)
    rows = tuple(
        (f"{o.time_ns / 1e6:.3f} ms", percent(o.time_ns / total if total else None), o.kind, o.place, one_line(o.name))
        for o in run.operators[:MOST]
    )
    title = f"{result.artifact.label} on {result.device} ({result.runtime})"
    return Operators(title, rows, tuple(_remarks(run, total)))


def _remarks(run: Run, total: int) -> Iterator[str]:
    if len(run.operators) > MOST:
        yield f"and {len(run.operators) - MOST} more, {total / 1e6:.3f} ms in all"
    if run.reason:
        yield run.reason
    partitions = run.environment.get("xnnpack_partitions")
    if partitions is not None:
        left = run.environment.get("operators_off_xnnpack")
        yield f"XNNPACK took the graph in {partitions} partitions; off its fast path: {left}"
    places = {operator.place for operator in run.operators}
    for place in sorted(places) if len(places) > 1 else ():
        here = [operator for operator in run.operators if operator.place == place]
        yield f"{place}: {len(here)} operators, {sum(operator.time_ns for operator in here) / 1e6:.3f} ms"
