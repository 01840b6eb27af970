"""Whether a drop is real, where it arose, in which classes, and which model is better: sections of the report."""

from __future__ import annotations

from collections.abc import Sequence

from edgebench.measures.outputs import unpack
from edgebench.measures.pairs import Answered, ModelPair, model_pairs, pareto
from edgebench.measures.robustness import Shift
from edgebench.measures.significance import UNDECIDED
from edgebench.report.section import Section, TextTable
from edgebench.results.figures import Row
from edgebench.results.together import same_images
from edgebench.units import points

WORST_CLASSES = 3
MOST_TABLES = 30
"""Every pair of ten models is 45 lines; a thousand such tables nobody reads."""
MOST_NAMES = 12


def shift_text(shift: Shift | None) -> str:
    """Return a loss as a change in points with its interval: `-1.2 [-2.0, -0.4]`."""
    if shift is None:
        return ""
    return f"{points(-shift.value)} [{points(-shift.high)}, {points(-shift.low)}]"


def artifact_name(row: Row) -> str:
    """Return subject, variant and device."""
    return f"{row.label} on {row.device}"


def verdict_section(rows: Sequence[Row]) -> Section | None:
    """Say of every drop whether it is real, what these images could show, and what would decide it."""
    judged = [row for row in rows if row.drop is not None and row.of.accuracy]
    if not judged:
        return None
    lines: list[tuple[str, ...]] = []
    marked = set()
    for at, row in enumerate(judged):
        assert row.of.accuracy and row.drop is not None
        verdict = row.of.accuracy.verdict
        own = Shift(*row.drop)
        shown = f"{(verdict.smallest_drop or 0) * 100:.1f}"
        lines.append((artifact_name(row), shift_text(own), verdict.short, shown, row.loss_arose, verdict.advice))
        marked |= {(at, 2)} if verdict.word == "real drop" else set()
    head = ("Artifact", "Change, points", "Verdict", "Smallest drop shown", "Arose in", "What would decide it")
    first = judged[0].of.accuracy
    cells = first.verdict.cells if first else 1
    undecided = [line for line in lines if line[2] == UNDECIDED]
    return Section(
        "verdicts",
        "Is the drop real",
        f"The word is adjusted over the {cells} comparisons of this report (Holm), the interval is not. 'Smallest drop "
        "shown' is what this many images find in four reports of five. 'Arose in' names the steps that really lost.",
        (TextTable("", head, tuple(lines), frozenset(marked)),),
        tuple(f"{line[0]}: {line[5]}" for line in undecided[:3]),
    )


def class_section(rows: Sequence[Row]) -> Section | None:
    """Name the classes that lost, and the worst one of each artifact."""
    lines: list[tuple[str, ...]] = []
    marked, brief = set(), []
    for row in rows:
        losses = row.of.class_losses
        real = [loss for loss in losses if loss.real and loss.drop > 0]
        for loss in losses[:1] if not real else real[:WORST_CLASSES]:
            if loss.drop <= 0:
                continue
            shift = shift_text(Shift(loss.drop, loss.low, loss.high))
            marked |= {(len(lines), 1)} if loss.real else set()
            name = row.of.class_name(loss.index)
            lines.append((artifact_name(row), name, shift, str(loss.images), "lost" if loss.real else "not shown"))
        if real:
            names = ", ".join(row.of.class_name(loss.index) for loss in real[:WORST_CLASSES])
            more = f" and {len(real) - WORST_CLASSES} more" if len(real) > WORST_CLASSES else ""
            brief.append(f"{artifact_name(row)}: lost in {names}{more}")
    if not lines:
        return None
    head = ("Artifact", "Class", "Change of recall, points", "Images", "Verdict")
    caption = (
        "The classes that lost recall against the source model, false discovery rate held at 5 % (Benjamini-Hochberg), "
        "or else the worst one. Its interval allows for its having been picked among all."
    )
    return Section(
        "classes", "Which classes lost", caption, (TextTable("", head, tuple(lines), frozenset(marked)),), tuple(brief)
    )


def pair_section(rows: Sequence[Row]) -> Section | None:
    """Compare every pair of models on the same images, variant by variant."""
    tables: list[TextTable] = []
    brief: list[str] = []
    places: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        if row.ok and _right(row):
            places.setdefault((row.device, row.variant), []).append(row)
    left_out = 0
    for (device, variant), mine in places.items():
        if len(tables) == MOST_TABLES:
            left_out += len(mine) > 1
            continue
        pairs = _pairs_on_same_images(mine)
        if pairs:
            lines = tuple(_pair_line(pair) for pair in pairs)
            head = ("Models", "Advantage of the first, points", "p", "Precision per class apart")
            tables.append(TextTable(f"{variant} on {device}", head, lines))
            brief += [f"{variant}: {pair.words}" for pair in pairs]
    front = _pareto(rows)
    if not tables and not front:
        return None
    caption = (
        "Paired on the same images; p adjusted over the pairs of a table (Holm). 'Apart' is the mean absolute "
        "difference of the precision per class, in points."
    )
    if left_out:
        caption += f" {left_out} more tables are left out: report fewer devices to see them."
    if front:
        caption += f" Nobody beats these in accuracy, latency, size and memory at once: {_listed(front)}."
    return Section("pairs", "Model against model", caption, tuple(tables), tuple(brief[:6]))


def set_section(rows: Sequence[Row]) -> Section | None:
    """Lay the evaluation sets beside one another: accuracy on each, and what the artifact loses more on the others."""
    by_result: dict[int, list[Row]] = {}
    for row in rows:
        by_result.setdefault(id(row.of.result), []).append(row)
    lines: list[tuple[str, ...]] = []
    for mine in by_result.values():
        for row in mine[1:]:
            if row.of.extra_drop is None or row.top1 is None or mine[0].top1 is None:
                continue
            shares = tuple(f"{share * 100:.1f}" for share in (mine[0].top1, row.top1))
            drops = tuple(points(-(one.top1_drop or 0)) for one in (mine[0], row))
            extra = shift_text(row.of.extra_drop)
            name = f"{row.model} {row.variant} on {row.device}"
            lines.append((name, row.evaluation, *shares, *drops, extra))
    if not lines:
        return None
    head = ("Artifact", "Set", "Top-1 on the main set", "Top-1 here", "Change there", "Change here", "Extra loss here")
    caption = (
        "Change is against the source model on the same images, in points. The extra loss is what the artifact loses "
        "on this set beyond what it loses on the main one, with its 95 % interval."
    )
    return Section("sets", "On other images", caption, (TextTable("", head, tuple(lines)),))


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


def _right(row: Row) -> bool:
    return row.of.counts is not None and bool(row.of.counts.right)


def _pairs_on_same_images(rows: Sequence[Row]) -> list[ModelPair]:
    if len(rows) < 2:
        return []
    alike = [row for row in rows if same_images(row.of, rows[0].of)]
    return model_pairs([_answered(row) for row in alike])


def _answered(row: Row) -> Answered:
    assert row.of.counts is not None
    return Answered(row.model, unpack(row.of.counts.right, row.of.counts.images), row.of.counts.classes)


def _pair_line(pair: ModelPair) -> tuple[str, ...]:
    gain = pair.advantage
    text = f"{points(gain.value)} [{points(gain.low)}, {points(gain.high)}]"
    apart = "" if pair.precision_distance is None else f"{pair.precision_distance * 100:.1f}"
    return (pair.words, text, "<0.001" if pair.p < 0.001 else f"{pair.p:.3f}", apart)


def _pareto(rows: Sequence[Row]) -> tuple[str, ...]:
    costs = {
        artifact_name(row): (-row.top1, row.latency_ms_median, float(row.size_bytes), float(row.peak_rss_bytes))
        for row in rows
        if row.ok and not row.emulated and row.top1 is not None and row.latency_ms_median is not None
        and row.size_bytes and row.peak_rss_bytes
    }  # fmt: skip
    return pareto(costs) if len(costs) > 1 else ()
