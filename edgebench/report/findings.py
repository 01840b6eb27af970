"""The headline in words: what stands out under equal conditions, and no more than the intervals allow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgebench.report.conditions import Conditions
from edgebench.report.formats import count, milliseconds, percent, points, ratio, size
from edgebench.report.rows import Row

Figure = Callable[[Row], "float | None"]


@dataclass(frozen=True)
class Finding:
    """One superlative of one subject under equal conditions."""

    conditions: Conditions
    subject: str
    kind: str  # fastest, smallest, lightest or smallest_kept
    title: str
    variant: str
    figure: str  # the number with its unit
    text: str  # what else there is to know, in words


def findings(where: Conditions, rows: Sequence[Row]) -> list[Finding]:
    """Return the superlatives of every subject of one group. Failed cells never win, emulated times are left out."""
    found = []
    for subject in dict.fromkeys(row.subject for row in rows):
        mine = [row for row in rows if row.subject == subject and row.ok]
        makers = [_smallest_kept, _smallest] if where.emulated else [_fastest, _smallest_kept, _smallest, _lightest]
        for make in makers:
            finding = make(where, subject, mine)
            if finding is not None and not _repeats(finding, found):
                found.append(finding)
    return found


def best(rows: Sequence[Row], figure: Figure, highest: bool = False) -> Row | None:
    """Return the ok row with the lowest (or highest) figure; None where none has it."""
    having = [(value, row) for row in rows if row.ok and (value := figure(row)) is not None]
    if not having:
        return None
    return (max if highest else min)(having, key=lambda pair: pair[0])[1]


def drop_not_shown(row: Row) -> bool:
    """Whether accuracy was compared and no loss against the source model was shown on these images."""
    return row.top1_drop_low is not None and row.top1_drop_low <= 0


def baseline(rows: Sequence[Row], row: Row) -> Row | None:
    """Return the float32 row of the same subject and format, unless it is the row itself."""
    return next(
        (
            other
            for other in rows
            if other.ok
            and other.precision == "float32"
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
    reach = first.latency_ms_high if first.latency_ms_high is not None else first.latency_ms_median
    others = [row for row in rows if row is not first and row.ok and row.latency_ms_median is not None]
    return [first, *(row for row in others if reach is not None and (row.latency_ms_low or 1e99) <= reach)]


def _fastest(where: Conditions, subject: str, rows: Sequence[Row]) -> Finding | None:
    tied = tied_fastest(rows)
    if not tied or tied[0].latency_ms_median is None:
        return None
    first, *others = tied
    parts = []
    if others:
        parts.append(f"not told apart from {', '.join(row.variant for row in others)}")
    base = baseline(rows, first)
    if base and base.latency_ms_median and base not in others:
        parts.append(f"{ratio(base.latency_ms_median / first.latency_ms_median)} as fast as {base.variant}")
    parts.append(_accuracy_words(first))
    return _finding(where, subject, "fastest", "Fastest", first, milliseconds(first.latency_ms_median), parts)


def _smallest(where: Conditions, subject: str, rows: Sequence[Row]) -> Finding | None:
    return _smallest_of(where, subject, rows, rows, "smallest", "Smallest")


def _smallest_kept(where: Conditions, subject: str, rows: Sequence[Row]) -> Finding | None:
    kept = [row for row in rows if drop_not_shown(row)]
    return _smallest_of(where, subject, rows, kept, "smallest_kept", "Smallest with no loss shown")


def _smallest_of(
    where: Conditions, subject: str, rows: Sequence[Row], among: Sequence[Row], kind: str, title: str
) -> Finding | None:
    first = best(among, lambda row: row.size_bytes)
    if first is None or first.size_bytes is None:
        return None
    base = baseline(rows, first)
    parts = []
    if base and base.size_bytes:
        parts.append(f"{percent(first.size_bytes / base.size_bytes, 0)} of {base.variant}")
    parts.append(_accuracy_words(first))
    return _finding(where, subject, kind, title, first, size(first.size_bytes), parts)


def _lightest(where: Conditions, subject: str, rows: Sequence[Row]) -> Finding | None:
    first = best(rows, lambda row: row.peak_rss_bytes)
    if first is None:
        return None
    parts = [f"{size(first.model_rss_bytes)} of it the model's"] if first.model_rss_bytes is not None else []
    return _finding(where, subject, "lightest", "Least memory", first, size(first.peak_rss_bytes), parts)


def _finding(
    where: Conditions, subject: str, kind: str, title: str, row: Row, figure: str, parts: Sequence[str]
) -> Finding:
    return Finding(where, subject, kind, title, row.variant, figure, "; ".join(part for part in parts if part))


def _accuracy_words(row: Row) -> str:
    if row.top1 is not None and row.top1_drop is not None:
        return (
            f"top-1 {percent(row.top1)}, {points(-row.top1_drop)} points against the source model ({row.drift_verdict})"
        )
    if row.top1 is not None:
        return f"top-1 {percent(row.top1)}"
    if row.agreement is not None and row.images:
        return f"chooses as the source model on {percent(row.agreement)} of {count(row.images, 'image')}"
    return "accuracy not measured"


def _repeats(finding: Finding, earlier: Sequence[Finding]) -> bool:
    """The smallest of all is not said again where it is the smallest with no loss shown."""
    key = (finding.conditions, finding.subject, finding.variant)
    return finding.kind == "smallest" and any(
        other.kind == "smallest_kept" and (other.conditions, other.subject, other.variant) == key for other in earlier
    )
