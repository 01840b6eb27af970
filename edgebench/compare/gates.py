"""Gates over what changed in a cell. Reads no files.

A gate fails where its condition certainly holds, where a value it needs was not measured, and where either result
was throttled or did not end well. A condition that the intervals cannot decide passes, and is named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgebench.compare.pairs import Pair
from edgebench.compare.values import values_of
from edgebench.expression import FALSE, UNDECIDED, UNMEASURED, Expression, Value
from edgebench.measures.stability import Stability
from edgebench.records import OK
from edgebench.results.derived import Derived
from edgebench.results.words import stability_words


@dataclass(frozen=True)
class Outcome:
    """What one gate says about one cell: passed or failed, and why."""

    cell: str
    gate: str
    passed: bool
    decision: str  # of the condition: true, false, undecided or unmeasured
    reason: str


def judge(cell: Pair, gates: Sequence[Expression]) -> list[Outcome]:
    """Apply every gate to one cell. A cell that is new has nothing to be compared with and passes."""
    if cell.candidate is None:
        return [Outcome(cell.name, gate.text, False, UNMEASURED, "missing in the candidate") for gate in gates]
    for word, side in (("candidate", cell.candidate), ("baseline", cell.baseline)):
        problem = _disqualified(side)
        if problem:
            return [Outcome(cell.name, gate.text, False, UNMEASURED, f"{word}: {problem}") for gate in gates]
    values = values_of(cell)
    return [_apply(cell, gate, values) for gate in gates]


def _disqualified(side: Derived | None) -> str:
    if side is None:
        return ""
    if side.result.status != OK:
        return f"{side.result.status}: {side.result.reason}"
    throttled = side.stability is not None and side.stability.word is Stability.THROTTLED
    return stability_words(side.stability) if throttled else ""


def _apply(cell: Pair, gate: Expression, values: Mapping[str, Value]) -> Outcome:
    decision = gate.decide(values)
    shown = ", ".join(f"{name} = {values[name]}" for name in gate.names)
    if cell.baseline is None and decision == UNMEASURED:
        return Outcome(cell.name, gate.text, True, decision, "new: nothing to compare with")
    passed = decision in (FALSE, UNDECIDED)
    note = "; the interval does not decide it" if decision == UNDECIDED else ""
    return Outcome(cell.name, gate.text, passed, decision, shown + note)
