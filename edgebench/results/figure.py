"""What is known of every figure: the words in which the table of figures is written."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from statistics import NormalDist
from typing import Any

from edgebench.results.derived import Derived

Z = NormalDist().inv_cdf(0.975)


class Basis(Enum):
    """What a figure depends on, so what must be equal before two of it are compared."""

    MACHINE = "the machine and the settings"  # time, memory and energy
    IMAGES = "the images"
    GATE = "the inputs of the conversion's gate"
    ARTIFACT = "the artifact alone"
    IDENTITY = "nothing: it says what was measured, and how"


class Unit(Enum):
    """In what a figure is counted. `report` and `units.py` turn it into text."""

    MILLISECONDS = "ms"
    BYTES = "bytes"
    SHARE = "share 0..1"
    DECIBELS = "dB"
    NATS = "nats"
    JOULES = "J"
    PER_SECOND = "1/s"
    COUNT = "count"
    NUMBER = "number"
    FLAG = "true or false"
    TEXT = "text"


Interval = tuple[float, float]
Bounds = tuple[str, str] | Callable[[Derived], Interval | None]
"""The two figures that hold the ends of a 95 % interval, or what works them out."""


@dataclass(frozen=True)
class Figure:
    """One figure: a column of report.csv, a name in conditions, a line of the page's glossary."""

    name: str
    basis: Basis
    unit: Unit
    derive: Callable[[Derived], Any]
    description: str
    bounds: Bounds | None
    integer: bool

    @property
    def number(self) -> bool:
        """Whether one can calculate with it."""
        return self.unit not in (Unit.TEXT, Unit.FLAG)


def figure(
    basis: Basis,
    unit: Unit,
    derive: Callable[[Derived], Any],
    description: str,
    bounds: Bounds | None = None,
) -> Any:
    """Declare a field of the table: its type is that of the field, None or an empty text where not measured."""
    told = {"basis": basis, "unit": unit, "derive": derive, "description": description, "bounds": bounds}
    return dataclasses.field(metadata=told)


def figures_of(table: type) -> dict[str, Figure]:
    """Return the figures that the fields of a dataclass declare, in their order."""
    return {
        field.name: Figure(field.name, **field.metadata, integer=field.type in ("int", "int | None"))
        for field in dataclasses.fields(table)
        if "basis" in field.metadata
    }


def share_interval(count: int | None, of: int) -> Interval | None:
    """Return Wilson's 95 % score interval of a share (E. B. Wilson, JASA 22, 1927)."""
    if count is None or of < 1:
        return None
    share, z2 = count / of, Z * Z / of
    centre = (share + z2 / 2) / (1 + z2)
    reach = Z / (1 + z2) * math.sqrt(share * (1 - share) / of + z2 / of / 4)
    return min(centre - reach, share), max(centre + reach, share)
