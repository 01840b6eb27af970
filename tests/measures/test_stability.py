from __future__ import annotations

from typing import Any

import pytest

from edgebench.measures.stability import Stability, stability, throttle_reasons
from edgebench.results.words import stability_words as words_of


def test_quiet_processes_are_stable(runs: Any) -> None:
    verdict = stability(runs(2e6))
    assert (verdict.word, verdict.reasons) == (Stability.STABLE, ())


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"throttled_before": 0, "throttled_after": 0x4}, "throttled now"),
        ({"throttled_before": 0, "throttled_after": 0x40000}, "throttled meanwhile"),
        ({"throttled_before": 0, "throttled_after": 0x10001}, "under-voltage now"),
        ({"throttle_events": 3}, "rose by 3"),
        ({"temperature_after_celsius": 81.0, "temperature_trip_celsius": 80.0}, "81 °C"),
        ({"frequency_before_hz": 1_800_000_000, "frequency_after_hz": 1_000_000_000}, "from 1.80 to 1.00 GHz"),
    ],
)
def test_throttling_is_seen(runs: Any, run: Any, environment: dict[str, Any], words: str) -> None:
    measured = (*runs(2e6), run((2_000_000,) * 60, 10, environment=environment))
    verdict = stability(measured)
    assert verdict.word is Stability.THROTTLED
    assert words in words_of(verdict)


@pytest.mark.parametrize(
    "environment",
    [
        {"throttled_before": 0x50000, "throttled_after": 0x50000},  # long ago, since boot
        {"throttled_after": 0x50000},  # nobody knows when
        {"frequency_before_hz": 1_800_000_000, "frequency_after_hz": 1_790_000_000},
        {"temperature_after_celsius": 60.0, "temperature_trip_celsius": 80.0},
        {"throttle_events": 0},
        {},
    ],
)
def test_old_bits_and_small_changes_are_not_throttling(environment: dict[str, Any]) -> None:
    assert throttle_reasons(environment) == ()


def test_reasons_for_noise(runs: Any, run: Any) -> None:
    assert "processes differ" in words_of(stability(runs(2e6, between=0.05)))
    assert "half of the samples" in words_of(stability(runs(2e6, within=0.15)))
    drifting = [run(tuple(2_000_000 + 4_000 * i for i in range(60)), index) for index in range(5)]
    assert "drifts by +8%" in words_of(stability(drifting))
    busy = [run((2_000_000,) * 60, index, environment={"others_cpu_cores": 1.2}) for index in range(5)]
    assert words_of(stability(busy)) == "noisy: other programs used up to 1.2 cores"
    stolen = [run((2_000_000,) * 60, index, environment={"steal_share": 0.1}) for index in range(5)]
    assert "the hypervisor took" in words_of(stability(stolen))


def test_too_little_is_unknown(run: Any) -> None:
    assert stability([]).word is Stability.UNKNOWN
    assert stability([run((2_000_000,) * 60)]).word is Stability.UNKNOWN
    assert stability([run((2_000_000,) * 30 + (3_000_000,) * 30)]).word is Stability.NOISY
