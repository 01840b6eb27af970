"""When the warm-up is over and when enough was measured. Pure functions of the samples so far."""

from __future__ import annotations

from typing import Sequence  # noqa: UP035 (Python 3.9 on devices)

from edgebench.orderstats import median, relative_half_width

WINDOW = 5  # samples whose median is one step of the warm-up
STILL_FALLING = 0.98  # a step below this share of the best one before it is still warming up
NEXT_CHECK = 1.1  # the interval is looked at each time the samples have grown by a tenth: sorting costs time too


def is_warm(samples_ns: Sequence[int], least: int) -> bool:
    """Whether at least `least` invocations were made and the latest ones no longer get faster.

    The last `WINDOW` samples are compared with the fastest window before them, so one that is slower because of
    a neighbour does not keep the warm-up going, and one that is still falling does.
    """
    if len(samples_ns) < max(least, 2 * WINDOW):
        return False
    steps = [median(samples_ns[max(end - WINDOW, 0) : end]) for end in range(len(samples_ns), WINDOW - 1, -WINDOW)]
    return steps[0] >= STILL_FALLING * min(steps[1:])


def is_precise(samples_ns: Sequence[int], precision: float, confidence: float = 0.95) -> bool:
    """Whether the order-statistic interval of the median lies within `precision` (a share) of the median."""
    reach = relative_half_width(samples_ns, confidence)
    return reach is not None and reach <= precision


def next_check(samples: int) -> int:
    """Return the number of samples at which to look at the interval again."""
    return max(samples + 1, int(samples * NEXT_CHECK))
