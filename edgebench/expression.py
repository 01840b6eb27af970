"""Gate expressions: `top1_drop > 0.01 or latency_ms_median_ratio > 1.05`, over values that know their intervals.

Python's grammar, nothing of its evaluation: numbers, strings, names, + - * /, comparisons, and, or, not. A
comparison is true only where the whole interval says so, false only where none of it does, else undecided.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from edgebench.errors import UsageError

MOST_CHARACTERS = 1000

TRUE, FALSE, UNDECIDED, UNMEASURED = "true", "false", "undecided", "unmeasured"


@dataclass(frozen=True)
class Quantity:
    """A number with the interval it is known in; `low` equals `high` where it is exact."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        if self.low == self.high:
            return f"{self.value:.6g}"
        return f"{self.value:.4g} ({self.low:.4g} to {self.high:.4g})"


@dataclass(frozen=True)
class Unmeasured:
    """A value that nobody knows, and why."""

    reason: str

    def __str__(self) -> str:
        return f"not measured: {self.reason}"


Value = Quantity | Unmeasured | str


@dataclass(frozen=True)
class Expression:
    """A checked expression. `names` are those it uses."""

    text: str
    names: tuple[str, ...]
    tree: ast.expr

    def decide(self, values: Mapping[str, Value]) -> str:
        """Return TRUE, FALSE, UNDECIDED (the intervals overlap) or UNMEASURED (a value is missing)."""
        return _decide(self.tree, values)


def exact(value: float) -> Quantity:
    """Return a number that is known exactly."""
    return Quantity(float(value), float(value), float(value))


def parse(text: str, known: frozenset[str]) -> Expression:
    """Check an expression. Raises UsageError for what is no condition, and for names that are not in `known`."""
    if len(text) > MOST_CHARACTERS:
        raise UsageError(f"a condition of {len(text)} characters: {MOST_CHARACTERS} are the most")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        names = tuple(dict.fromkeys(node.id for node in ast.walk(tree) if isinstance(node, ast.Name)))
        _check_condition(tree, text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UsageError(f"cannot read the condition {text!r}: try 'top1_drop > 0.01' or 'slower'") from error
    for name in names:
        if name not in known:
            raise UsageError(f"unknown name {name!r} in {text!r}: {_hint(name, known)}")
    return Expression(text, names, tree)


def _hint(name: str, known: frozenset[str]) -> str:
    import difflib

    close = difflib.get_close_matches(name, known, n=3)
    return f"did you mean {' or '.join(close)}?" if close else "see `edgebench compare --names` for all"


def _check_condition(node: ast.expr, text: str) -> None:
    match node:
        case ast.BoolOp(values=values):
            for value in values:
                _check_condition(value, text)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            _check_condition(operand, text)
        case ast.Compare(left=left, ops=ops, comparators=comparators) if all(type(op) in _ORDER for op in ops):
            for value in (left, *comparators):
                _check_value(value, text)
        case ast.Name():
            pass
        case _:
            raise UsageError(f"{ast.unparse(node)!r} in {text!r} is not a condition: compare it, as in 'x > 1'")


def _check_value(node: ast.expr, text: str) -> None:
    match node:
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
            _check_value(left, text)
            _check_value(right, text)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
            _check_value(operand, text)
        case ast.Constant(value=int() | float() | str()) | ast.Name():
            pass
        case _:
            raise UsageError(f"{ast.unparse(node)!r} in {text!r}: only names, numbers, texts and + - * / are known")


def _decide(node: ast.expr, values: Mapping[str, Value]) -> str:
    match node:
        case ast.BoolOp(op=ast.And(), values=parts):
            return _all([_decide(part, values) for part in parts])
        case ast.BoolOp(values=parts):
            return _invert(_all([_invert(_decide(part, values)) for part in parts]))
        case ast.UnaryOp(operand=operand):
            return _invert(_decide(operand, values))
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            sides = [_value(side, values) for side in (left, *comparators)]
            pairs = zip(sides, ops, sides[1:], strict=False)
            return _all([_compare(one, type(op), other) for one, op, other in pairs])
        case ast.Name(id=name):
            return _truth(values[name])
    raise AssertionError(f"unchecked condition {ast.dump(node)}")


def _value(node: ast.expr, values: Mapping[str, Value]) -> Value:
    match node:
        case ast.Constant(value=str() as word):
            return word
        case ast.Constant(value=int() | float() as number):
            return exact(number)
        case ast.Name(id=name):
            return values[name]
        case ast.UnaryOp(op=op, operand=operand):
            sign = -1.0 if isinstance(op, ast.USub) else 1.0
            return _combine(operator.mul, exact(sign), _value(operand, values))
        case ast.BinOp(left=left, op=op, right=right):
            return _combine(_ARITHMETIC[type(op)], _value(left, values), _value(right, values))
    raise AssertionError(f"unchecked value {ast.dump(node)}")


def _combine(function: Callable[[float, float], float], a: Value, b: Value) -> Value:
    """Interval arithmetic: the extremes of the four corners (R. E. Moore, "Interval Analysis", 1966)."""
    for side in (a, b):
        if isinstance(side, Unmeasured):
            return side
        if isinstance(side, str):
            return Unmeasured(f"{side!r} is a text and cannot be calculated with")
    assert isinstance(a, Quantity) and isinstance(b, Quantity)
    if function is operator.truediv and b.low <= 0 <= b.high:
        return Unmeasured("division by what may be zero")
    corners = [function(x, y) for x in (a.low, a.high) for y in (b.low, b.high)]
    return Quantity(function(a.value, b.value), min(corners), max(corners))


def _compare(a: Value, kind: type[ast.cmpop], b: Value) -> str:
    if isinstance(a, Unmeasured) or isinstance(b, Unmeasured):
        return UNMEASURED
    if isinstance(a, str) or isinstance(b, str):
        if kind not in (ast.Eq, ast.NotEq) or type(a) is not type(b):
            return UNMEASURED
        return TRUE if _ORDER[kind](a, b) else FALSE
    outcomes = {_ORDER[kind](x, y) for x in (a.low, a.high) for y in (b.low, b.high)}
    return UNDECIDED if len(outcomes) > 1 else TRUE if outcomes.pop() else FALSE


def _truth(value: Value) -> str:
    """A name alone is one of the words (`slower`): its value is already a decision."""
    if isinstance(value, str) and value in (TRUE, FALSE, UNDECIDED):
        return value
    return UNMEASURED if isinstance(value, Unmeasured) else TRUE if value not in ("", exact(0)) else FALSE


def _all(decisions: list[str]) -> str:
    return next((word for word in (FALSE, UNMEASURED, UNDECIDED) if word in decisions), TRUE)


def _invert(decision: str) -> str:
    return {TRUE: FALSE, FALSE: TRUE}.get(decision, decision)


_ARITHMETIC: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_ORDER: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
