"""The columns people see, the same on the page, in Markdown and on the terminal: title, text, detail, order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgebench.measures.stability import STABLE
from edgebench.results.findings import best, tied_fastest, tied_lightest
from edgebench.results.rows import Row
from edgebench.units import millijoules, milliseconds, percent, points, size

EMULATED = "emulated"


def _nothing(row: Row) -> str:
    del row
    return ""


def _unordered(row: Row) -> None:
    del row


@dataclass(frozen=True)
class Column:
    """One visible column. `field` is the Row field it shows, whose description explains it."""

    title: str
    field: str
    text: Callable[[Row], str]
    order: Callable[[Row], float | None] = _unordered  # what sorting compares
    detail: Callable[[Row], str] = _nothing  # smaller, below or beside
    numeric: bool = True
    ranked: bool = False  # whether the lowest is marked as the best


def columns(rows: Sequence[Row]) -> list[Column]:
    """Return the columns in which at least one row has something to show; `Stability` only where not all is stable."""
    return [column for column in ALL if {column.text(row) for row in rows} - {"", STABLE}]


def best_cells(rows: Sequence[Row]) -> set[tuple[Row, str]]:
    """Return (row, field) of the best figures of each subject; emulated times and memory never are.

    Latencies that cannot be told from the fastest are all marked. Accuracy is not marked: its verdict says more.
    """
    found: set[tuple[Row, str]] = set()
    for subject in dict.fromkeys(row.subject for row in rows):
        mine = [row for row in rows if row.subject == subject and row.ok]
        if len(mine) < 2:
            continue
        real = [row for row in mine if not row.emulated]
        found |= {(row, "latency_ms_median") for row in tied_fastest(real)}
        found |= {(row, "peak_rss_bytes") for row in tied_lightest(real)}
        lowest = best(mine, lambda row: row.size_bytes)
        found |= {(row, "size_bytes") for row in mine if lowest and row.size_bytes == lowest.size_bytes}
    return found


def verdict_word(row: Row) -> str:
    """Return the drift verdict without its explanation."""
    return row.drift_verdict.partition(":")[0]


def _after_colon(text: str) -> str:
    return text.partition(":")[2].strip()


def _real(row: Row, text: str) -> str:
    return "" if row.emulated else text


def _latency(row: Row) -> str:
    if row.latency_ms_median is None:
        return ""
    return EMULATED if row.emulated else milliseconds(row.latency_ms_median)


def latency_reach(row: Row) -> str:
    """Return how far the interval of the median reaches, as `±2.0%`; empty where the runs could not say."""
    if row.emulated or row.latency_ms_low is None or row.latency_ms_high is None or not row.latency_ms_median:
        return ""
    reach = max(row.latency_ms_high - row.latency_ms_median, row.latency_ms_median - row.latency_ms_low)
    share = reach / row.latency_ms_median
    return f"±{percent(share, 1 if share < 0.1 else 0)}" if share <= 1 else "± more than its size"


def shaky(row: Row) -> bool:
    """Whether the machine did not hold still while this row's latency was measured."""
    return not row.emulated and row.stability != "" and not row.stability.startswith(STABLE)


def _latency_detail(row: Row) -> str:
    word = row.stability.partition(":")[0] if shaky(row) else ""
    return ", ".join(part for part in (latency_reach(row), word) if part)


def _memory(row: Row) -> str:
    if row.peak_rss_bytes is None:
        return ""
    return EMULATED if row.emulated else size(row.peak_rss_bytes)


def _change(row: Row) -> str:
    return "" if row.top1_drop is None else points(-row.top1_drop)


def _change_reach(row: Row) -> str:
    if row.top1_drop_low is None or row.top1_drop_high is None:
        return ""
    return f"{points(-row.top1_drop_high)} to {points(-row.top1_drop_low)}"


ALL = (
    Column("Size", "size_bytes", lambda row: size(row.size_bytes), lambda row: row.size_bytes, ranked=True),
    Column("Top-1", "top1", lambda row: percent(row.top1), lambda row: row.top1),
    Column(
        "Change",
        "top1_drop",
        _change,
        lambda row: None if row.top1_drop is None else -row.top1_drop,
        _change_reach,
    ),
    Column("Drift", "drift_verdict", verdict_word, detail=lambda row: _after_colon(row.drift_verdict), numeric=False),
    Column("Agrees", "agreement", lambda row: percent(row.agreement), lambda row: row.agreement),
    Column(
        "Latency",
        "latency_ms_median",
        _latency,
        lambda row: None if row.emulated else row.latency_ms_median,
        _latency_detail,
        ranked=True,
    ),
    Column(
        "p90",
        "latency_ms_p90",
        lambda row: _real(row, milliseconds(row.latency_ms_p90)),
        lambda row: None if row.emulated else row.latency_ms_p90,
        lambda row: _real(row, f"p99 {milliseconds(row.latency_ms_p99)}" if row.latency_ms_p99 else ""),
    ),
    Column(
        "Load",
        "load_ms",
        lambda row: _real(row, milliseconds(row.load_ms)),
        lambda row: None if row.emulated else row.load_ms,
        lambda row: _real(row, f"first {milliseconds(row.first_inference_ms)}" if row.first_inference_ms else ""),
    ),
    Column(
        "Memory",
        "peak_rss_bytes",
        _memory,
        lambda row: None if row.emulated else row.peak_rss_bytes,
        lambda row: "" if row.emulated or row.model_rss_bytes is None else f"model {size(row.model_rss_bytes)}",
        ranked=True,
    ),
    Column(
        "First minute",
        "first_minute_ms",
        lambda row: _real(row, milliseconds(row.first_minute_ms)),
        lambda row: row.first_minute_ms,
    ),
    Column(
        "Last minute",
        "last_minute_ms",
        lambda row: _real(row, milliseconds(row.last_minute_ms)),
        lambda row: row.last_minute_ms,
    ),
    Column(
        "Energy",
        "joules_per_image",
        lambda row: _real(row, millijoules(row.joules_per_image)),
        lambda row: row.joules_per_image,
    ),
    Column(
        "Stability",
        "stability",
        lambda row: _real(row, row.stability.partition(":")[0]),
        numeric=False,
    ),
)
