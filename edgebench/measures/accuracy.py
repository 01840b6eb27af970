"""What an artifact's outputs say against labels and reference, as counts. Pure functions over arrays.

The outputs are worked on in pieces by all cores, so that a million images need no more memory than ten thousand.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.special import rel_entr

from edgebench.measures.outputs import (
    CLIP,
    Bits,
    Doubles,
    Floats,
    Labels,
    chunks,
    label_log_probability,
    pack,
    probabilities,
    ranks,
    ties,
)
from edgebench.measures.per_class import class_counts
from edgebench.records import INDEPENDENT, Accuracy

BINS = 15
"""Of the expected calibration error (C. Guo et al., "On Calibration of Modern Neural Networks", ICML 2017)."""
EDGES = np.linspace(0.0, 1.0, BINS + 1)


@dataclass
class _Tally:
    """What one piece adds: counts and sums by name, and what each image of it chose."""

    sums: dict[str, float] = field(default_factory=dict)
    bins: dict[str, Doubles] = field(default_factory=dict)
    chosen: Labels = field(default_factory=lambda: np.zeros(0, np.int64))
    reference: Labels | None = None


def sqnr_db(outputs: Floats, reference: Floats) -> float:
    """Signal-to-quantisation-noise ratio in dB, `10 log10(sum r^2 / sum (r - o)^2)`; inf where they are equal.

    Both are (images, classes) and of the same kind: logits and probabilities are never compared with one another.
    Raises ValueError where the shapes differ or the reference is zero everywhere, which has no signal to compare.
    """
    if outputs.shape != reference.shape:
        raise ValueError(f"outputs {outputs.shape} and reference {reference.shape} differ in shape")
    flat = outputs.reshape(len(outputs), -1), reference.reshape(len(reference), -1)
    sums = [powers(*(np.asarray(one[at], np.float64) for one in flat)) for at in chunks(flat[0])]
    return ratio_db(math.fsum(one[0] for one in sums), math.fsum(one[1] for one in sums))


def score(
    outputs: Floats,
    labels: Labels | None,
    reference: Floats | None,
    kind: str,
    reference_reason: str = "",
    per_class: bool = True,
) -> Accuracy:
    """Count what the artifact's outputs (images, classes) got right, and where they differ from the reference's.

    `labels` are indices into the outputs, None where unlabelled; arrays may be memory-mapped. `per_class` also keeps
    the counts of each class and the confusion matrix.
    """
    n, classes = outputs.shape

    def work(at: slice) -> _Tally:
        piece = None if labels is None else labels[at]
        return _tally(np.asarray(outputs[at]), piece, None if reference is None else np.asarray(reference[at]), kind)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        tallies = list(pool.map(work, chunks(outputs)))
    sums = {name: math.fsum(tally.sums[name] for tally in tallies) for name in tallies[0].sums}
    chosen = np.concatenate([tally.chosen for tally in tallies])
    means = {name: sums[name] / n for name in _MEANS if name in sums}
    counts: dict[str, Any] = {name: int(total) for name, total in sums.items() if name in _COUNTS} | means
    counts |= {name: _bin_sum(tallies, name) for name in tallies[0].bins}
    right = None if labels is None else chosen == labels
    if reference is not None:
        ratio = ratio_db(sums["signal"], sums["noise"])
        counts |= {"exact": math.isinf(ratio), "sqnr_db": None if math.isinf(ratio) else ratio}
    theirs = None if reference is None else np.concatenate([t.reference for t in tallies if t.reference is not None])
    if labels is not None and right is not None:
        counts["right"] = pack(right)
        counts["reference_right"] = "" if theirs is None else pack(theirs == labels)
        counts["classes"] = class_counts(labels, chosen, theirs, classes) if per_class else None
    return Accuracy(images=n, reference_reason=reference_reason, independent=kind in INDEPENDENT, **counts)


_COUNTS = (
    *("top1_correct", "top5_correct", "agree", "both_correct", "only_artifact_correct", "only_reference_correct"),
    *("neither_correct", "other_wrong", "ties"),
)
_MEANS = ("loss", "brier", "kl", "cosine", "confidence_change")


def _tally(outputs: Floats, labels: Labels | None, reference: Floats | None, kind: str) -> _Tally:
    values = outputs.astype(np.float64)
    shares = probabilities(values, kind)
    found = _Tally({"ties": ties(outputs)}, chosen=outputs.argmax(axis=1))
    confidence = shares.max(axis=1)
    if labels is not None:
        right = found.chosen == labels
        found.sums |= _against_labels(outputs, values, shares, labels, kind)
        found.bins = _bins(confidence, right)
    if reference is not None:
        found.reference = reference.argmax(axis=1)
        found.sums |= _against_reference(values, shares, confidence, reference.astype(np.float64), kind)
        found.sums["agree"] = int((found.chosen == found.reference).sum())
        if labels is not None:
            found.sums |= _paired(found.chosen, found.reference, labels)
    return found


def _against_labels(outputs: Floats, values: Doubles, shares: Doubles, labels: Labels, kind: str) -> dict[str, float]:
    own = shares[np.arange(len(labels)), labels]
    place = ranks(outputs, labels)
    sums: dict[str, float] = {
        "top1_correct": int((place == 0).sum()),
        "brier": float((np.einsum("ij,ij->i", shares, shares) - 2 * own + 1).sum()),
    }
    if outputs.shape[1] > 5:
        sums["top5_correct"] = int((place < 5).sum())
    if kind not in INDEPENDENT:
        sums["loss"] = float(-label_log_probability(values, labels, kind).sum())
    return sums


def _bins(confidence: Doubles, right: Bits) -> dict[str, Doubles]:
    """Bin by confidence, each bin with its upper edge and without its lower one."""
    place = np.searchsorted(EDGES[1:-1], confidence)
    weights: dict[str, Bits | Doubles | None] = {"bin_images": None, "bin_right": right, "bin_confidence": confidence}
    return {name: np.bincount(place, weight, BINS).astype(np.float64) for name, weight in weights.items()}


def _bin_sum(tallies: list[_Tally], name: str) -> tuple[float, ...]:
    kind: Callable[[float], float] = float if name == "bin_confidence" else int
    return tuple(kind(math.fsum(tally.bins[name][at] for tally in tallies)) for at in range(BINS))


def _against_reference(
    values: Doubles, shares: Doubles, confidence: Doubles, reference: Doubles, kind: str
) -> dict[str, float]:
    theirs = probabilities(reference, kind)
    signal, noise = powers(values, reference)
    sums = {
        "signal": signal,
        "noise": noise,
        "cosine": float(cosines(values, reference).sum()),
        "confidence_change": float((confidence - theirs.max(axis=1)).sum()),
    }
    if kind not in INDEPENDENT:
        mine = np.clip(shares, CLIP, 1.0)  # a quantised probability is often exactly zero
        mine /= mine.sum(axis=1, keepdims=True)
        sums["kl"] = float(rel_entr(theirs, mine).sum())
    return sums


def cosines(values: Doubles, reference: Doubles) -> Doubles:
    """Return the cosine of each pair of rows; 1 where both are zero, 0 where one is."""
    product = np.einsum("ij,ij->i", values, reference)
    norms = np.sqrt(np.einsum("ij,ij->i", values, values) * np.einsum("ij,ij->i", reference, reference))
    both_zero = ~values.any(axis=1) & ~reference.any(axis=1)
    return np.where(norms > 0, product / np.where(norms > 0, norms, 1.0), both_zero)


def _paired(chosen: Labels, reference: Labels, labels: Labels) -> dict[str, float]:
    right, theirs = chosen == labels, reference == labels
    return {
        "both_correct": int((right & theirs).sum()),
        "only_artifact_correct": int((right & ~theirs).sum()),
        "only_reference_correct": int((~right & theirs).sum()),
        "neither_correct": int((~right & ~theirs).sum()),
        "other_wrong": int((~right & ~theirs & (chosen != reference)).sum()),
    }


def powers(values: Doubles, reference: Doubles) -> tuple[float, float]:
    """Return signal and noise, each a sum of squares."""
    noise = reference - values
    return float(np.einsum("ij,ij->", reference, reference)), float(np.einsum("ij,ij->", noise, noise))


def ratio_db(signal: float, noise: float) -> float:
    """Return `10 log10(signal / noise)`, inf without noise. Raises ValueError where there is no signal."""
    if signal == 0:
        raise ValueError("the reference outputs are zero everywhere")
    return math.inf if noise == 0 else 10 * math.log10(signal / noise)
