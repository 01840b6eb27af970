"""Which artifact to ship to each device: what meets every requirement, what fails, what would decide the rest.

A requirement is a condition as in `compare`, decided by intervals: met only where the whole interval meets it. Of the
artifacts that meet all, the best figure wins; those that cannot be told from it are tied with it, and said to be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from edgebench.expression import FALSE, TRUE, UNDECIDED, Expression, Quantity, Value
from edgebench.measures.stability import Stability
from edgebench.results.advice import Advice, advise
from edgebench.results.conditions import Conditions
from edgebench.results.figures import Row
from edgebench.results.together import by_conditions
from edgebench.results.values import row_values
from edgebench.results.words import stability_words


class Standing(Enum):
    """How an artifact stands against all requirements together."""

    MEETS = "meets"
    UNDECIDED = "undecided"
    FAILS = "fails"


@dataclass(frozen=True)
class Wish:
    """What must hold, and in which figure to be best of what is left: with the least of it, or the most."""

    requirements: tuple[Expression, ...]
    goal: str
    largest: bool = False


@dataclass(frozen=True)
class Candidate:
    """One artifact on one device. `reasons` say why it does not meet; `advice` what would decide it."""

    row: Row
    standing: Standing
    reasons: tuple[str, ...]
    advice: tuple[Advice, ...]
    goal: Value  # the figure to be best in


@dataclass(frozen=True)
class Recommendation:
    """What to ship where. `chosen` has several where they cannot be told apart, none where nothing meets."""

    conditions: Conditions
    chosen: tuple[Candidate, ...]
    candidates: tuple[Candidate, ...]  # all of them, the best first
    open: tuple[Candidate, ...]  # undecided ones that would be better than what is chosen


def recommend(rows: Sequence[Row], wish: Wish) -> list[Recommendation]:
    """Judge the rows of unperturbed images, device by device; an artifact must meet on every set it was judged on."""
    plain = [row for row in rows if not row.perturbation]
    return [_recommend(where, mine, wish) for where, mine in by_conditions(plain).items()]


def _recommend(where: Conditions, rows: Sequence[Row], wish: Wish) -> Recommendation:
    found = sorted(_candidates(rows, wish), key=lambda one: (_ORDER[one.standing], _cost(one.goal, wish.largest)))
    meeting = [one for one in found if one.standing is Standing.MEETS]
    chosen = tuple(one for one in meeting if _ties(one.goal, meeting[0].goal, wish.largest))
    to_beat = _cost(chosen[0].goal, wish.largest) if chosen else float("inf")
    undecided = (one for one in found if one.standing is Standing.UNDECIDED)
    better = [one for one in undecided if not chosen or _cost(one.goal, wish.largest) < to_beat]
    return Recommendation(where, chosen, tuple(found), tuple(better))


def _candidates(rows: Sequence[Row], wish: Wish) -> Iterator[Candidate]:
    """Yield a candidate for each result, or for each row where a requirement says which set of images is meant."""
    apart = any("evaluation" in requirement.names for requirement in wish.requirements)
    table: dict[int, list[Candidate]] = {}
    for row in rows:
        table.setdefault(id(row) if apart else id(row.of.result), []).append(_judge(row, wish.requirements, wish.goal))
    for judged in table.values():
        main, worst = judged[0], max(judged, key=lambda one: _ORDER[one.standing])
        if worst.standing is main.standing:
            yield main
        else:
            reasons = tuple(f"on {worst.row.evaluation or 'another set'}: {reason}" for reason in worst.reasons)
            yield Candidate(main.row, worst.standing, reasons, worst.advice, main.goal)


_ORDER = {Standing.MEETS: 0, Standing.UNDECIDED: 1, Standing.FAILS: 2}


def _judge(row: Row, requirements: Sequence[Expression], goal: str) -> Candidate:
    values = row_values(row)
    if not row.ok:
        return Candidate(row, Standing.FAILS, (f"{row.status}: {row.reason}",), (), values[goal])
    reasons, advice, worst = [], [], Standing.MEETS
    for requirement in requirements:
        decision = requirement.decide(values)
        if decision == TRUE:
            continue
        reasons.append(f"{requirement.text}: {shown(requirement, values)}")
        if decision == FALSE:
            worst = Standing.FAILS
        elif worst is not Standing.FAILS:
            worst = Standing.UNDECIDED
        if decision != FALSE:
            advice.append(advise(row, requirement, values, decision == UNDECIDED))
    if worst is Standing.MEETS and not isinstance(values[goal], Quantity):
        worst, reasons = Standing.UNDECIDED, [f"{goal}: {values[goal]}"]
    judged = row.of.stability
    if worst is Standing.MEETS and judged is not None and judged.word is Stability.THROTTLED:
        worst, reasons = Standing.UNDECIDED, [stability_words(judged)]
        advice = [Advice("let the device cool down and measure again", "edgebench profile ARTIFACT --fresh", None)]
    return Candidate(row, worst, tuple(reasons), tuple(advice) if worst is not Standing.FAILS else (), values[goal])


def shown(requirement: Expression, values: Mapping[str, Value]) -> str:
    """Return the figures that a requirement names, with their intervals."""
    return ", ".join(f"{name} = {values[name]}" for name in requirement.names)


def _cost(value: Value, largest: bool) -> float:
    if not isinstance(value, Quantity):
        return float("inf")
    return -value.value if largest else value.value


def _ties(value: Value, best: Value, largest: bool) -> bool:
    """Whether a figure cannot be told from the best: their intervals overlap."""
    if not isinstance(value, Quantity) or not isinstance(best, Quantity):
        return False
    return value.high >= best.low if largest else value.low <= best.high
