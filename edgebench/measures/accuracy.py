"""What an artifact's outputs lose against the reference and the labels. Pure functions over arrays and records."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgebench.records import LOGITS, PROBABILITIES, SCORES, Accuracy

MARGIN = 0.01
"""A drop below this is not worth telling apart from none: one image in a hundred."""
CLIP = 1e-7
"""Probabilities are clipped to CLIP..1-CLIP before the logarithm, as Keras does, so that losses compare with its."""

Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class AccuracySummary:
    """Rates in 0..1 derived from the counts; None where not measured. `verdict` is in words."""

    top1: float | None
    top5: float | None
    loss: float | None
    top1_reference: float | None
    top1_drop: float | None
    top1_drop_low: float | None
    top1_drop_high: float | None
    agreement: float | None
    verdict: str


def sqnr_db(outputs: Floats, reference: Floats) -> float:
    """Signal-to-quantisation-noise ratio in dB, `10 log10(sum r^2 / sum (r - o)^2)`; inf where they are equal.

    Both are (images, classes) and of the same kind: logits and probabilities are never compared with one another.
    Raises ValueError where the shapes differ or the reference is zero everywhere, which has no signal to compare.
    """
    if outputs.shape != reference.shape:
        raise ValueError(f"outputs {outputs.shape} and reference {reference.shape} differ in shape")
    signal = float(np.sum(np.square(reference, dtype=np.float64)))
    noise = float(np.sum(np.square(reference.astype(np.float64) - outputs)))
    if signal == 0:
        raise ValueError("the reference outputs are zero everywhere")
    return math.inf if noise == 0 else 10 * math.log10(signal / noise)


def output_kind(outputs: Floats) -> str:
    """Tell probabilities (rows sum to one), scores (in 0..1) and logits apart by their values."""
    if outputs.min() < -1e-6 or outputs.max() > 1 + 1e-6:
        return LOGITS
    return PROBABILITIES if np.allclose(outputs.sum(axis=1), 1.0, atol=1e-3) else SCORES


def cross_entropy(outputs: Floats, labels: Labels, kind: str) -> float | None:
    """Mean cross-entropy in nats; None for scores, whose classes are independent."""
    if kind == SCORES:
        return None
    values = outputs.astype(np.float64)
    if kind == LOGITS:
        shifted = values - values.max(axis=1, keepdims=True)
        log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    else:
        total = np.maximum(values.sum(axis=1, keepdims=True), CLIP)
        log_probabilities = np.log(np.clip(values / total, CLIP, 1 - CLIP))
    return float(-log_probabilities[np.arange(len(labels)), labels].mean())


def score(
    outputs: Floats, labels: Labels | None, reference: Floats | None, kind: str, reference_reason: str = ""
) -> Accuracy:
    """Count what the artifact's outputs (images, classes) got right, and where they differ from the reference's.

    `labels` are indices into the outputs, None where unlabelled. Ties go to the lower index, as argmax has it.
    """
    top1 = outputs.argmax(axis=1)
    counts: dict[str, int | float | bool | None] = {}
    if labels is not None:
        right = top1 == labels
        counts["top1_correct"] = int(right.sum())
        if outputs.shape[1] > 5:
            first_five = np.argsort(-outputs, axis=1, kind="stable")[:, :5]
            counts["top5_correct"] = int((first_five == labels[:, None]).any(axis=1).sum())
        counts["loss"] = cross_entropy(outputs, labels, kind)
    if reference is not None:
        reference_top1 = reference.argmax(axis=1)
        counts["agree"] = int((top1 == reference_top1).sum())
        ratio = sqnr_db(outputs, reference)
        counts["exact"] = math.isinf(ratio)
        counts["sqnr_db"] = None if math.isinf(ratio) else ratio
        if labels is not None:
            reference_right = reference_top1 == labels
            counts["both_correct"] = int((right & reference_right).sum())
            counts["only_artifact_correct"] = int((right & ~reference_right).sum())
            counts["only_reference_correct"] = int((~right & reference_right).sum())
            counts["neither_correct"] = int((~right & ~reference_right).sum())
    return Accuracy(images=len(outputs), reference_reason=reference_reason, **counts)  # type: ignore[arg-type]


def summary(accuracy: Accuracy) -> AccuracySummary:
    """Derive rates, the drop with its 95 % interval, and the verdict from the counts."""
    n = accuracy.images

    def rate(count: int | None) -> float | None:
        return None if count is None or n == 0 else count / n

    drop, low, high, reference = None, None, None, None
    lost, won = accuracy.only_reference_correct, accuracy.only_artifact_correct
    if lost is not None and won is not None and accuracy.both_correct is not None:
        reference = (accuracy.both_correct + lost) / n
        drop = (lost - won) / n
        low, high = paired_interval(lost, won, n)
    return AccuracySummary(
        top1=rate(accuracy.top1_correct),
        top5=rate(accuracy.top5_correct),
        loss=accuracy.loss,
        top1_reference=reference,
        top1_drop=drop,
        top1_drop_low=low,
        top1_drop_high=high,
        agreement=rate(accuracy.agree),
        verdict=_verdict(low, high, n),
    )


def paired_interval(lost: int, won: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Interval of the difference of two paired proportions, `(lost - won) / n`.

    The adjusted Wald interval of D. G. Bonett and R. M. Price, "Adjusted Wald confidence interval for a difference
    of binomial proportions based on paired data", J. Educ. Behav. Stat. 37 (2012): add one to both discordant counts.
    """
    from statistics import NormalDist

    z = NormalDist().inv_cdf((1 + confidence) / 2)
    p_lost, p_won = (lost + 1) / (n + 2), (won + 1) / (n + 2)
    difference = p_lost - p_won
    spread = z * math.sqrt((p_lost + p_won - difference**2) / (n + 2))
    return max(-1.0, difference - spread), min(1.0, difference + spread)


def _verdict(low: float | None, high: float | None, n: int) -> str:
    if low is None or high is None:
        return ""
    if low > 0:
        return "real drop"
    if high < 0:
        return "real gain"
    if high <= MARGIN:
        return f"no drop above {MARGIN:.0%}"
    return f"undecided: {n} images leave room for a drop of {high:.1%}"
