"""Can this measurement be trusted? One word and its reasons, from the samples and the recorded environment.

`throttled`: the processor was held back, so the latency is not the device's own; it cannot pass a gate.
`noisy`: the figures scatter, drift, or others used the machine. `unknown`: too little was measured to say.
The thresholds are this file's constants; the environment keys are those of `edgebench.runner.environment`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from edgebench import orderstats
from edgebench.measures.latency import LatencySummary, latency_runs, latency_summary
from edgebench.measures.samples import Sorted
from edgebench.records import Run, Scalar


class Stability(Enum):
    """Whether the machine held still."""

    STABLE = "stable"
    NOISY = "noisy"
    THROTTLED = "throttled"
    UNKNOWN = "unknown"


MOST_SPREAD_BETWEEN = 0.05  # of the median, slowest process - fastest process
MOST_SPREAD_WITHIN = 0.10  # of the median, interquartile range
MOST_DRIFT = 0.03  # last third of a process's samples against its first third
MOST_OTHERS_CORES = 0.25  # cores that other programs kept busy meanwhile
MOST_STEAL = 0.02  # of the time, taken by the hypervisor
LEAST_FREQUENCY = 0.90  # at the end of the measuring, as a share of its beginning

# Raspberry Pi documentation, vcgencmd get_throttled: bits 0-3 hold now, 16-19 held at some time since boot.
PI_BITS = ("under-voltage", "frequency capped", "throttled", "soft temperature limit")


@dataclass(frozen=True)
class StabilityVerdict:
    """The word, and why, for people; no reason where stable."""

    word: Stability
    reasons: tuple[str, ...] = ()


def stability(runs: Sequence[Run], summary: LatencySummary | None = None) -> StabilityVerdict:
    """Judge the latency runs of one result; `summary` is theirs, where it is known already."""
    measured = latency_runs(runs)
    found = summary or latency_summary(runs)
    if found is None:
        return StabilityVerdict(Stability.UNKNOWN, ("no latency was measured",))
    throttled = _unique(reason for run in measured for reason in throttle_reasons(run.environment))
    noisy = (*_spread_reasons(found), *_drift_reasons(measured), *_neighbour_reasons(measured))
    if throttled:
        return StabilityVerdict(Stability.THROTTLED, (*throttled, *noisy))
    if noisy:
        return StabilityVerdict(Stability.NOISY, noisy)
    if len(measured) < 2:
        return StabilityVerdict(Stability.UNKNOWN, ("one process only: nothing shows the spread between processes",))
    return StabilityVerdict(Stability.STABLE)


def throttle_reasons(environment: dict[str, Scalar]) -> tuple[str, ...]:
    """Return why the processor was held back in one run, from what was read before and after measuring."""
    reasons = list(_pi_reasons(environment))
    events = _number(environment, "throttle_events")
    if events:
        reasons.append(f"the processor's thermal throttle counter rose by {events:.0f}")
    temperature = _number(environment, "temperature_after_celsius")
    trip = _number(environment, "temperature_trip_celsius")
    if temperature is not None and trip is not None and temperature >= trip:
        reasons.append(f"{temperature:.0f} °C at the end, the limit is {trip:.0f} °C")
    before = _number(environment, "frequency_before_hz")
    after = _number(environment, "frequency_after_hz")
    if before and after and after < LEAST_FREQUENCY * before:
        reasons.append(f"the frequency fell from {before / 1e9:.2f} to {after / 1e9:.2f} GHz")
    return tuple(reasons)


def _pi_reasons(environment: dict[str, Scalar]) -> list[str]:
    """Bits that hold before or after, and sticky bits that came up in between; older ones do not count."""
    before, after = _number(environment, "throttled_before"), _number(environment, "throttled_after")
    if after is None:
        return []
    first, last = int(before or 0), int(after)
    now = (first | last) & 0xF
    came_up = (last >> 16) & ~(first >> 16) & 0xF if before is not None else 0
    words = [f"{name} now" for bit, name in enumerate(PI_BITS) if now >> bit & 1]
    words += [f"{name} meanwhile" for bit, name in enumerate(PI_BITS) if (came_up & ~now) >> bit & 1]
    return words


def _spread_reasons(summary: LatencySummary) -> list[str]:
    reasons = []
    if summary.spread_between is not None and summary.spread_between > MOST_SPREAD_BETWEEN:
        reasons.append(f"processes differ by {summary.spread_between:.0%}")
    if summary.spread_within > MOST_SPREAD_WITHIN:
        reasons.append(f"half of the samples spread over {summary.spread_within:.0%} of the median")
    return reasons


def _drift_reasons(runs: Sequence[Run]) -> list[str]:
    drifts = [drift for run in runs if (drift := _drift(run.latency_ns)) is not None]
    if not drifts:
        return []
    drift = orderstats.median(drifts)
    return [f"latency drifts by {drift:+.0%} while measuring"] if abs(drift) > MOST_DRIFT else []


def _drift(samples: Sequence[int]) -> float | None:
    third = len(samples) // 3
    if third < 6:
        return None
    return Sorted(samples[-third:]).median() / Sorted(samples[:third]).median() - 1


def _neighbour_reasons(runs: Sequence[Run]) -> list[str]:
    reasons = []
    cores = _worst(runs, "others_cpu_cores")
    if cores is not None and cores > MOST_OTHERS_CORES:
        reasons.append(f"other programs used up to {cores:.1f} cores")
    steal = _worst(runs, "steal_share")
    if steal is not None and steal > MOST_STEAL:
        reasons.append(f"the hypervisor took up to {steal:.0%} of the time")
    return reasons


def _worst(runs: Sequence[Run], key: str) -> float | None:
    values = [value for run in runs if (value := _number(run.environment, key)) is not None]
    return max(values, default=None)


def _number(environment: dict[str, Scalar], key: str) -> float | None:
    value = environment.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _unique(reasons: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(reasons))
