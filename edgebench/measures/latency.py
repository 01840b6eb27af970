"""Latency statistics that say how sure they are: pure functions over the records of several processes.

Samples of one process share its memory layout, its core and its minute, so they are not independent of
one another; processes are. The interval of a result therefore comes from the medians of its processes, the
units of the highest level, never from pooled samples alone (T. Kalibera and R. Jones, "Rigorous Benchmarking
in Reasonable Time", ISMM 2013).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from scipy.special import stdtrit

from edgebench import orderstats
from edgebench.measures.samples import Sorted, pool
from edgebench.records import OK, Run, Settings

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
"""Where a distribution is described; the first and the last are the extremes."""
FEWEST_JUDGED = 5  # processes whose spread is worth a judgement


@dataclass(frozen=True)
class Interval:
    """An estimate and the interval that encloses the truth with the confidence asked for, all in one unit."""

    value: float
    low: float
    high: float

    @property
    def relative_half_width(self) -> float:
        """How far the farther end lies from the value, as a share of it."""
        return max(self.high - self.value, self.value - self.low) / self.value if self.value else math.inf


@final
@dataclass(frozen=True)
class LatencySummary:
    """What the latency runs of one result say. Times in ns; None where the samples do not carry the figure.

    `spread_between` is (slowest - fastest) / median of the processes' medians, None with one process;
    `spread_within` is the median over processes of their interquartile range / median.
    """

    median_ns: float
    low_ns: float | None
    high_ns: float | None
    p90_ns: float | None
    p99_ns: float | None
    invoke_median_ns: float | None
    preprocess_median_ns: float | None
    load_ns: float | None
    first_inference_ns: float | None
    warmup: int  # invocations before the clock counted, the most of any process
    spread_between: float | None
    spread_within: float
    samples: int
    processes: int
    stopped_by: str  # interval where the processes, and the samples of each, reached their precision; budget; count
    quantiles_ns: tuple[float, ...] = ()  # of all samples, at `QUANTILES`


def process_interval(groups: Sequence[Sequence[float]], confidence: float = 0.95) -> Interval | None:
    """Return the median of the processes' medians, and the interval another process would agree with.

    Between processes: Student's t on the logarithms of their medians. Within: the order-statistic interval of
    all samples. The result spans both, so neither luck in three processes nor thousands of samples of one
    makes it narrow. With one process it is the interval within that one, and says nothing about the next.
    """
    ordered = [Sorted(group) for group in groups if group]
    return _process_interval(ordered, pool(ordered), confidence) if ordered else None


def _process_interval(groups: Sequence[Sorted], pooled: Sorted, confidence: float) -> Interval | None:
    within = pooled.interval(confidence)
    if within is None:
        return None
    medians = [group.median() for group in groups]
    if len(medians) == 1:
        return Interval(medians[0], *within)
    value = orderstats.median(medians)
    centre, reach = student([math.log(m) for m in medians], confidence)
    low, high = math.exp(centre - reach), math.exp(centre + reach)
    return Interval(value, min(low, within[0], value), max(high, within[1], value))


def latency_runs(runs: Sequence[Run]) -> list[Run]:
    """Return the runs that measured a latency, in order of repetition."""
    measured = [run for run in runs if run.kind == "latency" and run.status == OK and run.latency_ns]
    return sorted(measured, key=lambda run: run.repetition)


def enough_processes(runs: Sequence[Run], settings: Settings) -> bool:
    """Whether a result needs no further process: they agree within `precision_between`, or the budget is spent.

    The budget is `max_processes`, or twice the time that `processes` of `max_seconds` may take, start-up and all.
    With fewer than 5 asked for, exactly those: too few to judge their spread.
    """
    measured = latency_runs(runs)
    if len(measured) < settings.processes:
        return False
    if settings.processes < FEWEST_JUDGED or settings.rate_hz or settings.sustained_seconds:
        return True
    spent = sum(run.seconds for run in measured)
    if len(measured) >= settings.max_processes or spent >= 2 * settings.processes * settings.max_seconds:
        return True
    return _agree(process_interval([run.latency_ns for run in measured]), settings)


def _agree(interval: Interval | None, settings: Settings) -> bool:
    return interval is not None and interval.relative_half_width <= settings.precision_between


def latency_summary(runs: Sequence[Run], confidence: float = 0.95) -> LatencySummary | None:
    """Return the statistics of a result's latency runs; None where none of them measured."""
    measured = latency_runs(runs)
    if not measured:
        return None
    groups = [Sorted(run.latency_ns) for run in measured]
    pooled = pool(groups)
    medians = [group.median() for group in groups]
    interval = _process_interval(groups, pooled, confidence)
    value = orderstats.median(medians)
    return LatencySummary(
        median_ns=value,
        low_ns=interval.low if interval else None,
        high_ns=interval.high if interval else None,
        p90_ns=pooled.percentile(0.90, confidence),
        p99_ns=pooled.percentile(0.99, confidence),
        invoke_median_ns=_median_of_medians([run.invoke_ns for run in measured]),
        preprocess_median_ns=_median_of_medians([run.preprocess_ns for run in measured]),
        load_ns=_median_of([run.load_ns for run in measured]),
        first_inference_ns=_median_of([run.first_inference_ns for run in measured]),
        warmup=max(len(run.warmup_ns) for run in measured),
        spread_between=(max(medians) - min(medians)) / value if len(medians) > 1 else None,
        spread_within=orderstats.median([_interquartile_share(group) for group in groups]),
        samples=len(pooled),
        processes=len(measured),
        stopped_by=_stopped_by(measured, interval),
        quantiles_ns=tuple(pooled.quantile(q) for q in QUANTILES),
    )


def joules_per_image(runs: Sequence[Run]) -> float | None:
    """Return the energy of one image above idle, the median over processes; None where nothing counted it."""
    values = []
    for run in latency_runs(runs):
        used, idle = run.environment.get("energy_joules"), run.environment.get("energy_idle_watts")
        seconds = run.environment.get("energy_seconds")
        if isinstance(used, float) and isinstance(idle, float) and isinstance(seconds, float):
            values.append((used - idle * seconds) / (len(run.latency_ns) * run.settings.batch))
    return orderstats.median(values) if values else None


def first_and_last(runs: Sequence[Run], seconds: float = 60.0) -> tuple[float, float] | None:
    """Return the median latencies in ns of the first and the last minute of a sustained run; None without one.

    Calls follow one another without a pause, so their latencies add up to the time.
    """
    sustained = [run for run in latency_runs(runs) if run.settings.sustained_seconds > 0]
    if not sustained:
        return None
    samples = sustained[-1].latency_ns
    window = min(seconds, sustained[-1].settings.sustained_seconds / 2) * 1e9
    return _median_within(samples, window), _median_within(samples[::-1], window)


def _median_within(samples: Sequence[int], nanoseconds: float) -> float:
    """Return the median of the first samples that fill the time, the one that reaches it among them."""
    count = int(np.searchsorted(np.cumsum(samples), nanoseconds)) + 1
    return Sorted(samples[:count]).median()


def student(values: Sequence[float], confidence: float) -> tuple[float, float]:
    """Return mean and half-width of Student's t interval of the mean (two values or more)."""
    n = len(values)
    mean = math.fsum(values) / n
    deviation = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (n - 1))
    return mean, float(stdtrit(n - 1, 0.5 + confidence / 2)) * deviation / math.sqrt(n)


def _interquartile_share(samples: Sorted) -> float:
    middle = samples.median()
    spread = samples.quantile(0.75) - samples.quantile(0.25)
    return spread / middle if middle else 0.0


def _median_of_medians(groups: Sequence[Sequence[float]]) -> float | None:
    return _median_of([Sorted(group).median() for group in groups if group])


def _median_of(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return orderstats.median(known) if known else None


def _stopped_by(runs: Sequence[Run], interval: Interval | None) -> str:
    reasons = {run.stopped_by for run in runs if run.stopped_by}
    if reasons == {"interval"}:
        settings = runs[0].settings
        judged = settings.processes >= FEWEST_JUDGED
        return "interval" if not judged or _agree(interval, settings) else "budget"
    return next((word for word in ("budget", "count") if word in reasons), "")
