"""How much slower one result is than another, with an interval, or nothing where the runs cannot say.

The unit is the process. Where both results were measured in turn (the same repetitions, interleaved), each
repetition gives one ratio in which the machine's drift cancels; its interval is the Hodges-Lehmann one that
belongs to Wilcoxon's signed-rank test, exact under random order whatever the noise looks like. Otherwise it
is the two-sample one that belongs to the Mann-Whitney test (M. Hollander, D. Wolfe and E. Chicken,
"Nonparametric Statistical Methods", 3rd edition, sections 3.3 and 4.3). With too few processes for either,
Student's t.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from scipy.special import stdtrit

from edgebench import orderstats
from edgebench.measures.latency import Interval, latency_runs, student
from edgebench.measures.samples import Sorted
from edgebench.records import Run

CONFIDENCE = 0.98
"""Of 100 pairs of equal results 2 are called different on average, and more than 5 of them hardly ever."""


@dataclass(frozen=True)
class Difference:
    """Latency of B over latency of A: 1.05 is 5 % slower. Where `ratio` is None, `reason` says why."""

    ratio: Interval | None
    paired: bool
    method: str
    reason: str = ""

    @property
    def word(self) -> str:
        """`slower` or `faster` only where the whole interval says so, else `same`; `unknown` without one."""
        if self.ratio is None:
            return "unknown"
        return "slower" if self.ratio.low > 1 else "faster" if self.ratio.high < 1 else "same"


def difference_interval(runs_a: Sequence[Run], runs_b: Sequence[Run], confidence: float = CONFIDENCE) -> Difference:
    """Return the ratio of median latencies of B to A with its interval, from the processes of each."""
    a, b = latency_runs(runs_a), latency_runs(runs_b)
    if len(a) < 2 or len(b) < 2:
        fewest = "no process" if not a or not b else "one process"
        return Difference(None, False, "", f"{fewest} measured on one side: nothing shows what another would say")
    common = {run.repetition for run in a} & {run.repetition for run in b}  # one was sure sooner, and left out rounds
    together = [[run for run in runs if run.repetition in common] for runs in (a, b)]
    paired = len(common) > 1 and interleaved(*together)
    if paired:
        a, b = together
    log_a = [math.log(Sorted(run.latency_ns).median()) for run in a]
    log_b = [math.log(Sorted(run.latency_ns).median()) for run in b]
    centre, low, high, method = _paired(log_a, log_b, confidence) if paired else _two(log_a, log_b, confidence)
    return Difference(Interval(math.exp(centre), math.exp(low), math.exp(high)), paired, method)


def interleaved(runs_a: Sequence[Run], runs_b: Sequence[Run]) -> bool:
    """Whether repetition by repetition both were measured before either went on to the next one."""
    if [run.repetition for run in runs_a] != [run.repetition for run in runs_b]:
        return False
    rounds = [sorted((a.started, b.started)) for a, b in zip(runs_a, runs_b, strict=True)]
    ordered = all(one[1] <= next_one[0] for one, next_one in pairwise(rounds))
    return ordered and all(first for first, _ in rounds)


def _paired(log_a: Sequence[float], log_b: Sequence[float], confidence: float) -> tuple[float, float, float, str]:
    ratios = [b - a for a, b in zip(log_a, log_b, strict=True)]
    averages = sorted((ratios[i] + ratios[j]) / 2 for i in range(len(ratios)) for j in range(i, len(ratios)))
    depth = _depth(_signed_rank_counts(len(ratios)), confidence)
    if depth == 0:
        mean, reach = student(ratios, confidence)
        return mean, mean - reach, mean + reach, "paired, Student's t"
    return (*_at_depth(averages, depth), "paired, signed rank")


def _two(log_a: Sequence[float], log_b: Sequence[float], confidence: float) -> tuple[float, float, float, str]:
    differences = sorted(b - a for a in log_a for b in log_b)
    depth = _depth(_rank_sum_counts(len(log_a), len(log_b)), confidence)
    if depth == 0:
        return (*_welch(log_a, log_b, confidence), "unpaired, Welch's t")
    return (*_at_depth(differences, depth), "unpaired, rank sum")


def _at_depth(ordered: Sequence[float], depth: int) -> tuple[float, float, float]:
    return orderstats.median(ordered), ordered[depth - 1], ordered[-depth]


def _depth(counts: Sequence[int], confidence: float) -> int:
    """Return the largest k with P(statistic <= k - 1) <= (1 - confidence) / 2 or 0; `counts` is its null."""
    total, cumulated, depth = sum(counts), 0, 0
    for value, count in enumerate(counts):
        cumulated += count
        if cumulated / total > (1 - confidence) / 2:
            break
        depth = value + 1
    return depth


def _signed_rank_counts(n: int) -> list[int]:
    """Return how many of the 2**n sign patterns give each sum of positive ranks."""
    counts = [1]
    for rank in range(1, n + 1):
        longer = counts + [0] * rank
        for value, count in enumerate(counts):
            longer[value + rank] += count
        counts = longer
    return counts


def _rank_sum_counts(n: int, m: int) -> list[int]:
    """Return how many of the (n + m)! / n! m! orders give each U: a Gaussian binomial."""
    counts = [1]
    for step in range(1, n + 1):
        counts = _times_one_minus(counts, m + step)
        counts = _over_one_minus(counts, step)
    return counts


def _times_one_minus(counts: Sequence[int], power: int) -> list[int]:
    longer = [*counts, *[0] * power]
    for value, count in enumerate(counts):
        longer[value + power] -= count
    return longer


def _over_one_minus(counts: Sequence[int], power: int) -> list[int]:
    quotient = list(counts)
    for value in range(power, len(quotient)):
        quotient[value] += quotient[value - power]
    return quotient[: len(quotient) - power]


def _welch(log_a: Sequence[float], log_b: Sequence[float], confidence: float) -> tuple[float, float, float]:
    """Return the difference of means with Welch's t interval (B. L. Welch, Biometrika 34, 1947)."""
    means, squares, degrees = [], [], 0.0
    for values in (log_a, log_b):
        mean = math.fsum(values) / len(values)
        square = math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1) / len(values)
        means.append(mean)
        squares.append(square)
        degrees += square**2 / (len(values) - 1)
    error = math.fsum(squares)
    freedom = error**2 / degrees if degrees else float(min(len(log_a), len(log_b)) - 1)
    reach = float(stdtrit(freedom, 0.5 + confidence / 2)) * math.sqrt(error)
    centre = means[1] - means[0]
    return centre, centre - reach, centre + reach
