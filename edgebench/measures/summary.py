"""Counts of one evaluation -> its rates, intervals and verdict: derived when they are read, never stored."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from edgebench.measures.outputs import unpack
from edgebench.measures.per_class import ClassAverages, class_averages, f1_micro
from edgebench.measures.significance import MARGIN, Paired, Verdict, paired_interval, verdicts
from edgebench.records import Accuracy


@final
@dataclass(frozen=True)
class AccuracySummary:
    """Rates in 0..1 derived from the counts, losses and `kl` in nats; None where not measured.

    Where images carry sets of labels the `subset_*` stand instead of the `top1_*`: a share of images with every label
    right.
    `right_to_wrong`, `wrong_to_right` and `wrong_to_other_wrong` are the flips as shares of all images.
    """

    top1: float | None
    top5: float | None
    loss: float | None
    brier: float | None
    calibration_error: float | None
    classes: ClassAverages | None
    top1_reference: float | None
    top1_drop: float | None
    top1_drop_low: float | None
    top1_drop_high: float | None
    subset_accuracy: float | None
    subset_reference: float | None
    subset_drop: float | None
    subset_drop_low: float | None
    subset_drop_high: float | None
    f1_micro: float | None
    average_precision: float | None
    agreement: float | None
    right_to_wrong: float | None
    wrong_to_right: float | None
    wrong_to_other_wrong: float | None
    kl: float | None
    cosine: float | None
    confidence_change: float | None
    ties: float | None
    verdict: Verdict


def summary(accuracy: Accuracy, verdict: Verdict | None = None) -> AccuracySummary:
    """Derive rates, the drop with its 95 % interval, and the verdict (`verdict`, where a report judged its cells)."""
    n = accuracy.images

    def rate(count: int | None) -> float | None:
        return None if count is None or n == 0 else count / n

    sets = accuracy.multi_label
    drop = _drop(accuracy)
    return AccuracySummary(
        top1=rate(accuracy.top1_correct),
        top5=rate(accuracy.top5_correct),
        loss=accuracy.loss,
        brier=accuracy.brier,
        calibration_error=calibration_error(accuracy),
        classes=class_averages(accuracy.classes) if accuracy.classes and any(accuracy.classes.images) else None,
        top1_reference=None if sets else drop.reference,
        top1_drop=None if sets else drop.drop,
        top1_drop_low=None if sets else drop.low,
        top1_drop_high=None if sets else drop.high,
        subset_accuracy=_share_right(accuracy) if sets else None,
        subset_reference=drop.reference if sets else None,
        subset_drop=drop.drop if sets else None,
        subset_drop_low=drop.low if sets else None,
        subset_drop_high=drop.high if sets else None,
        f1_micro=f1_micro(accuracy.classes) if sets and accuracy.classes else None,
        average_precision=accuracy.average_precision,
        agreement=rate(accuracy.agree),
        right_to_wrong=rate(accuracy.only_reference_correct),
        wrong_to_right=rate(accuracy.only_artifact_correct),
        wrong_to_other_wrong=rate(accuracy.other_wrong),
        kl=accuracy.kl,
        cosine=accuracy.cosine,
        confidence_change=accuracy.confidence_change,
        ties=rate(accuracy.ties),
        verdict=verdict or verdicts_of([accuracy])[0],
    )


@dataclass(frozen=True)
class _Drop:
    """What is lost against the reference, with its 95 % interval; None without labels or reference."""

    reference: float | None = None
    drop: float | None = None
    low: float | None = None
    high: float | None = None


def _drop(accuracy: Accuracy) -> _Drop:
    paired, n = paired_of(accuracy), accuracy.images
    if paired is None or accuracy.both_correct is None:
        return _Drop()
    share = (accuracy.both_correct + paired.lost) / n
    return _Drop(share, (paired.lost - paired.won) / n, *paired_interval(paired.lost, paired.won, n))


def _share_right(accuracy: Accuracy) -> float | None:
    return float(unpack(accuracy.right, accuracy.images).mean()) if accuracy.right else None


def paired_of(accuracy: Accuracy) -> Paired | None:
    """Return the images on which artifact and reference differ; None without labels or reference."""
    lost, won = accuracy.only_reference_correct, accuracy.only_artifact_correct
    return None if lost is None or won is None or not accuracy.images else Paired(lost, won, accuracy.images)


def verdicts_of(evaluations: Sequence[Accuracy], margin: float = MARGIN, together: bool = True) -> list[Verdict]:
    """Judge the evaluations of one report together, or each for itself.

    What has no labels or no reference gets an empty verdict.
    """
    cells = [paired_of(accuracy) for accuracy in evaluations]
    judged = iter(verdicts([cell for cell in cells if cell is not None], margin, together))
    return [Verdict(margin=margin) if cell is None else next(judged) for cell in cells]


def calibration_error(accuracy: Accuracy) -> float | None:
    """Return the expected calibration error: how far confidence and accuracy lie apart, 15 bins, weighted by images."""
    if not accuracy.bin_images:
        return None
    gaps = (
        abs(right - confidence) for right, confidence in zip(accuracy.bin_right, accuracy.bin_confidence, strict=True)
    )
    return math.fsum(gaps) / accuracy.images
