from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom

from edgebench import orderstats
from edgebench.measures.latency import enough_processes, latency_summary, process_interval
from edgebench.measures.samples import Sorted
from edgebench.records import Settings


@pytest.mark.parametrize("q", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("confidence", [0.95, 0.98])
def test_the_ranks_follow_from_scipys_binomial_law(q: float, confidence: float) -> None:
    tail = (1 - confidence) / 2
    for n in (*range(1, 60), 367, 368, 1000, 4999, 30_000):
        law = binom.cdf(np.arange(n + 1), n, q)
        low, high = int((law <= tail).sum()), 1 + int((law < 1 - tail).sum())
        expected = (low, high) if low >= 1 and high <= n else None
        assert orderstats.quantile_ranks(n, q, confidence) == expected, n


@pytest.mark.parametrize(("q", "fewest"), [(0.5, 6), (0.9, 36), (0.99, 368)])
def test_a_percentile_needs_its_samples(q: float, fewest: int) -> None:
    assert orderstats.percentile_supported(fewest, q)
    assert not orderstats.percentile_supported(fewest - 1, q)
    assert Sorted(range(fewest - 1)).percentile(q) is None
    assert Sorted(range(1, fewest + 1)).percentile(q) is not None


def test_known_median_ranks() -> None:
    """Conover's tables: n = 10 gives the 2nd and 9th, n = 100 the 40th and 61st at 95 %."""
    assert orderstats.median_ranks(10) == (2, 9)
    assert orderstats.median_ranks(100) == (40, 61)
    assert orderstats.median_ranks(5) is None


@pytest.mark.parametrize("n", [6, 15, 60])
def test_the_medians_interval_covers_it(n: int) -> None:
    generator = random.Random(n)
    hits = 0
    for _ in range(2000):
        interval = Sorted([generator.expovariate(1.0) for _ in range(n)]).interval()
        assert interval is not None
        hits += interval[0] <= 0.6931 <= interval[1]
    assert hits / 2000 >= 0.94


def test_an_interval_over_processes_covers_the_next_process_not_only_its_own_samples() -> None:
    generator = random.Random(3)
    hits = pooled_hits = 0
    for _ in range(400):
        centres = [1000 * (1 + generator.gauss(0, 0.03)) for _ in range(5)]
        groups = [[generator.gauss(centre, 5) for _ in range(200)] for centre in centres]
        interval = process_interval(groups)
        pooled = Sorted([sample for group in groups for sample in group]).interval()
        assert interval is not None and pooled is not None
        hits += interval.low <= 1000 <= interval.high
        pooled_hits += pooled[0] <= 1000 <= pooled[1]
    assert hits / 400 >= 0.93
    assert pooled_hits / 400 < 0.8  # what treating samples of one process as independent would claim


def test_one_process_says_only_what_it_saw() -> None:
    interval = process_interval([[100.0 + i for i in range(21)]])
    assert interval is not None
    assert (interval.value, interval.low, interval.high) == (110.0, 105.0, 115.0)
    assert process_interval([[1.0, 2.0]]) is None


def test_summary_of_runs(run: Any) -> None:
    samples = [tuple(range(base, base + 100)) for base in (1000, 1010, 1020)]
    three = Settings(processes=3)
    runs = [run(group, index, settings=three) for index, group in enumerate(samples)]
    runs.append(run((5, 5, 5), 3, status="crashed"))
    summary = latency_summary(runs)
    assert summary is not None
    assert summary.median_ns == 1059.5
    assert summary.low_ns is not None and summary.high_ns is not None
    assert summary.low_ns < 1049.5 and summary.high_ns > 1069.5
    assert summary.p90_ns is not None and summary.p99_ns is None  # 300 samples carry p90, not p99
    assert (summary.processes, summary.samples, summary.warmup) == (3, 300, 10)
    assert summary.spread_between == pytest.approx(20 / 1059.5)
    assert summary.stopped_by == "interval"


def test_no_latency_no_summary(run: Any) -> None:
    assert latency_summary([run((), kind="memory")]) is None


def test_one_process_that_ran_out_of_budget_shows(run: Any) -> None:
    summary = latency_summary([run((1, 2, 3)), run((1, 2, 3), 1, stopped_by="budget")])
    assert summary is not None
    assert summary.stopped_by == "budget"


def test_quantile_is_a_sample() -> None:
    assert orderstats.quantile([3, 1, 2, 4], 0.5) == 2
    assert orderstats.quantile([3, 1, 2, 4], 1.0) == 4
    with pytest.raises(ValueError, match="no samples"):
        orderstats.quantile([], 0.5)


def test_processes_that_disagree_ask_for_more(runs: Any, run: Any) -> None:
    settings = Settings(processes=5, max_processes=8)
    assert not enough_processes(runs(2e6, processes=4, between=0.0), settings)
    assert enough_processes(runs(2e6, processes=5, between=0.001), settings)
    assert not enough_processes(runs(2e6, processes=5, between=0.05), settings)
    assert enough_processes(runs(2e6, processes=8, between=0.05), settings)
    slow = [run((2_000_000 + 90_000 * index,) * 60, index, seconds=7.0) for index in range(5)]
    assert enough_processes(slow, settings)  # 35 s spent, more than twice 5 processes of 2 s
    assert enough_processes(runs(2e6, processes=3, between=0.05), Settings(processes=3))
    assert latency_summary(runs(2e6, processes=5, between=0.05)).stopped_by == "budget"  # type: ignore[union-attr]
