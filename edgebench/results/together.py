"""What only the results of a report say together: words adjusted over its cells, and the step on which a loss arose."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from edgebench.measures.outputs import Bits, unpack
from edgebench.measures.significance import MARGIN
from edgebench.measures.stages import stages
from edgebench.measures.summary import verdicts_of
from edgebench.results.conditions import Conditions
from edgebench.results.derived import Derived, answers
from edgebench.results.figures import Row
from edgebench.results.rows import to_row
from edgebench.variants import FLOAT


def judged_together(derived: Sequence[Derived], margin: float = MARGIN) -> list[Derived]:
    """Adjust the verdicts over the evaluations of one report, perturbed ones among themselves; add the stages."""
    found = _adjusted(derived, margin, lambda d: not _perturbed(d))
    found = _adjusted(found, margin, _perturbed)
    return [_with_stages(one, found) for one in found]


def rows_together(derived: Sequence[Derived], margin: float = MARGIN) -> list[Row]:
    """Return a row for each evaluation of a report."""
    return [to_row(one) for one in judged_together(derived, margin)]


def by_conditions(rows: Sequence[Row]) -> dict[Conditions, list[Row]]:
    """Group rows by conditions; a cell that failed before it knew its machine joins its device's first group."""
    table: dict[Conditions, list[Row]] = {}
    known = list(dict.fromkeys(row.of.conditions for row in rows if row.machine))
    for row in rows:
        own = row.of.conditions
        home = own if own.machine else next((other for other in known if _alike(own, other)), own)
        table.setdefault(home, []).append(row)
    return dict(sorted(table.items(), key=lambda item: (item[0].emulated, *dataclasses.astuple(item[0]))))


def _alike(unknown: Conditions, known: Conditions) -> bool:
    return dataclasses.replace(unknown, machine=known.machine) == known


def float_sibling(own: Derived, others: Sequence[Derived]) -> Derived | None:
    """Return the float32 artifact of the same source, format, device and images; None for that one itself."""
    if own.result.artifact.precision == FLOAT or own.evaluation is None:
        return None
    return next(
        (
            other
            for other in others
            if other.result.artifact.precision == FLOAT
            and other.result.artifact.source == own.result.artifact.source
            and other.result.artifact.format == own.result.artifact.format
            and other.result.device == own.result.device
            and same_images(own, other)
        ),
        None,
    )


def same_images(one: Derived, other: Derived) -> bool:
    """Whether both answered the same images, perturbed alike; their pixels may be of another size."""

    def key(d: Derived) -> tuple[object, ...] | None:
        if d.evaluation is None or d.counts is None:
            return None
        return (d.evaluation.data.sha256, d.evaluation.perturbation, d.counts.rows_sha256, d.counts.images)

    return key(one) is not None and key(one) == key(other)


def _perturbed(derived: Derived) -> bool:
    return derived.evaluation is not None and derived.evaluation.perturbation is not None


def _adjusted(derived: Sequence[Derived], margin: float, among: Callable[[Derived], bool]) -> list[Derived]:
    family = [d.counts for d in derived if d.counts and among(d)]
    verdicts = dict(zip(map(id, family), verdicts_of(family, margin), strict=True))

    def one(d: Derived) -> Derived:
        if d.accuracy is None or id(d.counts) not in verdicts:
            return d
        return dataclasses.replace(d, accuracy=dataclasses.replace(d.accuracy, verdict=verdicts[id(d.counts)]))

    return [one(d) for d in derived]


def _with_stages(own: Derived, others: Sequence[Derived]) -> Derived:
    sibling = float_sibling(own, others)
    mine, theirs = answers(own.counts), answers(sibling.counts) if sibling else None
    if own.stages is None or mine is None or theirs is None or own.counts is None:
        return own
    host: Bits | None = unpack(own.counts.host_right, own.counts.images) if own.counts.host_right else None
    before = theirs.artifact
    if host is not None and sibling is not None and sibling.counts is not None and sibling.counts.host_right:
        before = unpack(sibling.counts.host_right, sibling.counts.images)  # what the float artifact says here
    return dataclasses.replace(own, stages=stages(mine.reference, before, host, mine.artifact))
