"""What was lost in which class: counts, precision, recall and F1, and the classes whose loss is real."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import binom, false_discovery_control

from edgebench.measures.outputs import Doubles, Labels
from edgebench.measures.significance import paired_interval
from edgebench.records import ClassCounts

FALSE_DISCOVERY_RATE = 0.05


@dataclass(frozen=True)
class ClassFigures:
    """Shares of each class, all (classes,); a share of nothing is 0, as scikit-learn's `zero_division=0` has it."""

    precision: Doubles
    recall: Doubles
    f1: Doubles


@dataclass(frozen=True)
class ClassAverages:
    """Averages of precision, recall and F1 over the classes that occur: alike (macro), or by images (weighted)."""

    precision_macro: float
    recall_macro: float
    f1_macro: float
    precision_weighted: float
    recall_weighted: float
    f1_weighted: float


@dataclass(frozen=True)
class ClassLoss:
    """How the recall of one class changed against the reference: `drop` with its interval, and whether it is real."""

    index: int
    images: int
    drop: float
    low: float
    high: float
    p: float  # of the exact sign test (McNemar), before any adjustment
    real: bool  # with the false discovery rate over all classes held at 5 %


def class_counts(labels: Labels, chosen: Labels, reference: Labels | None, classes: int) -> ClassCounts:
    """Count labels, choices and their pairs for each class."""
    pairs, images = np.unique(labels * classes + chosen, return_counts=True)
    right = chosen == labels
    lost: tuple[int, ...] = ()
    won: tuple[int, ...] = ()
    if reference is not None:
        theirs = reference == labels
        lost, won = (_bincount(labels[one], classes) for one in (~right & theirs, right & ~theirs))
    triples = zip(pairs // classes, pairs % classes, images, strict=True)
    return ClassCounts(
        images=_bincount(labels, classes),
        chosen=_bincount(chosen, classes),
        right=_bincount(labels[right], classes),
        confusion=tuple((int(label), int(other), int(n)) for label, other, n in triples if label != other),
        lost=lost,
        won=won,
    )


def class_figures(counts: ClassCounts) -> ClassFigures:
    """Return precision, recall and F1 of every class."""
    images, chosen, right = (np.array(one, np.float64) for one in (counts.images, counts.chosen, counts.right))
    return ClassFigures(_share(right, chosen), _share(right, images), _share(2 * right, images + chosen))


def class_averages(counts: ClassCounts) -> ClassAverages:
    """Average over the classes that are a label or a choice of some image, as scikit-learn does."""
    figures, images = class_figures(counts), np.array(counts.images, np.float64)
    occurs = (images > 0) | (np.array(counts.chosen) > 0)
    shares = (figures.precision, figures.recall, figures.f1)
    weighted = (float(np.average(share, weights=images)) for share in shares)
    return ClassAverages(*(float(share[occurs].mean()) for share in shares), *weighted)


def f1_micro(counts: ClassCounts) -> float | None:
    """Return F1 over all labels of all images taken together; None where none is carried or given."""
    whole = sum(counts.images) + sum(counts.chosen)
    return 2 * sum(counts.right) / whole if whole else None


def confusion_matrix(counts: ClassCounts) -> npt.NDArray[np.int64]:
    """Return (classes, classes): images of a label (row) that were given a class (column)."""
    matrix = np.diag(np.array(counts.right, np.int64))
    for label, chosen, images in counts.confusion:
        matrix[label, chosen] = images
    return matrix


def class_losses(counts: ClassCounts) -> tuple[ClassLoss, ...]:
    """Return every class that has images and a reference to hold against, the greatest loss of recall first.

    Real is what Benjamini and Hochberg's procedure keeps at 5 % over the exact p-values (J. R. Stat. Soc. B 57, 1995).
    The intervals hold for all classes at once (Bonferroni), so that of the worst one may be read although it was
    picked.
    """
    present = [at for at, images in enumerate(counts.images) if images and counts.lost]
    if not present:
        return ()
    p = [sign_test(counts.lost[at], counts.won[at]) for at in present]
    adjusted = false_discovery_control(p)
    confidence = 1 - 0.05 / len(present)
    found = []
    for at, own, false in zip(present, p, adjusted, strict=True):
        lost, won, images = counts.lost[at], counts.won[at], counts.images[at]
        low, high = paired_interval(lost, won, images, confidence)
        real = bool(false <= FALSE_DISCOVERY_RATE)
        found.append(ClassLoss(at, images, (lost - won) / images, low, high, own, real))
    return tuple(sorted(found, key=lambda loss: (-loss.drop, -loss.images)))


def sign_test(lost: int, won: int) -> float:
    """Return the two-sided exact p of McNemar's test: each of the images that differ is a toss of a coin."""
    if lost == won:
        return 1.0
    return float(min(1.0, 2 * binom.cdf(min(lost, won), lost + won, 0.5)))


def precision_distance(one: ClassCounts, other: ClassCounts) -> float:
    """Return the mean absolute difference of the precision per class, over the classes that occur as a label."""
    present = (np.array(one.images) > 0) & (np.array(other.images) > 0)
    if not present.any():
        return 0.0
    return float(np.abs(class_figures(one).precision - class_figures(other).precision)[present].mean())


def _bincount(values: Labels, classes: int) -> tuple[int, ...]:
    return tuple(int(n) for n in np.bincount(values, minlength=classes))


def _share(part: Doubles, whole: Doubles) -> Doubles:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
