"""The words about a drop against worked examples, SciPy and statsmodels' definitions; how often they are right."""

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from edgebench.measures import significance as sig
from edgebench.measures.outputs import pack, unpack
from edgebench.measures.pairs import Answered, model_pairs, pareto
from edgebench.measures.per_class import class_losses, precision_distance, sign_test
from edgebench.measures.robustness import (
    Answers,
    drop,
    extra_drop,
    extra_drop_on_others,
    mean_corruption_error,
    relative_corruption_error,
)
from edgebench.measures.significance import Paired
from edgebench.measures.stages import stages
from edgebench.records import ClassCounts


def bits(text):
    return np.array([letter == "1" for letter in text])


def test_the_interval_is_bonett_and_prices():
    low, high = sig.paired_interval(40, 5, 1000)
    p1, p2 = 41 / 1002, 6 / 1002
    reach = norm.ppf(0.975) * np.sqrt((p1 + p2 - (p1 - p2) ** 2) / 1002)
    assert (low, high) == pytest.approx((p1 - p2 - reach, p1 - p2 + reach), abs=1e-15)
    assert sig.paired_interval(40, 5, 1000, 0.8) == pytest.approx(
        (p1 - p2 - 0.65389 * reach, p1 - p2 + 0.65389 * reach), abs=1e-6
    )
    assert sig.paired_interval(0, 3, 3)[0] >= -1


@pytest.mark.parametrize(("lost", "won"), [(12, 3), (13, 4), (3, 12), (9, 9), (20, 9)])
def test_a_p_value_says_what_the_interval_says(lost, won):
    low, high = sig.paired_interval(lost, won, 900)
    assert (sig.p_change(lost, won, 900) < 0.05) == (low > 0 or high < 0)
    assert (sig.p_margin(lost, won, 900, high + 1e-9) < 0.05) and not (sig.p_margin(lost, won, 900, high - 1e-9) < 0.05)


def test_holm_is_step_down_and_keeps_the_order():
    assert sig.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert sig.holm([[0.9, 0.8], [0.01, 0.02]]).tolist() == [[1.0, 1.0], [0.02, 0.02]]


@pytest.mark.parametrize(
    ("lost", "won", "n", "word"),
    [
        (40, 5, 1000, sig.REAL_DROP),
        (5, 40, 1000, sig.REAL_GAIN),
        (3, 3, 5000, sig.NO_DROP),
        (40, 5, 100_000, sig.REAL_DROP),  # though it is below the margin
        (1, 0, 50, sig.UNDECIDED),
    ],
)
def test_verdicts_of_one_cell(lost, won, n, word):
    (verdict,) = sig.verdicts([Paired(lost, won, n)])
    assert verdict.word == word and verdict.cells == 1


def test_words_of_a_verdict():
    (sure,) = sig.verdicts([Paired(3, 3, 5000)], margin=0.005)
    assert sure.short == "no drop above 0.5%" and sure.advice == ""
    (unsure,) = sig.verdicts([Paired(6, 3, 500)])
    assert unsure.short == "undecided" and unsure.more_images is not None
    assert unsure.advice == f"about {unsure.more_images:,} more images would decide it"
    assert sig.Verdict().short == ""


def test_one_drop_in_twenty_is_no_drop_any_more():
    cell = Paired(13, 3, 1000)
    assert sig.verdicts([cell])[0].word == sig.REAL_DROP
    among = sig.verdicts([cell, *[Paired(8, 8, 1000)] * 19])
    assert among[0].word == sig.UNDECIDED and among[0].cells == 20
    assert sig.verdicts([Paired(60, 3, 1000), *[Paired(8, 8, 1000)] * 19])[0].word == sig.REAL_DROP


def test_a_margin_decides_what_counts():
    assert sig.verdicts([Paired(20, 15, 1000)], 0.01)[0].word == sig.UNDECIDED
    assert sig.verdicts([Paired(20, 15, 1000)], 0.05)[0].word == sig.NO_DROP


def test_the_smallest_drop_is_found_as_often_as_said():
    generator = np.random.default_rng(1)
    n, differing = 2000, 0.02
    size = float(sig.smallest_drop(n * differing, n, 20))
    p = [differing / 2 + size, differing / 2]
    draws = generator.multinomial(n, [*p, 1 - sum(p)], size=4000)
    level = 0.05 / 20
    assert 0.80 <= (sig.p_change(draws[:, 0], draws[:, 1], n) <= level).mean() <= 0.86
    assert sig.smallest_drop(40, 2000, 1) < size < sig.smallest_drop(200, 2000, 20)


def test_more_images_decide_in_half_of_the_cases():
    generator = np.random.default_rng(2)
    lost, won, n = 12, 11, 1000
    more = int(sig.more_images(lost, won, n))
    new = generator.multinomial(more, [0.0115, 0.0115, 0.977], size=4000)
    both = (lost + new[:, 0], won + new[:, 1], n + more)
    assert 0.4 <= (np.minimum(sig.p_change(*both), sig.p_margin(*both)) <= 0.05).mean() <= 0.65
    assert [sig.two_digits(v) for v in (3.2, 99.0, 101.0, 2999.1)] == [4, 99, 110, 3000]


def test_the_interval_covers_as_often_as_it_says():
    generator = np.random.default_rng(1)
    draws = generator.multinomial(400, [0.04, 0.02, 0.94], size=20_000)
    low, high = sig.paired_bounds(draws[:, 0], draws[:, 1], 400)
    assert 0.945 <= ((low <= 0.02) & (high >= 0.02)).mean() <= 0.96


def test_the_sign_test_is_scipys():
    for lost, won in ((5, 1), (0, 7), (3, 3), (40, 22)):
        assert sign_test(lost, won) == pytest.approx(binomtest(lost, lost + won).pvalue, abs=1e-12)
    assert sign_test(0, 0) == 1


def test_classes_that_lost_worst_first():
    counts = ClassCounts((50, 50, 50, 0), (50,) * 4, (40,) * 4, (), lost=(15, 4, 0, 0), won=(0, 1, 6, 0))
    losses = class_losses(counts)
    assert [loss.index for loss in losses] == [0, 1, 2]
    assert [loss.real for loss in losses] == [True, False, True]
    assert losses[0].drop == 0.3
    assert (losses[0].low, losses[0].high) == sig.paired_interval(15, 0, 50, 1 - 0.05 / 3)
    assert class_losses(ClassCounts((50,), (50,), (40,))) == ()


def test_the_extra_drop_of_corruption_is_paired():
    clean = Answers(artifact=bits("1111111100"), reference=bits("1111111110"))
    corrupted = Answers(artifact=bits("1111000000"), reference=bits("1111110000"))
    assert drop(clean).value == pytest.approx(0.1) and drop(corrupted).value == pytest.approx(0.2)
    shift = extra_drop(clean, corrupted)
    assert shift.value == pytest.approx(0.1)  # scores: 0 0 0 0 1 1 0 0 -1 0
    centre, error = 1 / 12, np.sqrt(5 / 12 - (1 / 12) ** 2) / np.sqrt(12)
    assert (shift.low, shift.high) == pytest.approx((centre - 1.959964 * error, centre + 1.959964 * error), abs=1e-6)
    other = extra_drop_on_others(clean, corrupted)
    assert other.value == pytest.approx(0.1) and other.low < shift.low < 0 < shift.high < other.high
    a, b = drop(clean), drop(corrupted)
    assert other.low == pytest.approx(other.value - np.hypot(b.value - b.low, a.high - a.value), abs=1e-12)
    assert other.high == pytest.approx(other.value + np.hypot(b.high - b.value, a.value - a.low), abs=1e-12)


def test_scores_of_one_image_each_give_the_paired_interval():
    scores = np.array([1] * 12 + [-1] * 3 + [0] * 485)
    mean, low, high = sig.scores_interval(scores)
    assert mean == 9 / 500 and (low, high) == pytest.approx(sig.paired_interval(12, 3, 500), abs=1e-12)


def test_corruption_errors():
    errors, base = {"fog": [0.2, 0.4], "snow": [0.1, 0.1]}, {"fog": [0.1, 0.3], "snow": [0.2, 0.2]}
    assert mean_corruption_error(errors) == pytest.approx(0.2)
    assert relative_corruption_error(errors, base) == pytest.approx((1.5 + 0.5) / 2)
    assert relative_corruption_error(errors, {"fog": [0, 0], "snow": [0.2, 0.2]}) is None


def test_stages_say_where_the_loss_arose():
    source, converted = np.ones(1000, bool), np.ones(1000, bool)
    host = converted.copy()
    host[:80] = False
    found = stages(source, converted, host, host.copy())
    assert found.words == "quantisation"
    assert {name: shift.value for name, shift in found.losses.items()} == {
        "conversion": 0,
        "quantisation": 0.08,
        "device": 0,
    }
    device = host.copy()
    device[100:300] = False
    assert stages(source, converted, host, device).words == "quantisation, device"
    assert stages(source, None, None, host).words == "conversion"
    assert stages(source, None, None, source).words == ""
    chance = source.copy()
    chance[:3] = False
    assert stages(source, None, None, chance).words == "" == stages(chance, None, None, source).words
    assert stages(host, None, None, source).words == ""  # a real gain is no loss


def test_models_are_told_apart_or_not():
    generator = np.random.default_rng(0)
    right = generator.random(2000) < 0.8
    same, worse = right.copy(), right & (generator.random(2000) < 0.9)
    same[np.flatnonzero(right)[:8]], same[np.flatnonzero(~right)[:8]] = False, True
    classes = ClassCounts((10, 10), (8, 12), (8, 10))
    pairs = model_pairs([Answered("A", right, classes), Answered("B", same, classes), Answered("C", worse)])
    assert [pair.words for pair in pairs] == [
        "A and B: not told apart",
        "A is more accurate than C",
        "B is more accurate than C",
    ]
    assert pairs[0].precision_distance == 0 and pairs[1].precision_distance is None
    other = ClassCounts((10, 10), (10, 10), (8, 8))
    assert precision_distance(classes, other) == pytest.approx((0.2 + abs(10 / 12 - 0.8)) / 2)


def test_the_pareto_set_is_what_nobody_beats():
    costs = {"a": (1, 9), "b": (2, 2), "c": (2, 3), "d": (9, 1), "e": (1, 9)}
    assert pareto(costs) == ("a", "b", "d", "e")


def test_bits_are_short():
    assert len(pack(np.ones(100_000, bool))) < 200
    assert unpack(pack(bits("10110")), 5).tolist() == [True, False, True, True, False]
