"""Figures of a row as values that know their intervals, for conditions and recommendations."""

from __future__ import annotations

from edgebench.expression import Quantity, Unmeasured, Value, exact
from edgebench.results.figure import Basis, Figure, Interval
from edgebench.results.figures import FIGURES, Row


def row_values(row: Row) -> dict[str, Value]:
    """Return every figure of a row by name."""
    return {figure.name: value_of(figure, row) for figure in FIGURES.values()}


def value_of(figure: Figure, row: Row) -> Value:
    """Return one figure with its 95 % interval; times and memory of an emulated processor are not measured."""
    if figure.basis is Basis.MACHINE and row.emulated:
        return Unmeasured("an emulated processor's times and memory mean nothing")
    value = getattr(row, figure.name)
    if isinstance(value, str):
        return value
    if value is None:
        return Unmeasured(f"{figure.name} is empty")
    ends = interval(figure, row)
    return Quantity(float(value), *ends) if ends else exact(value)


def interval(figure: Figure, row: Row) -> Interval | None:
    """Return the 95 % interval of a figure; None where it has none or was not measured."""
    if figure.bounds is None or getattr(row, figure.name) is None:
        return None
    if callable(figure.bounds):
        return figure.bounds(row.of)
    low, high = (getattr(row, name) for name in figure.bounds)
    return None if low is None or high is None else (float(low), float(high))
