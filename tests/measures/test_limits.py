"""Whether a machine held still: each limit from both sides, each reason in its words."""

import dataclasses

import pytest

from edgebench.measures import stability as held
from edgebench.measures.latency import latency_summary
from edgebench.measures.stability import Stability, stability, throttle_reasons
from tests.make import make_run

QUIET = [make_run((10**6,) * 60, n) for n in range(5)]


def judged(**changes):
    summary = dataclasses.replace(latency_summary(QUIET), **changes)
    return stability(QUIET, summary)


def facts(**environment):
    return stability([dataclasses.replace(run, environment=environment) for run in QUIET])


def test_the_limits():
    limits = (held.MOST_SPREAD_BETWEEN, held.MOST_SPREAD_WITHIN, held.MOST_DRIFT, held.MOST_OTHERS_CORES)
    assert limits == (0.05, 0.10, 0.03, 0.25) and (held.MOST_STEAL, held.LEAST_FREQUENCY) == (0.02, 0.90)
    assert judged() == held.StabilityVerdict(Stability.STABLE)
    assert judged(spread_between=0.05, spread_within=0.10).word is Stability.STABLE
    assert judged(spread_between=None).word is Stability.STABLE
    assert judged(spread_between=0.0501).reasons == ("processes differ by 5%",)
    assert judged(spread_within=0.12).reasons == ("half of the samples spread over 12% of the median",)
    assert facts(others_cpu_cores=0.25, steal_share=0.02).word is Stability.STABLE
    assert facts(others_cpu_cores=0.26).reasons == ("other programs used up to 0.3 cores",)
    assert facts(steal_share=0.03).reasons == ("the hypervisor took up to 3% of the time",)
    both = facts(others_cpu_cores=2, steal_share=0.5)
    assert both.word is Stability.NOISY and len(both.reasons) == 2


def test_the_worst_process_counts():
    runs = [dataclasses.replace(run, environment={"others_cpu_cores": 0.1 * n}) for n, run in enumerate(QUIET)]
    assert stability(runs).reasons == ("other programs used up to 0.4 cores",)


@pytest.mark.parametrize(
    ("last", "reasons"),
    [
        (1_029_999, ()),
        (1_031_000, ("latency drifts by +3% while measuring",)),
        (969_000, ("latency drifts by -3% while measuring",)),
        (970_001, ()),
    ],
)
def test_drift_is_the_last_third_against_the_first(last, reasons):
    runs = [make_run((10**6,) * 20 + (10**6,) * 20 + (last,) * 20, n) for n in range(3)]
    assert stability(runs).reasons == reasons


def test_drift_takes_18_samples_and_the_middle_process():
    assert held._drift((1,) * 17) is None and held._drift((1,) * 18) == 0
    assert held._drift((10,) * 6 + (99,) * 6 + (20,) * 6) == 1.0
    drifting = [make_run((10**6,) * 40 + (2 * 10**6,) * 20, 9)]
    assert stability([*QUIET[:2], *drifting]).reasons == ()


def test_one_process_alone_and_none():
    assert stability(QUIET[:2]).word is Stability.STABLE
    alone = stability(QUIET[:1])
    assert alone.word is Stability.UNKNOWN
    assert alone.reasons == ("one process only: nothing shows the spread between processes",)
    assert stability([]) == held.StabilityVerdict(Stability.UNKNOWN, ("no latency was measured",))


def test_throttled_goes_before_noisy_and_names_both_once():
    found = facts(throttled_before=0, throttled_after=1, others_cpu_cores=2.0)
    assert found.word is Stability.THROTTLED
    assert found.reasons == ("under-voltage now", "other programs used up to 2.0 cores")


@pytest.mark.parametrize(
    ("environment", "reasons"),
    [
        ({"throttled_before": 0, "throttled_after": 0xF}, [
            "under-voltage now", "frequency capped now", "throttled now", "soft temperature limit now"]),
        ({"throttled_before": 0, "throttled_after": 0xF0000}, [
            "under-voltage meanwhile", "frequency capped meanwhile", "throttled meanwhile",
            "soft temperature limit meanwhile"]),
        ({"throttled_before": 2, "throttled_after": 0}, ["frequency capped now"]),
        ({"throttled_before": 0x20000, "throttled_after": 0x60000}, ["throttled meanwhile"]),
        ({"throttled_before": 0, "throttled_after": 0x40004}, ["throttled now"]),
        ({"throttled_before": 0, "throttled_after": 0xF0}, []),
        ({"throttled_before": 4}, []),
        ({"throttled_after": 0x40000}, []),
        ({"throttle_events": 1}, ["the processor's thermal throttle counter rose by 1"]),
        ({"temperature_after_celsius": 80.0, "temperature_trip_celsius": 80}, ["80 °C at the end, the limit is 80 °C"]),
        ({"temperature_after_celsius": 79.9, "temperature_trip_celsius": 80}, []),
        ({"temperature_after_celsius": 99.0}, []),
        ({"temperature_trip_celsius": 80}, []),
        ({"frequency_before_hz": 2e9, "frequency_after_hz": 1.8e9}, []),
        ({"frequency_before_hz": 2e9, "frequency_after_hz": 1.79e9}, ["the frequency fell from 2.00 to 1.79 GHz"]),
        ({"frequency_after_hz": 1e9}, []),
        ({"frequency_before_hz": 1e9}, []),
        ({"throttle_events": True}, []),
        ({"throttle_events": "many"}, []),
    ],
)  # fmt: skip
def test_why_a_processor_was_held_back(environment, reasons):
    assert list(throttle_reasons(environment)) == reasons
