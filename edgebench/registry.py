"""What there is: edgebench's own tables, and what installed packages add to them through entry points.

| group | value of an entry point | what it is |
| --- | --- | --- |
| `edgebench.converters` | `package` | a package with the modules `source` and `converter`: see converters/base.py |
| `edgebench.formats` | `package.module:NAME` | a `variants.Format` |
| `edgebench.runtimes` | `package.module:NAME` | a `variants.Runtime` |
| `edgebench.devices` | `package.module:NAME` | a function of the device's name that returns a `devices.base.Device` |

What a value names is imported by every command that asks: it must load fast and import no framework.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import Any, TypeVar

from edgebench import variants
from edgebench.errors import UsageError
from edgebench.variants import Format, Runtime

T = TypeVar("T")

CONVERTERS = {"keras": "edgebench.converters.keras", "huggingface": "edgebench.converters.huggingface"}
"""name -> package; those of other packages are asked first whether a MODEL is theirs."""


@cache
def converters() -> dict[str, str]:
    """Return name -> package of every converter; the order is that in which they are asked about a MODEL."""
    return {**{point.name: point.value for point in _points("converters", CONVERTERS)}, **CONVERTERS}


@cache
def formats() -> dict[str, Format]:
    """Return every format by its name, edgebench's own first."""
    return {**variants.FORMATS, **_declared("formats", Format, variants.FORMATS)}


@cache
def runtimes() -> dict[str, Runtime]:
    """Return every runtime by its name, edgebench's own first."""
    return {**variants.RUNTIMES, **_declared("runtimes", Runtime, variants.RUNTIMES)}


@cache
def all_variants() -> tuple[str, ...]:
    """Return every `format:precision` in reading order."""
    return tuple(f"{format.name}:{precision}" for format in formats().values() for precision in format.precisions)


def variants_on_request() -> tuple[str, ...]:
    """Return every `format:precision` that is made only where it is named."""
    return tuple(f"{format.name}:{precision}" for format in formats().values() for precision in format.on_request)


def runtimes_of(format: str) -> tuple[Runtime, ...]:
    """Return the runtimes that execute a format, the preferred one first; none for a format that is not known."""
    return tuple(runtime for runtime in runtimes().values() if format in runtime.formats)


def find_runtime(name: str) -> Runtime:
    """Return the runtime called `name`, or raise UsageError listing what is known."""
    return _known("runtime", name, runtimes())


def find_device(name: str) -> Any | None:
    """Return what another package registered to open the device `name`; None where no package knows it."""
    found = {point.name: point for point in _points("devices", {})}
    return _load(found[name]) if name in found else None


def converter_module(name: str, part: str) -> ModuleType:
    """Import the module `part` (`source` or `converter`) of a converter, or raise UsageError listing what is known."""
    package = _known("converter", name, converters())
    return importlib.import_module(f"{package}.{part}")


def _known(kind: str, name: str, table: dict[str, T]) -> T:
    if name not in table:
        raise UsageError(f"unknown {kind} {name!r}: known are {', '.join(sorted(table))}")
    return table[name]


def _points(group: str, own: Mapping[str, object]) -> list[EntryPoint]:
    """Return what packages registered in a group. Raises UsageError where one takes a name that is taken."""
    found: dict[str, EntryPoint] = {}
    for point in sorted(entry_points(group=f"edgebench.{group}"), key=lambda point: (point.name, point.value)):
        taken = "edgebench" if point.name in own else _package(found[point.name]) if point.name in found else ""
        if taken and (point.name in own or found[point.name].value != point.value):
            raise UsageError(
                f"{_package(point)} registers {point.name!r} in edgebench.{group}, which {taken} has already: "
                "uninstall one of them"
            )
        found[point.name] = point
    return list(found.values())


def _declared(group: str, kind: type[T], own: Mapping[str, object]) -> dict[str, T]:
    found = {}
    for point in _points(group, own):
        value = _load(point)
        if not isinstance(value, kind) or getattr(value, "name", "") != point.name:
            raise UsageError(
                f"{_package(point)} registers {point.name!r} in edgebench.{group} as {point.value}, which is no "
                f"{kind.__name__} of that name: mend or uninstall it"
            )
        found[point.name] = value
    return found


def _load(point: EntryPoint) -> Any:
    try:
        return point.load()
    except (ImportError, AttributeError) as error:
        raise UsageError(
            f"{_package(point)} registers {point.name!r} as {point.value}, which cannot be loaded ({error}): mend or "
            "uninstall it"
        ) from error


def _package(point: EntryPoint) -> str:
    return f"the package {point.dist.name}" if point.dist else "a package"
