"""What to ship, in words and as JSON values: the verdict, or the recommendation for what was required."""

from __future__ import annotations

from collections.abc import Iterator

from edgebench.results.recommend import Candidate, Recommendation, Wish
from edgebench.results.verdict import ShipVerdict


def verdict_lines(verdict: ShipVerdict) -> Iterator[str]:
    """Yield a verdict, each candidate with its path, and what one should know before believing it."""
    if len(verdict.choices) < 2:
        yield verdict.sentence
    else:
        yield verdict.opening
    for at, choice in enumerate(verdict.choices):
        if len(verdict.choices) > 1:
            yield f"  {'or ' if at else ''}{verdict.choice_words(at)}"
        if choice.path:
            yield f"    {choice.path}"
    yield from verdict.caveats


def verdict_value(verdict: ShipVerdict) -> dict[str, object]:
    """Return a verdict as JSON values."""
    return {
        "subject": verdict.subject,
        "device": verdict.conditions.device,
        "conditions": verdict.conditions.title,
        "answer": verdict.answer.value,
        "sentence": verdict.sentence,
        "choices": [{"variant": one.name, "path": one.path, "words": one.words} for one in verdict.choices],
        "ties": list(verdict.ties),
        "caveats": list(verdict.caveats),
    }


def recommendation_lines(found: Recommendation, wish: Wish) -> Iterator[str]:
    """Yield what to ship under one set of conditions, what is open, and how every file stands; without indent."""
    goal = wish.goal
    if found.chosen:
        ship = found.chosen[0]
        yield f"Ship {ship.row.label} ({ship.row.of.result.artifact.path}): {goal} = {ship.goal}"
        if len(found.chosen) > 1:
            tied = ", ".join(one.row.label for one in found.chosen[1:])
            yield f"A tie: {tied} cannot be told from it in {goal}."
    else:
        yield "Nothing here certainly meets every requirement."
    for one in found.open:
        yield f"Open: {one.row.label} would be better ({goal} = {one.goal}) if it were decided:"
        yield from (f"  {line}" for line in _advice(one))
    for one in found.candidates:
        reasons = f": {'; '.join(one.reasons)}" if one.reasons else f": {goal} = {one.goal}"
        yield f"{one.standing.value:9} {one.row.label}{reasons}"


def recommendation_value(found: Recommendation, wish: Wish) -> dict[str, object]:
    """Return a recommendation as JSON values."""
    return {
        "device": found.conditions.device,
        "conditions": found.conditions.title,
        "requirements": [requirement.text for requirement in wish.requirements],
        "goal": wish.goal,
        "chosen": [one.row.label for one in found.chosen],
        "candidates": [
            {
                "artifact": one.row.label,
                "path": one.row.of.result.artifact.path,
                "standing": one.standing.value,
                "goal": str(one.goal),
                "reasons": list(one.reasons),
                "advice": [{"words": item.words, "command": item.command} for item in one.advice],
            }
            for one in found.candidates
        ],
    }


def _advice(one: Candidate) -> list[str]:
    lines = [f"{item.words}{f': {item.command}' if item.command else ''}" for item in one.advice]
    return lines or list(one.reasons)
