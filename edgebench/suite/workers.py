"""The workers of a cluster as names of devices: `worker:NAME`, and `workers` for all that measure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edgebench.errors import UsageError

PREFIX = "worker:"
ALL = "workers"


def is_worker(name: str) -> bool:
    """Whether a device's name means workers of a cluster."""
    return name == ALL or name.startswith(PREFIX)


def folder_of(name: str) -> str:
    """Return the folder that a device's results go to: what the device is called in the report."""
    return name.removeprefix(PREFIX)


def worker_names(names: Iterable[str], measuring: Sequence[str] | None) -> list[str]:
    """Return the names with `workers` as each worker that measures; `measuring` is None where there is no cluster.

    Raises UsageError where one does not measure.
    """
    found: list[str] = []
    there = [f"{PREFIX}{name}" for name in measuring or ()]
    for name in names:
        if not is_worker(name):
            found.append(name)
        elif measuring is None:
            raise UsageError(
                f"device {name!r} needs a cluster: --scheduler tcp://HOST:8786, or `scheduler` in [schedule]"
            )
        elif not there or (name != ALL and name not in there):
            known = f"those that do are {', '.join(there)}" if there else "none does"
            raise UsageError(f"device {name!r} does not measure, {known}: start workers with --resources measure=1")
        else:
            found += there if name == ALL else [name]
    return list(dict.fromkeys(found))
