"""Every class of every artifact: precision, recall and F1, and the confusion matrix where it can still be read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgebench.measures.per_class import class_figures, confusion_matrix
from edgebench.records import ClassCounts
from edgebench.report.drift_sections import artifact_name
from edgebench.report.learning import MOST_CLASSES
from edgebench.results.figures import Row
from edgebench.units import percent


@dataclass(frozen=True)
class ClassDetail:
    """One evaluation class by class, as the page shows it folded; `confusion` is true classes by predicted ones.

    Sets of labels have none.
    """

    title: str
    classes: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]  # name, images, precision, recall, F1
    confusion: tuple[tuple[int, ...], ...]


def class_details(rows: Sequence[Row]) -> list[ClassDetail]:
    """Return the details of every evaluation with labels and at most `MOST_CLASSES` classes."""
    return [_detail(row, counts) for row, counts in _counted(rows) if len(counts.images) <= MOST_CLASSES]


def class_values(rows: Sequence[Row]) -> Iterator[dict[str, object]]:
    """Yield the same for programs, of any number of classes; the shares are 0..1, one a class in their order.

    The confusion matrix stands with the result's evaluations: `[true, predicted, images]` off the diagonal.
    """
    for row, counts in _counted(rows):
        shares = class_figures(counts)
        where = {"model": row.model, "variant": row.variant, "device": row.device, "evaluation": row.evaluation}
        names = {"classes": list(_names(row, counts)), "images": list(counts.images)}
        figures = {name: getattr(shares, name).tolist() for name in ("precision", "recall", "f1")}
        yield {**where, **names, **figures}


def _counted(rows: Sequence[Row]) -> list[tuple[Row, ClassCounts]]:
    return [(row, row.of.counts.classes) for row in rows if row.of.counts and row.of.counts.classes]


def _names(row: Row, counts: ClassCounts) -> tuple[str, ...]:
    return tuple(row.of.class_name(index) for index in range(len(counts.images)))


def _detail(row: Row, counts: ClassCounts) -> ClassDetail:
    shares, names = class_figures(counts), _names(row, counts)
    figures = zip(names, counts.images, shares.precision, shares.recall, shares.f1, strict=True)
    return ClassDetail(
        artifact_name(row),
        names,
        tuple((name, str(images), *(percent(share) for share in of_class)) for name, images, *of_class in figures),
        () if row.of.counts and row.of.counts.multi_label else tuple(map(tuple, confusion_matrix(counts).tolist())),
    )
