"""What only the results of a report say together: words adjusted over its cells, and the step on which a loss arose."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Mapping, Sequence

from edgebench.measures.outputs import Bits, unpack
from edgebench.measures.significance import MARGIN
from edgebench.measures.stages import stages
from edgebench.measures.summary import verdicts_of
from edgebench.results.conditions import Conditions
from edgebench.results.derived import Derived, answers, stages_of
from edgebench.results.figures import Row
from edgebench.results.rows import to_row
from edgebench.variants import FLOAT


def judged_together(derived: Sequence[Derived], margin: float = MARGIN) -> list[Derived]:
    """Adjust the verdicts over the evaluations of one report, perturbed ones among themselves; add the stages."""
    found = _adjusted(derived, margin, lambda d: not _perturbed(d))
    found = _adjusted(found, margin, _perturbed)
    floats = float_artifacts(found)
    return [_with_stages(one, floats) for one in found]


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


def float_artifacts(derived: Sequence[Derived]) -> dict[Hashable, Derived]:
    """Return the first float32 artifact of every source, format, device and set of images, for `float_sibling`."""
    found: dict[Hashable, Derived] = {}
    for one in derived:
        if one.result.artifact.precision == FLOAT and images_key(one) is not None:
            found.setdefault(_family(one), one)
    return found


def float_sibling(own: Derived, floats: Mapping[Hashable, Derived]) -> Derived | None:
    """Return the float32 artifact of the same source, format, device and images; None for that one itself."""
    return None if own.result.artifact.precision == FLOAT else floats.get(_family(own))


def _family(one: Derived) -> Hashable:
    artifact = one.result.artifact
    return artifact.source, artifact.format, one.result.device, images_key(one)


def images_key(one: Derived) -> Hashable:
    """Return what is equal where two answered the same images, perturbed alike, of any size; None without an answer."""
    if one.evaluation is None or one.counts is None:
        return None
    return one.evaluation.data.sha256, one.evaluation.perturbation, one.counts.rows_sha256, one.counts.images


def same_images(one: Derived, other: Derived) -> bool:
    """Whether both answered the same images, perturbed alike; their pixels may be of another size."""
    return images_key(one) is not None and images_key(one) == images_key(other)


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


def _with_stages(own: Derived, floats: Mapping[Hashable, Derived]) -> Derived:
    sibling = float_sibling(own, floats)
    mine, theirs = answers(own.counts), answers(sibling.counts) if sibling else None
    if own.evaluation is None or own.evaluation.perturbation or mine is None or own.counts is None:
        return own
    if theirs is None:
        return own if own.stages else dataclasses.replace(own, stages=stages_of(own.evaluation))
    host: Bits | None = unpack(own.counts.host_right, own.counts.images) if own.counts.host_right else None
    before = theirs.artifact
    if host is not None and sibling is not None and sibling.counts is not None and sibling.counts.host_right:
        before = unpack(sibling.counts.host_right, sibling.counts.images)  # what the float artifact says here
    return dataclasses.replace(own, stages=stages(mine.reference, before, host, mine.artifact))
