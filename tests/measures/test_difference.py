from __future__ import annotations

import math
import random
from typing import Any

import pytest
from scipy.stats import mannwhitneyu, wilcoxon

from edgebench.measures.difference import _rank_sum_counts, _signed_rank_counts, difference_interval, interleaved


def test_null_distributions_are_scipys() -> None:
    for n in (5, 8, 10):
        counts = _signed_rank_counts(n)
        signs = [(-1) ** i * (i + 1) for i in range(n)]
        positive = sum(rank for rank in range(1, n + 1) if rank % 2)
        below = min(sum(counts[: positive + 1]), sum(counts[positive:])) / sum(counts)
        assert wilcoxon(signs, method="exact").pvalue == pytest.approx(min(2 * below, 1.0))
    for n, m in ((4, 6), (7, 7)):
        counts = _rank_sum_counts(n, m)
        assert sum(counts) == math.comb(n + m, n)
        a, b = list(range(n)), [value + n - 2.5 for value in range(m)]
        u = mannwhitneyu(a, b, method="exact")
        assert u.pvalue == pytest.approx(min(2 * sum(counts[: int(u.statistic) + 1]) / sum(counts), 1.0))


def test_clear_differences_get_their_word(runs: Any) -> None:
    slow = difference_interval(runs(1e6), runs(1.05e6, seed=1))
    assert slow.word == "slower"
    assert slow.ratio is not None and 1.03 < slow.ratio.value < 1.07
    assert difference_interval(runs(1.05e6), runs(1e6, seed=1)).word == "faster"
    assert difference_interval(runs(1e6), runs(1e6, seed=1)).word == "same"


def test_one_process_says_nothing(runs: Any) -> None:
    difference = difference_interval(runs(1e6), runs(2e6, processes=1))
    assert difference.word == "unknown"
    assert "one process" in difference.reason
    assert "no process" in difference_interval((), runs(2e6)).reason


@pytest.mark.parametrize("processes", [2, 3, 5, 10])
def test_equal_results_are_rarely_called_different(runs: Any, processes: int) -> None:
    called = sum(
        difference_interval(
            runs(1e6, processes, 0.03, seed=2 * seed), runs(1e6, processes, 0.03, seed=2 * seed + 1)
        ).word
        != "same"
        for seed in range(300)
    )
    assert called <= 13  # 2 % of 300, and three standard deviations of chance over it


def test_taking_turns_is_recognised(run: Any) -> None:
    def at(repetition: int, second: int) -> Any:
        return run((10, 11, 12), repetition, started=f"2026-11-21T00:00:{second:02}+00:00")

    first, second = [at(0, 0), at(1, 5), at(2, 8)], [at(0, 2), at(1, 3), at(2, 10)]
    assert interleaved(first, second)
    assert not interleaved(first, [at(0, 20), at(1, 23), at(2, 30)])
    assert not interleaved(first, second[:2])
    assert not interleaved([run((1,), 0)], [run((1,), 0)])  # nobody knows when


def test_rounds_that_one_side_left_out_do_not_undo_the_turns(run: Any) -> None:
    def side(repetitions: tuple[int, ...], nanoseconds: int, second: int) -> list[Any]:
        return [
            run((nanoseconds + 1000 * r,) * 9, r, started=f"2026-11-21T00:{r:02}:{second:02}+00:00")
            for r in repetitions
        ]

    found = difference_interval(side((0, 1, 2, 3, 4, 5, 6, 7), 10**6, 0), side((0, 1, 2, 4, 6, 7), 1_030_000, 9))
    assert found.paired and found.word == "slower"
    lone = difference_interval(side((0, 1, 2), 10**6, 0), side((2, 3, 4), 10**6, 9))
    assert not lone.paired


def test_drift_that_hurts_both_alike_cancels(run: Any) -> None:
    """The machine gets 60 % slower over ten rounds; one side is 2 % slower than the other throughout."""
    generator = random.Random(0)
    sides: tuple[list[Any], list[Any]] = ([], [])
    for repetition in range(10):
        for side, factor in ((0, 1.0), (1, 1.02)):
            centre = 1e6 * (1 + 0.06 * repetition) * factor * (1 + generator.gauss(0, 0.003))
            started = f"2026-11-21T00:{repetition:02}:{side:02}+00:00"
            sides[side].append(run((int(centre),) * 9, repetition, started=started))
    assert difference_interval(*sides).word == "slower"
    apart = [run(r.latency_ns, r.repetition) for r in sides[1]]
    assert difference_interval(sides[0], apart).word == "same"
