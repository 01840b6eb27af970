"""The columns people see, the same on the page, in Markdown and on the terminal: title, text, detail, order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgebench.measures.significance import REAL_DROP
from edgebench.measures.stability import Stability
from edgebench.results.figure import Basis, Unit
from edgebench.results.figures import FIGURES, Row
from edgebench.results.findings import best, tied_fastest, tied_lightest
from edgebench.results.words import drop_reason, drop_word
from edgebench.units import (
    ENERGIES,
    SIZES,
    TIMES,
    common,
    millijoules,
    milliseconds,
    per_second,
    percent,
    points,
    significant,
    size,
)

EMULATED = "emulated"
TEXTS: dict[Unit, Callable[[float | None], str]] = {
    Unit.MILLISECONDS: milliseconds,
    Unit.BYTES: size,
    Unit.SHARE: percent,
    Unit.JOULES: millijoules,
    Unit.PER_SECOND: per_second,
}
SCALES = {Unit.MILLISECONDS: TIMES, Unit.BYTES: SIZES, Unit.JOULES: ENERGIES}


def shown(row: Row, name: str) -> str:
    """Return a figure with its unit; empty where it was not measured or is only an emulator's."""
    value = number(row, name)
    return "" if value is None else TEXTS[FIGURES[name].unit](value)


def number(row: Row, name: str) -> float | None:
    """Return the figure, None where it was not measured or is only an emulator's."""
    hidden = row.emulated and FIGURES[name].basis is Basis.MACHINE
    value: float | None = None if hidden else getattr(row, name)
    return value


def _nothing(row: Row) -> str:
    del row
    return ""


@dataclass(frozen=True)
class Column:
    """One visible column of the figure `field`, whose unit, basis and description the table of figures knows."""

    title: str
    field: str
    detail: Callable[[Row], str] = _nothing  # smaller, below or beside
    text_of: Callable[[Row], str] | None = None  # where the figure with its unit is not what people read
    order_of: Callable[[Row], float | None] | None = None
    ranked: bool = False  # whether the lowest is marked as the best
    priority: int = 0  # where there is little room the highest go first; 0 stays

    @property
    def numeric(self) -> bool:
        """Whether it is sorted as a number."""
        return FIGURES[self.field].number

    @property
    def description(self) -> str:
        """What the figure means."""
        return FIGURES[self.field].description

    def text(self, row: Row) -> str:
        """Return what stands in the cell."""
        return self.text_of(row) if self.text_of else shown(row, self.field)

    def in_one_unit(self, rows: Sequence[Row]) -> tuple[str, list[str]]:
        """Return the title with the unit of all its cells, and the cells without; as they are where they have none."""
        scales = SCALES.get(FIGURES[self.field].unit)
        values = [number(row, self.field) for row in rows]
        known = [value for value in values if value is not None]
        if scales is None or not known:
            return self.title, [self.text(row) for row in rows]
        unit, scale = common(known, scales)
        texts = [
            self.text(row) if value is None else significant(value / scale)
            for row, value in zip(rows, values, strict=True)
        ]
        return f"{self.title} {unit}", texts

    def order(self, row: Row) -> float | None:
        """Return what sorting compares."""
        if self.order_of:
            return self.order_of(row)
        return number(row, self.field) if self.numeric else None


def columns(rows: Sequence[Row]) -> list[Column]:
    """Return the columns in which at least one row has something to show; `Stability` only where not all is stable."""
    return [column for column in ALL if {column.text(row) for row in rows} - {"", Stability.STABLE.value}]


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


def real_drop(row: Row) -> bool:
    """Whether the artifact is known to lose accuracy on these images."""
    return row.of.accuracy is not None and row.of.accuracy.verdict.word == REAL_DROP


def _drift(row: Row) -> str:
    return drop_word(row.of.accuracy.verdict if row.of.accuracy else None)


def _drift_detail(row: Row) -> str:
    return drop_reason(row.of.accuracy.verdict if row.of.accuracy else None)


def latency_reach(row: Row) -> str:
    """Return how far the interval of the median reaches, as `±2.0%`; empty where the runs could not say."""
    if row.emulated or row.latency_ms_low is None or row.latency_ms_high is None or not row.latency_ms_median:
        return ""
    reach = max(row.latency_ms_high - row.latency_ms_median, row.latency_ms_median - row.latency_ms_low)
    share = reach / row.latency_ms_median
    return f"±{percent(share, 1 if share < 0.1 else 0)}" if share <= 1 else "± more than its size"


def shaky(row: Row) -> bool:
    """Whether the machine did not hold still while this row's latency was measured."""
    return not row.emulated and row.of.stability is not None and row.of.stability.word is not Stability.STABLE


def _stability(row: Row) -> str:
    return row.of.stability.word.value if row.of.stability and not row.emulated else ""


def _latency_detail(row: Row) -> str:
    return ", ".join(part for part in (latency_reach(row), _stability(row) if shaky(row) else "") if part)


def _or_emulated(name: str) -> Callable[[Row], str]:
    return lambda row: EMULATED if row.emulated and getattr(row, name) is not None else shown(row, name)


def _with(word: str, name: str) -> Callable[[Row], str]:
    """Return another figure beside the column's own, after a word that names it."""
    return lambda row: f"{word} {shown(row, name)}" if shown(row, name) else ""


def _change(row: Row) -> str:
    return "" if row.drop is None else points(-row.drop[0])


def _change_reach(row: Row) -> str:
    return "" if row.drop is None else f"{points(-row.drop[2])} to {points(-row.drop[1])}"


def _change_order(row: Row) -> float | None:
    return None if row.drop is None else -row.drop[0]


def _throughput(row: Row) -> str:
    """Images a second where several went into one invoke; with one it is the latency again."""
    return shown(row, "images_per_second") if row.batch != 1 else ""


ALL = (
    Column("Size", "size_bytes", ranked=True),
    Column("Top-1", "top1", priority=3),
    Column("All labels", "subset_accuracy", _with("mAP", "mean_average_precision"), priority=3),
    Column("Change", "top1_drop", _change_reach, _change, _change_order, priority=1),
    Column("Drift", "drift_verdict", _drift_detail, _drift),
    Column("Agrees", "agreement", priority=5),
    Column("Latency", "latency_ms_median", _latency_detail, _or_emulated("latency_ms_median"), ranked=True),
    Column("Images/s", "images_per_second", text_of=_throughput, priority=1),
    Column("p90", "latency_ms_p90", _with("p99", "latency_ms_p99"), priority=7),
    Column("Load", "load_ms", _with("first", "first_inference_ms"), priority=8),
    Column(
        "Memory", "peak_rss_bytes", _with("model", "model_rss_bytes"), _or_emulated("peak_rss_bytes"), ranked=True,
        priority=4,
    ),
    Column("At first", "first_minute_ms", priority=2),
    Column("At last", "last_minute_ms", priority=2),
    Column("Energy", "joules_per_image", priority=6),
    Column("Stability", "stability", text_of=_stability, priority=9),
)  # fmt: skip
