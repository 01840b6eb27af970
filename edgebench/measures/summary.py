"""Counts of one evaluation -> its rates, intervals and verdict: derived when they are read, never stored."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from edgebench.measures.per_class import ClassAverages, class_averages
from edgebench.measures.significance import MARGIN, Paired, Verdict, paired_interval, verdicts
from edgebench.records import Accuracy


@final
@dataclass(frozen=True)
class AccuracySummary:
    """Rates in 0..1 derived from the counts, losses and `kl` in nats; None where not measured.

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

    paired = paired_of(accuracy)
    drop, low, high, reference = None, None, None, None
    if paired is not None and accuracy.both_correct is not None:
        reference = (accuracy.both_correct + paired.lost) / n
        drop = (paired.lost - paired.won) / n
        low, high = paired_interval(paired.lost, paired.won, n)
    return AccuracySummary(
        top1=rate(accuracy.top1_correct),
        top5=rate(accuracy.top5_correct),
        loss=accuracy.loss,
        brier=accuracy.brier,
        calibration_error=calibration_error(accuracy),
        classes=class_averages(accuracy.classes) if accuracy.classes else None,
        top1_reference=reference,
        top1_drop=drop,
        top1_drop_low=low,
        top1_drop_high=high,
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
