"""Verdicts as people read them. Nothing reads these texts back: who decides asks the verdict."""

from __future__ import annotations

from edgebench.measures.significance import UNDECIDED, Verdict
from edgebench.measures.stability import StabilityVerdict
from edgebench.units import count, percent

EMULATED = "emulated: times and memory are the emulator's"


def drop_word(verdict: Verdict | None) -> str:
    """Return the verdict on a drop without its explanation; empty without one."""
    return verdict.short if verdict else ""


def drop_reason(verdict: Verdict | None) -> str:
    """Return why a drop is undecided, and what would decide it; empty where it is not."""
    if verdict is None or verdict.word != UNDECIDED:
        return ""
    room = f"{count(verdict.images, 'image')} leave room for a drop of {percent(verdict.high)}"
    among = f", too much among {verdict.cells} comparisons" if verdict.high <= verdict.margin else ""
    return f"{room}{among}; {verdict.advice}"


def drop_words(verdict: Verdict | None) -> str:
    """Return the verdict on a drop, and why where it is undecided."""
    return ": ".join(filter(None, [drop_word(verdict), drop_reason(verdict)]))


def stability_words(verdict: StabilityVerdict | None) -> str:
    """Return whether the machine held still, and what spoke against it; empty without a latency."""
    if verdict is None:
        return ""
    return f"{verdict.word.value}: {'; '.join(verdict.reasons)}" if verdict.reasons else verdict.word.value
