"""Which files come into question: every limit on both of its sides, from rows with figures made by hand."""

import dataclasses

import pytest

from edgebench.measures.significance import NO_DROP, REAL_DROP, REAL_GAIN, UNDECIDED, Verdict
from edgebench.results import pareto
from edgebench.results.derived import derive
from edgebench.results.pareto import Proof, certainly_faster, lead_of, others_of, proof, tied, time_of
from edgebench.results.rows import to_row
from tests.make import make_result

(BASE,) = [to_row(one) for one in derive(make_result())]


def row(ms=10.0, size=1000, word=NO_DROP, drop=(0.0, 0.0, 0.0), reach=0.1, emulated=False, margin=0.01):
    """A row of this latency, give or take `reach` ms, this size and this verdict."""
    accuracy = word and dataclasses.replace(BASE.of.accuracy, verdict=Verdict(word, margin))
    of = dataclasses.replace(BASE.of, accuracy=accuracy or None)
    low, high = (None, None) if ms is None else (ms - reach, ms + reach)
    return dataclasses.replace(
        BASE, latency_ms_median=ms, latency_ms_low=low, latency_ms_high=high, size_bytes=size, emulated=emulated, of=of,
        top1_drop=drop[0], top1_drop_low=drop[1], top1_drop_high=drop[2],
    )  # fmt: skip


def test_how_well_accuracy_is_proved():
    words = {
        NO_DROP: Proof.KEPT,
        REAL_GAIN: Proof.KEPT,
        UNDECIDED: Proof.OPEN,
        REAL_DROP: Proof.LOST,
        "": Proof.UNKNOWN,
    }
    assert {word: proof(row(word=word)) for word in words} == words
    assert proof(dataclasses.replace(BASE, of=dataclasses.replace(BASE.of, accuracy=None))) is Proof.UNKNOWN
    assert sorted(Proof) == [Proof.KEPT, Proof.OPEN, Proof.UNKNOWN, Proof.LOST]


def test_the_lead_is_the_surest_then_the_fastest_then_the_smallest():
    sure, open_, lost = row(20.0), row(1.0, word=UNDECIDED), row(0.5, word=REAL_DROP, drop=(0.1, 0.05, 0.15))
    assert lead_of([lost, open_, sure]) is sure and lead_of([lost, open_]) is open_
    worse = row(0.1, word=REAL_DROP, drop=(0.2, 0.15, 0.25))
    assert lead_of([worse, lost]) is lost
    fast, alike, smaller = row(5.0), row(5.1, size=999), row(9.0, size=10)
    assert lead_of([smaller, fast, alike]) is alike and lead_of([fast, smaller]) is fast
    unmeasured = row(None, size=1)
    assert lead_of([unmeasured, fast]) is fast and lead_of([unmeasured, row(None, size=2)]) is unmeasured
    sizeless = row(5.0, size=None)
    assert lead_of([sizeless, fast]) is fast


def test_an_emulated_time_is_none():
    assert time_of(row(5.0)) == 5.0 and time_of(row(5.0, emulated=True)) is None
    assert not certainly_faster(row(1.0, emulated=True), row(9.0))
    assert not certainly_faster(row(1.0), row(9.0, emulated=True))


@pytest.mark.parametrize(("ms", "faster"), [(9.7, True), (9.79, True), (9.8, False), (10.0, False), (11.0, False)])
def test_the_whole_interval_must_lie_below(ms, faster):
    assert certainly_faster(row(ms), row(10.0)) is faster
    bare = dataclasses.replace(row(ms), latency_ms_low=None, latency_ms_high=None)
    assert certainly_faster(bare, row(10.0)) is (ms < 9.9)


@pytest.mark.parametrize(
    ("other", "gains"),
    [
        (row(9.0, reach=0.01), True),
        (row(9.1, reach=0.01), False),
        (row(9.0, reach=2.0), False),
        (row(10.0, 900), True),
        (row(10.0, 901), False),
        (row(10.0, 1100), False),
        (row(None, None), False),
    ],
)
def test_a_tenth_of_the_time_or_of_the_size_is_a_gain(other, gains):
    lead = row(10.0, reach=0.01)
    assert pareto._gains(other, lead) is gains
    assert (others_of(lead, [lead, other]) == [other]) is gains


def test_a_margin_of_safety_is_a_gain():
    wide = row(10.0, word=UNDECIDED, drop=(0.0, -0.02, 0.03))
    safer, little = (row(10.0, word=UNDECIDED, drop=(0.0, -0.02, high)) for high in (0.0199, 0.0201))
    assert pareto._safer(safer, wide) and not pareto._safer(little, wide)
    assert others_of(wide, [wide, little]) == [] and others_of(wide, [wide, safer]) == [safer]
    assert pareto._most_loss(row(drop=(0.0, 0.0, 0.5))) == 0.0  # none was shown: what is left is below the margin
    lost = row(word=REAL_DROP, drop=(0.1, 0.05, 0.15))
    assert pareto._most_loss(lost) == 0.15 and pareto._safer(row(), lost) and not pareto._safer(row(word=""), wide)


@pytest.mark.parametrize(
    ("ms", "size", "payable"),
    [
        (10.0 * 1.9, 800, True),  # 0.8 ** -3 is 1.953
        (10.0 * 1.96, 800, False),
        (5.0, 7900, True),  # half the time at less than 8 times the size
        (5.0, 8100, False),
        (10.0, 1000, True),
        (10.5, 1000, False),
        (9.0, 900, True),
    ],
)
def test_what_somebody_would_pay(ms, size, payable):
    assert pareto._payable(row(ms, size), row()) is payable


def test_a_real_loss_of_more_than_five_margins_is_no_price():
    for drop, payable in ((0.05, True), (0.051, False)):
        lost = row(1.0, word=REAL_DROP, drop=(drop, drop - 0.01, drop + 0.01))
        assert pareto._payable(lost, row()) is payable
        worst = row(9.0, word=REAL_DROP, drop=(0.3, 0.2, 0.4))
        assert pareto._payable(lost, worst)  # where the lead has lost, too
    tight = row(1.0, word=REAL_DROP, drop=(0.05, 0.04, 0.06), margin=0.009)
    assert not pareto._payable(tight, row())


def test_others_gain_over_all_before_them_and_are_two_at_most():
    lead = row(10.0, 1000)
    small, smaller, fast = row(12.0, 500), row(13.0, 480), row(5.0, 2000)
    open_small = row(10.0, 100, UNDECIDED, (0.0, -0.01, 0.02))
    assert others_of(lead, [lead, small, smaller]) == [small]  # hardly more, and faster
    assert others_of(lead, [lead, fast, small]) == [fast, small]  # equally safe: in their order
    assert others_of(lead, [lead, open_small, small]) == [small, open_small]
    assert others_of(lead, [lead, open_small, fast, small]) == [fast, small]
    assert others_of(lead, [lead]) == []
    assert pareto._smallest([smaller, small]) is small and pareto._smallest([row(1.0, 900), small]) is small


def test_what_nothing_tells_apart():
    lead = row(10.0, 1000)
    cases = {
        (10.1, 1000): True, (10.3, 1000): False, (9.7, 1000): False, (10.0, 1009): True, (10.0, 1011): False,
        (10.0, 991): True, (10.0, 989): False, (None, 1000): True, (10.0, None): True,
    }  # fmt: skip
    assert {(ms, size): tied(row(ms, size), lead) for ms, size in cases} == cases
    assert not tied(row(word=UNDECIDED), lead)
