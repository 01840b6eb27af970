"""The headline in words: what stands out under equal conditions, and no more than the intervals allow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from edgebench.measures.stability import Stability
from edgebench.results.conditions import Conditions
from edgebench.results.figures import Row
from edgebench.units import count, milliseconds, percent, points, ratio, size
from edgebench.variants import FLOAT

Figure = Callable[[Row], "float | None"]
KEPT = "with no loss shown"
MEMORY_RESOLUTION_BYTES = 2_000_000  # what two processes of the same artifact may differ by

MUCH_SLOWER = 2.0  # from here on a superlative of size or memory says what it costs in time


@dataclass(frozen=True)
class Finding:
    """One superlative of one subject under equal conditions."""

    conditions: Conditions
    subject: str
    kind: str  # fastest, smallest, either with _kept where no loss of accuracy is shown, or lightest
    title: str
    variant: str
    figure: str  # the number with its unit
    text: str  # what else there is to know, in words


def findings(where: Conditions, rows: Sequence[Row]) -> list[Finding]:
    """Return the superlatives of every subject of one group with two measured rows or more.

    Failed cells never win; emulated times and memory are left out. What is said of a row that keeps its accuracy is
    not said again of the same row in general.
    """
    found = []
    for subject in dict.fromkeys(row.subject for row in rows):
        mine = [row for row in rows if row.subject == subject and row.ok]
        if len(mine) > 1:
            makers = (_smallest,) if where.emulated else (_fastest, _smallest, _lightest)
            found += [finding for make in makers for finding in make(where, subject, mine)]
    return found


def best(rows: Sequence[Row], figure: Figure, highest: bool = False) -> Row | None:
    """Return the ok row with the lowest (or highest) figure; None where none has it."""
    having = [(value, row) for row in rows if row.ok and (value := figure(row)) is not None]
    if not having:
        return None
    return (max if highest else min)(having, key=lambda pair: pair[0])[1]


def drop_not_shown(row: Row) -> bool:
    """Whether accuracy was compared and no loss against the source model was shown on these images."""
    return row.drop is not None and row.drop[1] <= 0


def baseline(rows: Sequence[Row], row: Row) -> Row | None:
    """Return the float32 row of the same subject and format, unless it is the row itself."""
    return next(
        (
            other
            for other in rows
            if other.ok
            and other.precision == FLOAT
            and other is not row
            and (other.subject, other.format) == (row.subject, row.format)
        ),
        None,
    )


def tied_fastest(rows: Sequence[Row]) -> list[Row]:
    """Return the ok rows whose latency cannot be told from the fastest one's: their intervals overlap."""
    first = best(rows, lambda row: row.latency_ms_median)
    if first is None:
        return []
    reach = first.latency_ms_high or first.latency_ms_median or 0.0
    others = [row for row in rows if row is not first and row.ok and row.latency_ms_median is not None]
    return [first, *(row for row in others if (row.latency_ms_low or row.latency_ms_median or 0.0) <= reach)]


def tied_lightest(rows: Sequence[Row]) -> list[Row]:
    """Return the ok rows whose peak memory cannot be told from the lowest: first that one, or one certainly faster."""
    first = best(rows, lambda row: row.peak_rss_bytes)
    if first is None or first.peak_rss_bytes is None:
        return []
    limit = first.peak_rss_bytes + MEMORY_RESOLUTION_BYTES
    tied = [row for row in rows if row.ok and row.peak_rss_bytes is not None and row.peak_rss_bytes <= limit]
    quick = tied_fastest(tied)
    lead = first if not quick or any(row is first for row in quick) else quick[0]
    return [lead, *(row for row in tied if row is not lead)]


def _fastest(where: Conditions, subject: str, rows: Sequence[Row]) -> Iterator[Finding]:
    first = best(rows, lambda row: row.latency_ms_median)
    kept = best([row for row in rows if drop_not_shown(row)], lambda row: row.latency_ms_median)
    if first is not None:
        yield _fast(where, subject, rows, first, "fastest", "Fastest")
    if kept is not None and kept is not first:
        among = [row for row in rows if drop_not_shown(row)]
        yield _fast(where, subject, among, kept, "fastest_kept", f"Fastest {KEPT}")


def _fast(where: Conditions, subject: str, rows: Sequence[Row], first: Row, kind: str, title: str) -> Finding:
    tied = [row for row in tied_fastest(rows) if row is not first]
    parts = [f"not told apart from {', '.join(row.variant for row in tied)}"] if tied else []
    base = baseline(rows, first)
    if base and base.latency_ms_median and first.latency_ms_median and base not in tied:
        parts.append(f"{ratio(base.latency_ms_median / first.latency_ms_median)} as fast as {base.variant}")
    stability = first.of.stability
    if stability is not None and stability.word is not Stability.STABLE:
        parts.append(f"the measurement is {stability.word.value}")
    parts.append(_accuracy_words(first))
    return Finding(where, subject, kind, title, first.variant, milliseconds(first.latency_ms_median), "; ".join(parts))


def _smallest(where: Conditions, subject: str, rows: Sequence[Row]) -> Iterator[Finding]:
    first = best(rows, lambda row: row.size_bytes)
    kept = best([row for row in rows if drop_not_shown(row)], lambda row: row.size_bytes)
    if first is not None and kept is not first:
        yield _small(where, subject, rows, first, "smallest", "Smallest")
    if kept is not None:
        yield _small(where, subject, rows, kept, "smallest_kept", f"Smallest {KEPT}")


def _small(where: Conditions, subject: str, rows: Sequence[Row], first: Row, kind: str, title: str) -> Finding:
    base = baseline(rows, first)
    parts = []
    if base and base.size_bytes and first.size_bytes:
        parts.append(f"{percent(first.size_bytes / base.size_bytes, 0)} of {base.variant}")
    parts += [] if where.emulated else _slow_words(first, rows)
    parts.append(_accuracy_words(first))
    return Finding(where, subject, kind, title, first.variant, size(first.size_bytes), "; ".join(parts))


def _lightest(where: Conditions, subject: str, rows: Sequence[Row]) -> Iterator[Finding]:
    tied = tied_lightest(rows)
    if tied:
        first, *others = tied
        parts = [f"{size(first.model_rss_bytes)} of it the model's"] if first.model_rss_bytes is not None else []
        parts += [f"not told apart from {', '.join(row.variant for row in others)}"] if others else []
        parts += _slow_words(first, rows)
        figure = size(first.peak_rss_bytes)
        yield Finding(where, subject, "lightest", "Least memory", first.variant, figure, "; ".join(parts))


def _slow_words(row: Row, rows: Sequence[Row]) -> list[str]:
    """Say what a superlative costs in time, where that is much."""
    quickest = best(rows, lambda one: one.latency_ms_median)
    if quickest is None or not quickest.latency_ms_median or not row.latency_ms_median:
        return []
    times = row.latency_ms_median / quickest.latency_ms_median
    return [f"{ratio(times)} the time of {quickest.variant}"] if times >= MUCH_SLOWER else []


def _accuracy_words(row: Row) -> str:
    known = f"subset accuracy {percent(row.subset_accuracy)}" if row.top1 is None else f"top-1 {percent(row.top1)}"
    if row.drop is not None:
        change = points(-row.drop[0])
        words = "as the source model" if change == points(0) else f"{change} points against the source model"
        return f"{known}, {words} ({row.drift_verdict})"
    if row.top1 is not None or row.subset_accuracy is not None:
        return known
    if row.agreement is not None and row.images:
        return f"chooses as the source model on {percent(row.agreement)} of {count(row.images, 'image')}"
    return "accuracy not measured"
