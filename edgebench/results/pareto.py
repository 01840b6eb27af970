"""Which files come into question: how surely each keeps its accuracy, which gain on which, which are worth it.

A file leads where its accuracy is as well proved as any and none of those is certainly faster; of equally fast ones the
smallest. Another is named beside it where it gains GAIN or more in time or size, at a price that somebody would pay.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import IntEnum

from edgebench.measures.significance import NO_DROP, REAL_DROP, REAL_GAIN, UNDECIDED
from edgebench.results.figures import Row
from edgebench.results.findings import tied_fastest

GAIN = 0.1
"""What saves less than a tenth of the time or of the size is no reason to ship another file."""
SAME_SIZE = 0.01
"""What weighs within a hundredth weighs the same."""
MOST_PRICE = 3.0
"""Nobody pays more than the cube: twice as small may take 8 times as long, a tenth smaller a third longer."""
MOST_LOSS_MARGINS = 5.0
"""A real drop of more margins than this is no candidate beside a file without one."""
MOST_CHOICES = 3


class Proof(IntEnum):
    """How well it is known that a file keeps its model's accuracy; the lower the better."""

    KEPT = 0
    OPEN = 1
    UNKNOWN = 2
    LOST = 3


def proof(row: Row) -> Proof:
    """Return how well it is known that a row keeps its model's accuracy."""
    word = row.of.accuracy.verdict.word if row.of.accuracy else ""
    return _PROOFS.get(word, Proof.UNKNOWN)


_PROOFS = {NO_DROP: Proof.KEPT, REAL_GAIN: Proof.KEPT, UNDECIDED: Proof.OPEN, REAL_DROP: Proof.LOST}


def lead_of(rows: Sequence[Row]) -> Row:
    """Return the row to ship where nothing else weighs more than accuracy, then speed, then size."""
    surest = min(proof(row) for row in rows)
    among = [row for row in rows if proof(row) == surest]
    if surest is Proof.LOST:  # the least loss first: nothing here is without one
        return min(among, key=lambda row: row.drop[0] if row.drop else 0.0)
    return _fastest(among)


def others_of(lead: Row, rows: Sequence[Row]) -> list[Row]:
    """Return up to two more: of each degree of proof the safest, smallest and fastest that gain over all before."""
    chosen = [lead]
    for degree in Proof:
        pool = [row for row in rows if proof(row) is degree and _payable(row, lead)]
        for pick in (_safest, _smallest, _fastest):
            gaining = [row for row in pool if all(_gains(row, other) for other in chosen)]
            if gaining and len(chosen) < MOST_CHOICES:
                chosen.append(pick(gaining))
    return chosen[1:]


def _safest(rows: Sequence[Row]) -> Row:
    return min(rows, key=_most_loss)


def _smallest(rows: Sequence[Row]) -> Row:
    """Return the smallest; of those that weigh hardly more the fastest."""
    least = min(row.size_bytes or math.inf for row in rows)
    near = [row for row in rows if (row.size_bytes or math.inf) * (1 - GAIN) <= least]
    return min(near, key=lambda row: time_of(row) or math.inf)


def _fastest(rows: Sequence[Row]) -> Row:
    """Return the fastest; of those that cannot be told from it the smallest."""
    timed = [row for row in rows if time_of(row) is not None]
    return min(tied_fastest(timed) or rows, key=lambda row: row.size_bytes or math.inf)


def time_of(row: Row) -> float | None:
    """Return the latency in ms; an emulated processor's is none."""
    return None if row.emulated else row.latency_ms_median


def _gains(row: Row, other: Row) -> bool:
    """Whether a row is certainly faster, smaller or safer than another by so much that one would ship it for that."""
    faster = certainly_faster(row, other) and _factor(time_of(row), time_of(other)) <= 1 - GAIN
    return faster or _factor(row.size_bytes, other.size_bytes) <= 1 - GAIN or _safer(row, other)


def _safer(row: Row, other: Row) -> bool:
    """Whether of two that may lose accuracy, or do, one leaves room for a margin less."""
    accuracy = row.of.accuracy
    return accuracy is not None and _most_loss(row) <= _most_loss(other) - accuracy.verdict.margin


def _most_loss(row: Row) -> float:
    """Return the upper end of the drop that the images leave room for; 0 where none was shown or none is known."""
    return row.drop[2] if row.drop and proof(row) in (Proof.OPEN, Proof.LOST) else 0.0


def certainly_faster(row: Row, other: Row) -> bool:
    """Whether the whole 95 % interval of a latency lies below another's."""
    if time_of(row) is None or time_of(other) is None:
        return False
    return _end(row, "latency_ms_high") < _end(other, "latency_ms_low")


def _end(row: Row, name: str) -> float:
    value: float | None = getattr(row, name)
    return value if value is not None else row.latency_ms_median or 0.0


def _factor(value: float | None, other: float | None) -> float:
    return value / other if value and other else 1.0


def _payable(row: Row, lead: Row) -> bool:
    """Whether what a row saves may be worth what it costs, in time, size and accuracy."""
    accuracy = row.of.accuracy
    if proof(row) is proof(lead) and _safer(row, lead):
        return True
    if proof(row) is Proof.LOST and accuracy is not None and proof(lead) is not Proof.LOST:
        most = MOST_LOSS_MARGINS * accuracy.verdict.margin
    else:
        most = math.inf
    saved, paid = sorted(
        math.log(_factor(*pair)) for pair in ((time_of(row), time_of(lead)), (row.size_bytes, lead.size_bytes))
    )
    return (row.drop[0] if row.drop else 0.0) <= most and paid <= max(0.0, -MOST_PRICE * saved)


def tied(row: Row, lead: Row) -> bool:
    """Whether nothing tells a row from the first: neither is certainly faster, and they weigh the same."""
    alike = abs(_factor(row.size_bytes, lead.size_bytes) - 1) <= SAME_SIZE
    return proof(row) is proof(lead) and alike and not certainly_faster(row, lead) and not certainly_faster(lead, row)
