"""Which file to ship, in one sentence a model and set of conditions; where it depends, the candidates and their prices.

With no requirement typed (`recommend` is for those), what everybody wants is supposed: accuracy kept, then speed, then
size. `pareto` says which files come into question; here is what is said of them.
Memory is part of a price, never a reason: interpreter and runtime are most of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from edgebench.measures.stability import Stability
from edgebench.results.conditions import Conditions
from edgebench.results.figures import Row
from edgebench.results.findings import MEMORY_RESOLUTION_BYTES, baseline
from edgebench.results.pareto import GAIN, SAME_SIZE, Proof, certainly_faster, lead_of, others_of, proof, tied, time_of
from edgebench.results.words import drop_reason, drop_word
from edgebench.units import count, milliseconds, percent, ratio, size


class Answer(Enum):
    """What kind of sentence the verdict is."""

    SHIP = "ship"
    DEPENDS = "depends"
    OPEN = "open"  # something was not measured well enough to say
    NOTHING = "nothing"


@dataclass(frozen=True)
class Choice:
    """One file to ship. `words`: what it gains and costs, the first against its float32, others against the first."""

    row: Row
    name: str  # the variant, with its runtime where two share the variant
    words: str

    @property
    def path(self) -> str:
        """Where the file lay when it was measured."""
        return self.row.of.result.artifact.path


@dataclass(frozen=True)
class ShipVerdict:
    """Which file to ship, of one subject under one set of conditions. The first of `choices` leads; at most three."""

    conditions: Conditions
    subject: str
    answer: Answer
    choices: tuple[Choice, ...]
    ties: tuple[str, ...]  # variants that cannot be told from the first
    caveats: tuple[str, ...]  # what one should know before believing it

    @property
    def sentence(self) -> str:
        """One sentence, without the path."""
        if not self.choices:
            return "Nothing to ship: no file ran here."
        words = "; or ".join(self.choice_words(at) for at in range(len(self.choices)))
        return f"{self.opening} {words}."

    def choice_words(self, at: int) -> str:
        """Return one of the choices with its words: the first with its ties, the others held against it."""
        one = self.choices[at]
        if at:
            return f"{one.name}, against the first {one.words}"
        tie = f" (a tie with {', '.join(self.ties)})" if self.ties else ""
        return f"{one.name}{tie}: {one.words}"

    @property
    def opening(self) -> str:
        """How the sentence begins where there is something to ship."""
        if self.answer is Answer.DEPENDS and proof(self.choices[0].row) is Proof.LOST:
            return "Every file loses accuracy, the least" if len(self.choices) == 1 else "Every file loses accuracy:"
        return {Answer.SHIP: "Ship", Answer.DEPENDS: "It depends:", Answer.OPEN: "Not decided, so far"}[self.answer]


def ship_verdicts(where: Conditions, rows: Sequence[Row]) -> list[ShipVerdict]:
    """Return the verdict on each model of one group of comparable rows, judged on the main set of images."""
    table: dict[str, list[Row]] = {}
    results: dict[int, list[Row]] = {}
    for row in rows:
        results.setdefault(id(row.of.result), []).append(row)
    for mine in results.values():
        table.setdefault(mine[0].subject, []).append(mine[0])
    return [_verdict(where, subject, mine, results) for subject, mine in table.items()]


def _verdict(where: Conditions, subject: str, rows: Sequence[Row], results: dict[int, list[Row]]) -> ShipVerdict:
    found = [row for row in rows if row.ok]
    if not found:
        return ShipVerdict(where, subject, Answer.NOTHING, (), (), ())
    lead = lead_of(found)
    chosen = [lead, *others_of(lead, found)]
    shared = {row.variant for row in found if sum(other.variant == row.variant for other in found) > 1}
    words = [_against_float(lead, found), *(_price(row, lead) for row in chosen[1:])]
    return ShipVerdict(
        where,
        subject,
        _answer(chosen),
        tuple(Choice(row, _name(row, shared), text) for row, text in zip(chosen, words, strict=True)),
        tuple(_name(row, shared) for row in found if all(row is not one for one in chosen) and tied(row, lead)),
        tuple(_caveats(chosen, results)),
    )


def _answer(chosen: Sequence[Row]) -> Answer:
    lead = chosen[0]
    if proof(lead) in (Proof.OPEN, Proof.UNKNOWN) or any(_throttled(row) for row in chosen):
        return Answer.OPEN
    return Answer.SHIP if len(chosen) == 1 and proof(lead) is Proof.KEPT else Answer.DEPENDS


def _throttled(row: Row) -> bool:
    return not row.emulated and row.of.stability is not None and row.of.stability.word is Stability.THROTTLED


def _name(row: Row, shared: set[str]) -> str:
    return f"{row.variant} ({row.runtime})" if row.variant in shared else row.variant


def _against_float(row: Row, rows: Sequence[Row]) -> str:
    """Say what a row is, against its format's float32 or, where that is itself or missing, in figures."""
    base = baseline(rows, row)
    if base is None:
        parts = [milliseconds(time_of(row)), size(row.size_bytes), accuracy_words(row)]
        return ", ".join(part for part in parts if part)
    speed = [*_speed(row, base, base.variant)]
    return ", ".join([*speed, *_size(row, base, "" if speed else base.variant), accuracy_words(row)])


def _price(row: Row, lead: Row) -> str:
    """Say what shipping a row in place of another gains and costs."""
    return ", ".join([*_speed(row, lead), *_size(row, lead), *_memory(row, lead), accuracy_words(row)])


def _speed(row: Row, other: Row, name: str = "") -> Iterator[str]:
    own, theirs = time_of(row), time_of(other)
    if not own or not theirs:
        return
    if certainly_faster(row, other):
        yield f"{ratio(theirs / own)} as fast{f' as {name}' if name else ''}"
    elif certainly_faster(other, row):
        yield f"{ratio(own / theirs)} the time{f' of {name}' if name else ''}"
    else:
        yield f"as fast{f' as {name}' if name else ''} as far as can be told"


def _size(row: Row, other: Row, name: str = "") -> Iterator[str]:
    if not row.size_bytes or not other.size_bytes:
        return
    times = row.size_bytes / other.size_bytes
    if abs(times - 1) <= SAME_SIZE:
        yield f"the same size{f' as {name}' if name else ''}"
    else:
        share = f"{ratio(times)} the size" if times >= 2 else f"{percent(times, 0)} of the size"
        yield f"{share}{f' of {name}' if name else ''}"


def _memory(row: Row, other: Row) -> Iterator[str]:
    if row.emulated or row.peak_rss_bytes is None or other.peak_rss_bytes is None:
        return
    more = row.peak_rss_bytes - other.peak_rss_bytes
    if abs(more) > max(MEMORY_RESOLUTION_BYTES, GAIN * other.peak_rss_bytes):
        yield f"{size(abs(more))} {'more' if more > 0 else 'less'} memory"


def accuracy_words(row: Row) -> str:
    """Say what is known of a row's accuracy, no more than its verdict allows."""
    match proof(row):
        case Proof.UNKNOWN if row.agreement is not None and row.images:
            return f"chooses as the source model on {percent(row.agreement)} of {count(row.images, 'image')}"
        case Proof.UNKNOWN:
            return "accuracy not measured"
        case Proof.LOST:
            return "loses {:.1f} points ({:.1f} to {:.1f})".format(*(100 * end for end in row.drop or (0.0, 0.0, 0.0)))
    verdict = row.of.accuracy.verdict if row.of.accuracy else None
    reason = drop_reason(verdict)
    return f"drop {drop_word(verdict)} ({reason})" if reason else drop_word(verdict)


def _caveats(chosen: Sequence[Row], results: dict[int, list[Row]]) -> Iterator[str]:
    if any(row.emulated for row in chosen):
        yield "emulated: judged by accuracy and size alone, times there mean nothing"
    if any(time_of(row) is None for row in chosen if not row.emulated):
        yield "latency not measured"
    if any(_throttled(row) for row in chosen):
        yield "the device was throttled: let it cool down and measure again with --fresh"
    elif any(_noisy(row) for row in chosen):
        yield "the machine did not hold still: the speeds hold less than their digits say"
    if all(proof(row) is Proof.UNKNOWN for row in chosen):
        yield "edgebench profile --data with labelled images shows what each file loses"
    for row in chosen:
        for other in results[id(row.of.result)][1:]:
            if proof(other) is Proof.LOST:
                yield f"{row.variant} {accuracy_words(other)} on {other.evaluation or 'another set'}"


def _noisy(row: Row) -> bool:
    return not row.emulated and row.of.stability is not None and row.of.stability.word is Stability.NOISY
