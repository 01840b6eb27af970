"""Requirements -> the region of a chart in which they hold: for each figure the ends between which it must lie."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from edgebench.expression import Expression

Limits = tuple[float, float]


@dataclass(frozen=True)
class Feasible:
    """`limits` of each figure, an open end being infinite; `unshown` are requirements that are no limits of figures."""

    limits: dict[str, Limits] = field(default_factory=dict)
    unshown: tuple[str, ...] = ()


def feasible(requirements: Sequence[Expression]) -> Feasible:
    """Return the limits that plain comparisons of a figure with a number set, together; `or` and sums set none."""
    limits: dict[str, Limits] = {}
    unshown = []
    for requirement in requirements:
        found = _limits(requirement.tree)
        if found is None:
            unshown.append(requirement.text)
            continue
        for name, (low, high) in found:
            before = limits.get(name, (-math.inf, math.inf))
            limits[name] = max(before[0], low), min(before[1], high)
    return Feasible(limits, tuple(unshown))


def _limits(node: ast.expr) -> list[tuple[str, Limits]] | None:
    """Return what a condition sets; None where it is more than limits that all must hold."""
    match node:
        case ast.BoolOp(op=ast.And(), values=values):
            parts = [_limits(value) for value in values]
            return None if None in parts else [one for part in parts for one in part or ()]
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            sides = (left, *comparators)
            pairs = list(zip(sides, ops, sides[1:], strict=False))
            found = [one for pair in pairs for one in _limit(*pair)]
            return found if len(found) == len(pairs) else None
    return None


def _limit(left: ast.expr, op: ast.cmpop, right: ast.expr) -> Iterator[tuple[str, Limits]]:
    below, above = isinstance(op, ast.Lt | ast.LtE), isinstance(op, ast.Gt | ast.GtE)
    if not below and not above:
        return
    if isinstance(left, ast.Name) and (number := _number(right)) is not None:
        yield left.id, (-math.inf, number) if below else (number, math.inf)
    elif isinstance(right, ast.Name) and (number := _number(left)) is not None:
        yield right.id, (number, math.inf) if below else (-math.inf, number)


def _number(node: ast.expr) -> float | None:
    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -float(number)
    return None
