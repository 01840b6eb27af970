"""Every formula of the verdicts, to the last digits, against SciPy or a worked example: a near miss is a failure."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from edgebench import orderstats
from edgebench.measures import difference, latency, significance
from edgebench.measures.difference import difference_interval
from edgebench.measures.latency import (
    Interval,
    enough_processes,
    first_and_last,
    joules_per_image,
    latency_runs,
    latency_summary,
    process_interval,
    student,
)
from edgebench.measures.samples import Sorted, pool
from edgebench.records import Settings
from tests.make import make_run

EXACT = {"rel": 1e-13, "abs": 0.0}
A = (1_000_000, 1_013_000, 991_000, 1_004_000, 1_021_000, 998_500, 1_009_000, 1_002_500)
B = (1_030_000, 1_021_000, 1_044_000, 1_012_000, 1_051_000, 1_037_500, 1_008_000, 1_026_000)


def side(medians, second=None):
    """One process a median; with `second`, started at that second of the minute that is its repetition."""
    return [
        make_run((m,) * 3, r, started="" if second is None else f"2026-11-21T00:{r:02}:{second:02}+00:00")
        for r, m in enumerate(medians)
    ]


def logs(values):
    return np.log(np.array(values, float))


def test_the_confidences_are_what_the_documents_say():
    assert difference.CONFIDENCE == 0.98
    assert significance.LEVEL == 0.05 and significance.MARGIN == 0.01
    assert (significance.POWER, significance.POSSIBLE, significance.MOST_IMAGES) == (0.83, 0.5, 10_000_000)
    assert latency.FEWEST_JUDGED == 5


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.98])
def test_student_is_scipys(confidence):
    values = [3.0, 5.5, 4.25, 9.0, -1.0]
    mean, reach = student(values, confidence)
    low, high = stats.t.interval(confidence, len(values) - 1, np.mean(values), stats.sem(values))
    assert mean == 4.15
    assert (mean - reach, mean + reach) == pytest.approx((low, high), **EXACT)


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.98])
@pytest.mark.parametrize(("a", "b"), [(A[:2], B[:3]), (A[:3], B[:2]), (A[:2], B[:2])])
def test_welch_is_scipys(a, b, confidence):
    found = difference_interval(side(a), side(b), confidence)
    expected = stats.ttest_ind(logs(b), logs(a), equal_var=False).confidence_interval(confidence)
    centre = logs(b).mean() - logs(a).mean()
    if found.method != "unpaired, Welch's t":
        pytest.skip("enough orders for the rank sum")
    assert not found.paired and found.reason == ""
    ratio = math.exp(centre), math.exp(expected.low), math.exp(expected.high)
    assert (found.ratio.value, found.ratio.low, found.ratio.high) == pytest.approx(ratio, **EXACT)


def test_welch_without_any_spread_has_no_width():
    found = difference_interval(side((10**6,) * 2), side((2 * 10**6,) * 2))
    assert found.method == "unpaired, Welch's t" and found.word == "slower"
    assert (found.ratio.low, found.ratio.value, found.ratio.high) == pytest.approx((2, 2, 2), **EXACT)


@pytest.mark.parametrize("n", [2, 4, 6])
def test_too_few_pairs_take_students_t(n):
    found = difference_interval(side(A[:n], 0), side(B[:n], 9))
    ratios = logs(B[:n]) - logs(A[:n])
    low, high = stats.t.interval(0.98, n - 1, ratios.mean(), stats.sem(ratios))
    assert found.paired and found.method == "paired, Student's t"
    expected = math.exp(ratios.mean()), math.exp(low), math.exp(high)
    assert (found.ratio.value, found.ratio.low, found.ratio.high) == pytest.approx(expected, **EXACT)


def signed_rank_depth(n, confidence):
    """By trying all sign patterns: the largest k whose tail P(sum <= k - 1) is not above half the rest."""
    sums = sorted(sum(r for r, s in enumerate(signs, 1) if s) for signs in itertools.product((0, 1), repeat=n))
    return max([k for k in range(1, len(sums)) if np.mean(np.array(sums) <= k - 1) <= (1 - confidence) / 2], default=0)


def rank_sum_depth(n, m, confidence):
    """By trying all orders."""
    us = np.array([sum(ranks) - n * (n - 1) // 2 for ranks in itertools.combinations(range(n + m), n)])
    return max([k for k in range(1, n * m + 1) if np.mean(us <= k - 1) <= (1 - confidence) / 2], default=0)


RANK_SUMS = [(5, 5, 0.98), (8, 8, 0.98), (8, 8, 0.95), (4, 6, 0.95), (3, 4, 0.8)]


def test_tabled_depths():
    """Hollander, Wolfe and Chicken, tables A.4 and A.6: n = 8 at 95 % takes the 4th, 8 and 8 at 95 % the 14th."""
    assert (signed_rank_depth(8, 0.95), rank_sum_depth(8, 8, 0.95)) == (4, 14)
    assert (signed_rank_depth(7, 0.98), signed_rank_depth(6, 0.98)) == (1, 0)


@pytest.mark.parametrize(("n", "confidence"), [(7, 0.98), (8, 0.98), (8, 0.95), (6, 0.95), (5, 0.8)])
def test_pairs_take_the_hodges_lehmann_interval_of_the_signed_rank(n, confidence):
    found = difference_interval(side(A[:n], 0), side(B[:n], 9), confidence)
    ratios = logs(B[:n]) - logs(A[:n])
    averages = sorted((ratios[i] + ratios[j]) / 2 for i in range(n) for j in range(i, n))
    depth = signed_rank_depth(n, confidence)
    assert found.paired and found.method == "paired, signed rank"
    expected = np.exp([np.median(averages), averages[depth - 1], averages[-depth]])
    assert (found.ratio.value, found.ratio.low, found.ratio.high) == pytest.approx(tuple(expected), **EXACT)


@pytest.mark.parametrize(("n", "m", "confidence"), RANK_SUMS)
def test_the_unpaired_take_the_hodges_lehmann_interval_of_the_rank_sum(n, m, confidence):
    found = difference_interval(side(A[:n]), side(B[:m]), confidence)
    differences = sorted((logs(B[:m])[:, None] - logs(A[:n])[None, :]).ravel())
    depth = rank_sum_depth(n, m, confidence)
    assert not found.paired and found.method == "unpaired, rank sum"
    expected = np.exp([np.median(differences), differences[depth - 1], differences[-depth]])
    assert (found.ratio.value, found.ratio.low, found.ratio.high) == pytest.approx(tuple(expected), **EXACT)


def test_the_unpaired_are_compared_at_98_percent_when_nothing_is_said():
    assert difference_interval(side(A), side(B)) == difference_interval(side(A), side(B), 0.98)
    assert difference_interval(side(A), side(B)) != difference_interval(side(A), side(B), 0.95)


def test_what_a_difference_is_called():
    for low, high, word in ((1.0, 1.1, "same"), (1.001, 1.1, "slower"), (0.9, 1.0, "same"), (0.9, 0.999, "faster")):
        assert difference.Difference(Interval(1.0, low, high), True, "").word == word
    none = difference_interval([], side(A))
    assert (none.word, none.paired, none.method) == ("unknown", False, "")
    assert none.reason == "no process measured on one side: nothing shows what another would say"
    one = difference_interval(side(A), side(B[:1])).reason
    assert one == "one process measured on one side: nothing shows what another would say"


def test_two_sides_take_turns_only_round_by_round():
    assert difference_interval(side(A[:7], 0), side(B[:7], 9)).paired
    assert not difference_interval(side(A[:7], 0), side(B[:7])).paired  # nobody knows when
    late = [make_run((m,) * 3, r, started=f"2026-11-21T01:{r:02}:00+00:00") for r, m in enumerate(B[:7])]
    assert not difference_interval(side(A[:7], 0), late).paired
    touching = [make_run((m,) * 3, r, started=f"2026-11-21T00:{r + 1:02}:00+00:00") for r, m in enumerate(B[:7])]
    assert difference_interval(side(A[:7], 0), touching).paired  # ends in the second in which the next one begins


# ---- intervals of one result

NINE = (7, 1, 9, 3, 5, 2, 8, 4, 6)


@pytest.mark.parametrize(("n", "confidence", "ranks"), [(6, 0.95, (1, 6)), (9, 0.95, (2, 8)), (25, 0.95, (8, 18))])
def test_the_medians_interval_is_two_of_its_samples(n, confidence, ranks):
    """Conover, table A3; the same by SciPy's quantile_test for a median."""
    samples = [float(10 * value) for value in range(n, 0, -1)]
    low, high = stats.quantile_test(samples, p=0.5).confidence_interval(confidence)[:2]
    assert (low, high) == tuple(10.0 * rank for rank in ranks)
    assert Sorted(samples).median() == np.median(samples)
    assert Sorted(samples).interval(confidence) == (low, high)
    assert orderstats.median_ranks(n, confidence) == ranks
    assert Sorted(samples).interval(0.99999999) is None


def test_quantiles_are_samples():
    assert [Sorted(NINE).quantile(q) for q in (0.1, 0.25, 0.5, 0.75, 0.9, 1.0)] == [1, 3, 5, 7, 9, 9]
    assert [orderstats.quantile(NINE, q) for q in (0.1, 0.25, 0.5, 0.75, 0.9, 1.0)] == [1, 3, 5, 7, 9, 9]
    for q in (0.05, 0.3, 0.62, 0.99):
        assert Sorted(NINE).quantile(q) == np.quantile(NINE, q, method="inverted_cdf")
    assert orderstats.quantile_rank(10, 1e-9) == 1
    assert Sorted(range(1, 101)).percentile(0.9) == 90 and Sorted(range(1, 36)).percentile(0.9) is None
    assert Sorted(range(1, 40)).percentile(0.9, 0.98) is None  # 40 carry p90 at 95 %, more are needed at 98 %


def test_medians_of_odd_and_even():
    for samples, middle in ((NINE, 5.0), (NINE[:8], 4.5), ((3,), 3.0), ((1, 4), 2.5)):
        assert orderstats.median(samples) == Sorted(samples).median() == middle
    with pytest.raises(ValueError, match="the median of no samples"):
        orderstats.median([])
    with pytest.raises(ValueError, match="the median of no samples"):
        Sorted([]).median()
    assert pool([Sorted([3, 1]), Sorted([2])]).values.tolist() == [1, 2, 3]


def test_the_relative_half_width_takes_the_farther_end():
    assert orderstats.relative_half_width([10, 11, 12, 13, 14, 21]) == pytest.approx(8.5 / 12.5, **EXACT)
    assert orderstats.relative_half_width([4, 11, 12, 13, 14, 15]) == pytest.approx(8.5 / 12.5, **EXACT)
    assert orderstats.relative_half_width([1, 2, 3]) is None
    assert orderstats.relative_half_width([0] * 9) is None
    assert orderstats.relative_half_width(NINE, 0.98) == 0.8 and orderstats.relative_half_width(NINE) == 0.6
    assert Interval(10.0, 7.0, 12.0).relative_half_width == 0.3
    assert Interval(10.0, 9.0, 14.0).relative_half_width == 0.4
    assert Interval(0.0, 0.0, 1.0).relative_half_width == math.inf


def test_an_interval_over_processes_is_students_on_the_logarithms():
    groups = [[m - 1.0, m, m + 1.0] for m in (1000.0, 1100.0, 1300.0)]
    centre, (low, high) = (
        logs((1000, 1100, 1300)).mean(),
        stats.t.interval(0.95, 2, logs((1000, 1100, 1300)).mean(), stats.sem(logs((1000, 1100, 1300)))),
    )
    found = process_interval(groups)
    assert found.value == 1100.0 != math.exp(centre)
    assert (found.low, found.high) == pytest.approx((math.exp(low), math.exp(high)), **EXACT)
    narrow = process_interval(groups, 0.8)
    assert (narrow.low, narrow.high) != (found.low, found.high)


def test_an_interval_over_processes_is_never_narrower_than_their_samples():
    groups = [[500.0, 600.0, 1000.0, 1400.0, 1500.0], [400.0, 700.0, 1000.0, 1300.0, 1600.0]]
    assert process_interval(groups) == Interval(1000.0, 500.0, 1500.0)  # ranks 2 and 9 of 10
    assert process_interval([[], *groups]) == process_interval(groups)
    assert process_interval([]) is None and process_interval([[]]) is None


# ---- a result's figures


def test_every_figure_of_a_summary():
    def one(base, repetition, **changes):
        values = {
            "invoke_ns": tuple(range(base - 500, base - 400)),
            "preprocess_ns": (base // 10, base // 5, base // 2),
            "load_ns": base * 3,
            "first_inference_ns": base * 2,
            "warmup_ns": (base,) * (repetition + 1),
            "settings": Settings(processes=3),
        }
        return make_run(tuple(range(base, base + 100)), repetition, **{**values, **changes})

    runs = [one(1200, 2), one(1000, 0), one(1040, 1, load_ns=None, invoke_ns=(), preprocess_ns=())]
    found = latency_summary([*runs, make_run((), kind="memory")])
    assert found.median_ns == 1089.5
    ordered = sorted(itertools.chain(range(1000, 1100), range(1040, 1140), range(1200, 1300)))
    assert found.p90_ns == ordered[269] and found.p99_ns is None
    assert found.invoke_median_ns == (549.5 + 749.5) / 2
    assert found.preprocess_median_ns == (200 + 240) / 2
    assert (found.load_ns, found.first_inference_ns) == (3300.0, 2080.0)
    assert (found.warmup, found.samples, found.processes) == (3, 300, 3)
    assert found.spread_between == pytest.approx(200 / 1089.5, **EXACT)
    assert found.spread_within == pytest.approx(50 / 1089.5, **EXACT)
    centre, reach = student(list(logs((1049.5, 1089.5, 1249.5))), 0.95)
    assert (found.low_ns, found.high_ns) == pytest.approx((math.exp(centre - reach), math.exp(centre + reach)), **EXACT)
    assert found.stopped_by == "interval"
    alone = latency_summary([one(1000, 0)])
    assert alone.spread_between is None and (alone.low_ns, alone.high_ns) == (1039.0, 1060.0)
    few = latency_summary([make_run((1, 2, 3))])
    assert few.low_ns is few.high_ns is few.p90_ns is None
    assert latency_summary([make_run((0,) * 9)]).spread_within == 0.0


def test_only_latencies_that_were_measured_count_in_order():
    runs = [make_run((2,), 2), make_run((1,), 0), make_run((9,), 1, status="crashed"), make_run((), 3)]
    assert [run.repetition for run in latency_runs([*runs, make_run((5,), 4, kind="accuracy")])] == [0, 2]


@pytest.mark.parametrize(
    ("reasons", "spread", "processes", "word"),
    [
        (("interval",) * 5, 0, 5, "interval"),
        (("interval",) * 5, 60_000, 5, "budget"),
        (("interval",) * 3, 60_000, 3, "interval"),
        (("interval", "budget", "count"), 0, 3, "budget"),
        (("interval", "count"), 0, 3, "count"),
        (("", ""), 0, 3, ""),
    ],
)
def test_why_the_measuring_ended(reasons, spread, processes, word):
    chosen = Settings(processes=processes)
    runs = [
        make_run((10**6 + spread * n,) * 40, n, stopped_by=reason, settings=chosen) for n, reason in enumerate(reasons)
    ]
    assert latency_summary(runs).stopped_by == word


def test_when_processes_are_enough():
    def measured(count, spread=100_000, seconds=1.0):
        return [make_run((10**6 + spread * (n % 2),) * 9, n, seconds=seconds) for n in range(count)]

    five = Settings(processes=5, max_processes=8, max_seconds=2.0, precision_between=0.015)
    assert not enough_processes(measured(4, spread=0), five)
    assert enough_processes(measured(5, spread=0), five)
    assert not enough_processes(measured(5), five) and not enough_processes(measured(7), five)
    assert enough_processes(measured(8), five)
    assert enough_processes(measured(5, seconds=4.0), five) and not enough_processes(measured(5, seconds=3.9), five)
    for changes in ({"processes": 4}, {"rate_hz": 1.0}, {"sustained_seconds": 1.0}):
        assert enough_processes(measured(5), Settings(**{"processes": 5, "max_processes": 8, **changes}))
    interval = process_interval([run.latency_ns for run in measured(5, spread=9_000)])
    at = interval.relative_half_width
    assert enough_processes(measured(5, spread=9_000), Settings(processes=5, precision_between=at))
    assert not enough_processes(measured(5, spread=9_000), Settings(processes=5, precision_between=at * 0.999))


def test_energy_above_idle():
    def used(joules, idle=5.0, seconds=2.0, batch=1):
        facts = {"energy_joules": joules, "energy_idle_watts": idle, "energy_seconds": seconds}
        return make_run((1,) * 10, environment=facts, settings=Settings(batch=batch))

    assert joules_per_image([used(30.0)]) == 2.0
    assert joules_per_image([used(30.0, batch=4)]) == 0.5
    assert joules_per_image([used(30.0), used(40.0), used(90.0)]) == 3.0
    for hidden in ("energy_joules", "energy_idle_watts", "energy_seconds"):
        run = used(30.0)
        del run.environment[hidden]
        assert joules_per_image([run]) is None


def test_the_first_and_the_last_of_a_sustained_run():
    second = 1_000_000_000
    samples = (second, 2 * second, 3 * second, 4 * second, 5 * second, 6 * second)
    long = make_run(samples, settings=Settings(sustained_seconds=21.0))
    assert first_and_last([long], seconds=3.0) == (1.5 * second, 6.0 * second)
    assert first_and_last([long], seconds=3.5) == (2.0 * second, 6.0 * second)
    assert first_and_last([long]) == (3.0 * second, 5.5 * second)  # half of it, where a minute is more
    assert first_and_last([make_run(samples)]) is None
    many = make_run((second,) * 70 + (3 * second,) * 60, settings=Settings(sustained_seconds=250.0))
    assert first_and_last([make_run((second,), 0, settings=Settings(sustained_seconds=1.0)), many]) == (
        *(second, 3 * second),
    ) or first_and_last([many]) == (second, 3 * second)


# ---- shares


@pytest.mark.parametrize(("lost", "won", "n"), [(40, 5, 1000), (0, 0, 10), (3, 12, 200), (7, 7, 31)])
@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_the_paired_interval_to_the_last_digits(lost, won, n, confidence):
    """Bonett and Price (2012), equation 3; plain Wald is another interval."""
    p1, p2 = (lost + 1) / (n + 2), (won + 1) / (n + 2)
    reach = stats.norm.ppf((1 + confidence) / 2) * math.sqrt((p1 + p2 - (p1 - p2) ** 2) / (n + 2))
    assert significance.paired_interval(lost, won, n, confidence) == pytest.approx(
        (p1 - p2 - reach, p1 - p2 + reach), rel=1e-12
    )
    wald = stats.norm.ppf((1 + confidence) / 2) * math.sqrt(lost + won - (lost - won) ** 2 / n) / n
    assert significance.paired_interval(lost, won, n, confidence)[1] != pytest.approx((lost - won) / n + wald, rel=1e-6)


def test_the_default_confidence_is_95_percent():
    assert significance.paired_interval(40, 5, 1000) == significance.paired_interval(40, 5, 1000, 0.95)
    assert significance.paired_interval(0, 3, 3)[0] == -1.0 and significance.paired_interval(3, 0, 3)[1] == 1.0


@pytest.mark.parametrize(("lost", "won", "n"), [(40, 5, 1000), (3, 12, 200), (7, 7, 31)])
def test_p_values_are_the_normal_laws(lost, won, n):
    d = (lost - won) / (n + 2)
    error = math.sqrt(((lost + won + 2) / (n + 2) - d**2) / (n + 2))
    assert float(significance.p_change(lost, won, n)) == pytest.approx(2 * stats.norm.sf(abs(d) / error), rel=1e-12)
    for margin in (0.01, 0.05):
        expected = min(1.0, 2 * stats.norm.cdf((d - margin) / error))
        assert float(significance.p_margin(lost, won, n, margin)) == pytest.approx(expected, rel=1e-12)
    assert significance.p_margin(lost, won, n) == significance.p_margin(lost, won, n, 0.01)
