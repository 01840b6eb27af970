"""A comparison as people read it: on a terminal, and as Markdown that fits one screen of a pull request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from edgebench.compare.gates import Outcome
from edgebench.compare.pairs import Pair, changed_environment, unlike
from edgebench.compare.values import difference_of
from edgebench.expression import UNDECIDED
from edgebench.measures.significance import REAL_DROP, Verdict
from edgebench.report.layout import Cells, lay_out
from edgebench.report.markdown import plain
from edgebench.results.derived import Derived
from edgebench.results.figure import Basis
from edgebench.results.rows import to_row
from edgebench.units import TIMES, common, count, milliseconds, one_line, percent, points, significant, size

ARROW = "→"
MOST_LINES = 12
"""What a screen holds of a table; the rest is folded."""


@dataclass(frozen=True)
class Line:
    """One pair as text. `weight`: how much a reader wants to see it, the highest first."""

    cell: str
    latency: tuple[float | None, float | None]  # ms
    ratio: str
    verdict: str
    right: tuple[float | None, float | None]  # shares: top-1, or images with every label right
    sets: bool  # images carry sets of labels
    size_bytes: tuple[float | None, float | None]
    drop: str
    same_images: bool
    weight: int


def lines_of(cells: Sequence[Pair], drops: Sequence[Verdict]) -> list[Line]:
    """Return a line for each pair, with the verdict on its change of accuracy."""
    return [_line(cell, drop) for cell, drop in zip(cells, drops, strict=True)]


def print_comparison(cells: Sequence[Pair], lines: Sequence[Line], outcomes: Sequence[Outcome], c: Console) -> None:
    """Print a table that fits the console, what else changed, and what every gate says."""
    known = [value for line in lines for value in line.latency if value is not None]
    unit, scale = common(known, TIMES) if known else ("ms", 1.0)
    before, after = ([_in(line.latency[side], scale) for line in lines] for side in (0, 1))
    nothing = [""] * len(lines)

    def column(title: str, texts: Sequence[str], priority: int, right: bool = False) -> Cells:
        return Cells(title, tuple(map(one_line, texts)), tuple(nothing), right, priority)

    columns = [
        column(f"old {unit}", before, 2, right=True),
        column(f"new {unit}", after, 2, right=True),
        column("ratio", [line.ratio for line in lines], 0),
        column("verdict", [line.verdict for line in lines], 0),
        column("top-1", [", ".join(filter(None, [_right(line), line.drop])) for line in lines], 1),
    ]
    names = column("cell", [line.cell for line in lines], 0)
    found = lay_out(names, [one for one in columns if any(one.texts)], c.width)
    for line in found.lines:
        c.print(line, soft_wrap=True)
    if found.left_out:
        c.print(Text(f"not shown for want of room: {', '.join(found.left_out)} (--json has all)"), soft_wrap=True)
    for text in ("", *changes(cells), *(_outcome(outcome) for outcome in outcomes), *_sum(outcomes)):
        c.print(Text(one_line(text)), soft_wrap=True)


def markdown_comparison(cells: Sequence[Pair], lines: Sequence[Line], outcomes: Sequence[Outcome]) -> str:
    """Return the comparison for a pull request: a sentence, failed gates, a table of what changed; the rest folded."""
    return "\n".join(_markdown(cells, lines, outcomes)) + "\n"


def changes(cells: Sequence[Pair]) -> list[str]:
    """Name once what else differs between the sides, with the number of cells it holds for."""
    counted = Counter((key, *sides) for cell in cells for key, sides in changed_environment(cell).items())
    lines = [
        f"also changed: {key.replace('_', ' ')} {old} {ARROW} {new} (in {number} of {len(cells)} cells)"
        for (key, old, new), number in counted.items()
    ]
    apart = sum(
        difference.ratio is not None and not difference.paired for difference in map(difference_of, cells) if difference
    )
    if apart:
        lines.append(
            f"{apart} of {len(cells)} cells were not measured in turn with their baseline: what changed on the "
            "machine in between looks like a difference; `edgebench profile --baseline` measures both in turn"
        )
    return lines


def _markdown(cells: Sequence[Pair], lines: Sequence[Line], outcomes: Sequence[Outcome]) -> Iterator[str]:
    failed = [outcome for outcome in outcomes if not outcome.passed]
    yield f"**{'; '.join(_sum(outcomes) or ['no gates'])}** · {_counted(lines)}"
    if failed:
        yield ""
        yield from (
            f"- FAILED {plain(o.cell)}: fail if {plain(o.gate)}: {plain(o.reason)}" for o in failed[:MOST_LINES]
        )
        if len(failed) > MOST_LINES:
            yield f"- and {len(failed) - MOST_LINES} more"
    ordered = sorted(lines, key=lambda line: -line.weight)
    shown = [line for line in ordered if line.weight][:MOST_LINES] or ordered[:MOST_LINES]
    yield from _table(shown)
    rest = [line for line in ordered if line not in shown]
    folded = [*changes(cells), *(_outcome(outcome) for outcome in outcomes if outcome.decision == UNDECIDED)]
    if rest or folded:
        yield f"\n<details><summary>{count(len(rest), 'more cell')}, and what else changed</summary>"
        yield from _table(rest)
        yield from ("", *(f"- {plain(text)}" for text in folded))
        yield "\n</details>"


def _table(lines: Sequence[Line]) -> Iterator[str]:
    if not lines:
        return
    yield "\n| Cell | Latency, old → new | Change | Top-1, old → new | Change, points | Size, old → new | Verdict |"
    yield "| :-- | --: | --: | --: | --: | --: | :-- |"
    for line in lines:
        both = line.same_images and None not in line.right
        change = points((line.right[1] or 0) - (line.right[0] or 0)) if both else ""
        verdict = ", ".join(filter(None, [line.verdict, line.drop]))
        texts = [_arrow(*map(milliseconds, line.latency)), line.ratio, _right(line), change]
        texts += [_arrow(*map(size, line.size_bytes)), verdict]
        yield f"| {' | '.join(map(plain, [line.cell, *texts]))} |"


def _counted(lines: Sequence[Line]) -> str:
    words = Counter(line.verdict for line in lines)
    return ", ".join(
        [count(len(lines), "cell"), *(f"{number} {word}" for word, number in words.most_common(3) if word)]
    )


def _line(cell: Pair, drop: Verdict) -> Line:
    old, new = _row(cell.baseline), _row(cell.candidate)
    difference = difference_of(cell)
    ratio = difference.ratio if difference else None
    word = difference.word if difference else ""
    counts = [side.counts for side in (cell.baseline, cell.candidate) if side is not None]
    sets = any(one is not None and one.multi_label for one in counts)
    names = ("latency_ms_median", "subset_accuracy" if sets else "top1", "size_bytes")
    pairs = [(getattr(old, name, None), getattr(new, name, None)) for name in names]
    return Line(
        cell=cell.name,
        latency=pairs[0],
        ratio=f"{ratio.value:.3f} ({ratio.low:.3f}-{ratio.high:.3f})" if ratio else "",
        verdict=(difference and difference.reason) or _verdict(cell, word),
        right=pairs[1],
        sets=sets,
        size_bytes=pairs[2],
        drop=drop.short,
        same_images=not unlike(cell, Basis.IMAGES),
        weight=4 * (not cell.complete) + 2 * (drop.word == REAL_DROP) + (word in ("slower", "faster")),
    )


def _row(side: Derived | None) -> object:
    return to_row(side) if side else None


def _verdict(cell: Pair, word: str) -> str:
    if cell.baseline is None or cell.candidate is None:
        return "new" if cell.baseline is None else "missing in the candidate"
    if not cell.complete:
        return f"{cell.baseline.result.status} {ARROW} {cell.candidate.result.status}"
    return {"same": "no difference shown", "": unlike(cell, Basis.MACHINE)}.get(word, word)


def _in(value: float | None, scale: float) -> str:
    return "" if value is None else significant(value / scale, 4)


def _right(line: Line) -> str:
    shares = _arrow(*map(percent, line.right))
    return f"{shares} with all labels right" if line.sets and shares else shares


def _arrow(old: str, new: str) -> str:
    return f"{old} {ARROW} {new}" if old or new else ""


def _outcome(outcome: Outcome) -> str:
    word = "undecided" if outcome.passed and outcome.decision == UNDECIDED else "ok" if outcome.passed else "FAILED"
    return f"{word:9} {outcome.cell}: fail if {outcome.gate}: {outcome.reason}"


def _sum(outcomes: Sequence[Outcome]) -> list[str]:
    failed = sum(not outcome.passed for outcome in outcomes)
    if not outcomes:
        return []
    return [f"{failed} of {len(outcomes)} gates failed" if failed else f"{len(outcomes)} gates passed"]
