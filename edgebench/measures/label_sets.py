"""Outputs of independent labels against the sets of labels that images carry: none, one or several each.

A label is given where its probability is above a half: a score above 0.5, a logit above 0, as Keras' and torchmetrics'
thresholds have it. What is right is the whole set of an image's labels.
"""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from edgebench.measures.accuracy import cosines, powers, ratio_db
from edgebench.measures.outputs import Bits, Floats, chunks, pack
from edgebench.records import LABEL_LOGITS, Accuracy, ClassCounts


def given(outputs: Floats, kind: str) -> Bits:
    """Return which labels the outputs (images, labels) give, of the same shape."""
    return np.asarray(outputs > (0.0 if kind == LABEL_LOGITS else 0.5))


def score_sets(
    outputs: Floats,
    labels: Bits | None,
    reference: Floats | None,
    kind: str,
    reference_reason: str = "",
    per_class: bool = True,
) -> Accuracy:
    """Count for outputs (images, labels) what `measures.accuracy.score` counts for classes.

    `labels` is True where an image carries a label, of the same shape; None where unlabelled. Arrays may be
    memory-mapped.
    """
    mine = _given(outputs, kind)
    counts: dict[str, Any] = {}
    theirs = None
    if reference is not None:
        theirs = _given(reference, kind)
        counts |= _against_reference(outputs, reference)
        counts["agree"] = int((mine == theirs).all(axis=1).sum())
    if labels is not None:
        right = (mine == labels).all(axis=1)
        counts |= {"right": pack(right), "average_precision": mean_average_precision(outputs, labels)}
        if theirs is not None:
            their_right = (theirs == labels).all(axis=1)
            counts |= _paired(right, their_right, (mine == theirs).all(axis=1)) | {"reference_right": pack(their_right)}
        counts["classes"] = _label_counts(mine, labels, theirs) if per_class else None
    return Accuracy(
        images=len(outputs), reference_reason=reference_reason, independent=True, multi_label=True, **counts
    )


def mean_average_precision(outputs: Floats, labels: Bits) -> float | None:
    """Return the mean over the labels of the area under the steps of precision over recall.

    Labels that no image carries are left out; None where no image carries any. Equal outputs are one step.
    """

    def of_label(at: int) -> float:
        return average_precision(np.asarray(outputs[:, at]), labels[:, at])

    carried = [int(at) for at in np.flatnonzero(labels.any(axis=0))]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return math.fsum(pool.map(of_label, carried)) / len(carried) if carried else None


def average_precision(outputs: Floats, carries: Bits) -> float:
    """Return `sum (R_n - R_(n-1)) P_n` over the distinct outputs from the highest down; both (images,)."""
    order = np.argsort(-outputs, kind="stable")
    ordered, found = outputs[order], np.cumsum(carries[order], dtype=np.float64)
    last = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)  # of each group of equal outputs
    precision, recall = found[last] / (last + 1), found[last] / found[-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def _given(outputs: Floats, kind: str) -> Bits:
    return np.concatenate([given(np.asarray(outputs[at]), kind) for at in chunks(outputs)])


def _against_reference(outputs: Floats, reference: Floats) -> dict[str, object]:
    sums = []
    for at in chunks(outputs):
        pieces = [np.asarray(one[at], np.float64) for one in (outputs, reference)]
        sums.append((*powers(*pieces), float(cosines(*pieces).sum())))
    signal, noise, cosine = (math.fsum(column) for column in zip(*sums, strict=True))
    ratio = ratio_db(signal, noise)
    exact = math.isinf(ratio)
    return {"exact": exact, "sqnr_db": None if exact else ratio, "cosine": cosine / len(outputs)}


def _paired(right: Bits, theirs: Bits, same: Bits) -> dict[str, int]:
    return {
        "both_correct": int((right & theirs).sum()),
        "only_artifact_correct": int((right & ~theirs).sum()),
        "only_reference_correct": int((~right & theirs).sum()),
        "neither_correct": int((~right & ~theirs).sum()),
        "other_wrong": int((~right & ~theirs & ~same).sum()),
    }


def _label_counts(mine: Bits, labels: Bits, theirs: Bits | None) -> ClassCounts:
    def column(bits: Bits) -> tuple[int, ...]:
        return tuple(int(count) for count in bits.sum(axis=0))

    lost: tuple[int, ...] = ()
    won: tuple[int, ...] = ()
    if theirs is not None:
        lost, won = column(labels & theirs & ~mine), column(labels & mine & ~theirs)
    return ClassCounts(column(labels), column(mine), column(labels & mine), lost=lost, won=won)
