"""The machines of a report as tables of readable lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from edgebench.records import Result, Scalar
from edgebench.results.conditions import conditions, environment
from edgebench.units import percent, significant, size

NAMES = {"cpu": "processor", "machine": "architecture"}
FIRST = ("cpu", "machine", "cores", "memory_bytes", "system", "kernel", "userland_bits", "python")


@dataclass(frozen=True)
class Environment:
    """One machine: what its runs recorded. A value that changed from run to run is given as a range or a list."""

    device: str
    machine: str
    lines: tuple[tuple[str, str], ...]  # (name, value)


Machines = dict[tuple[str, str], list[Result]]


def machines(results: Sequence[Result]) -> Machines:
    """Return the results of each device and machine, in order of appearance."""
    found: Machines = {}
    for result in results:
        if environment(result):
            where = conditions(result)
            found.setdefault((where.device, where.machine), []).append(result)
    return found


def environments(results: Sequence[Result], most: int | None = None) -> list[Environment]:
    """Return one table a device and machine, of the first `most`."""
    found = islice(machines(results).items(), most)
    return [Environment(device, machine, tuple(_lines(having))) for (device, machine), having in found]


def _lines(results: Sequence[Result]) -> list[tuple[str, str]]:
    values: dict[str, list[Scalar]] = {}
    for run in (run for result in results for run in result.runs):
        for key, value in run.environment.items():
            values.setdefault(key, []).append(value)
    ordered = sorted(values, key=lambda key: (FIRST.index(key) if key in FIRST else len(FIRST), key))
    runtimes = dict.fromkeys(f"{run.runtime} {run.runtime_version}".strip() for r in results for run in r.runs)
    return [*((_name(key), _spread(key, values[key])) for key in ordered), ("runtimes", ", ".join(runtimes))]


def _name(key: str) -> str:
    for suffix in ("_bytes", "_hz", "_celsius", "_share"):
        key = key.removesuffix(suffix)
    return NAMES.get(key, key.replace("_", " "))


def _spread(key: str, values: Sequence[Scalar]) -> str:
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) == len(values) and len(set(numbers)) > 1:
        return f"{_text(key, min(numbers))} to {_text(key, max(numbers))}"
    return ", ".join(dict.fromkeys(_text(key, value) for value in values))


def _text(key: str, value: Scalar) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "yes" if value is True else "no" if value is False else str(value)
    if key.endswith("_bytes"):
        return size(value)
    if key.endswith("_hz"):
        return f"{significant(value / 1e9)} GHz"
    if key.endswith("_celsius"):
        return f"{value:.0f} °C"
    if key.endswith("_share"):
        return percent(value)
    return str(value) if isinstance(value, int) else f"{value:g}"
