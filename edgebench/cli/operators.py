"""What `profile --operators` prints: the most expensive operators, and those that fell off the fast path."""

from __future__ import annotations

from collections.abc import Iterator

from edgebench.records import Result, Run

MOST = 10


def operator_lines(result: Result) -> Iterator[str]:
    """Yield the lines of one result; none where operators were not asked for."""
    run = next((run for run in result.runs if run.kind == "operators"), None)
    if run is None:
        return
    yield f"\n{result.artifact.model} {result.artifact.variant} on {result.device} ({result.runtime}): operators"
    total = sum(operator.time_ns for operator in run.operators)
    for operator in run.operators[:MOST]:
        time = f"{operator.time_ns / 1e6:8.3f} ms {operator.time_ns / total if total else 0:4.0%}"
        yield f"  {time}  {operator.kind:20} {operator.place:8} {operator.name[:60]}"
    if len(run.operators) > MOST:
        yield f"  and {len(run.operators) - MOST} more, {total / 1e6:.3f} ms in all"
    if run.reason:
        yield f"  {run.reason}"
    yield from _off_the_fast_path(run)


def _off_the_fast_path(run: Run) -> Iterator[str]:
    partitions = run.environment.get("xnnpack_partitions")
    if partitions is not None:
        left = run.environment.get("operators_off_xnnpack")
        yield f"  XNNPACK took the graph in {partitions} partitions; off its fast path: {left}"
    places = {operator.place for operator in run.operators}
    if len(places) > 1:
        for place in sorted(places):
            here = [operator for operator in run.operators if operator.place == place]
            yield f"  {place}: {len(here)} operators, {sum(operator.time_ns for operator in here) / 1e6:.3f} ms"
