"""Figures of images that carry sets of labels; empty where each image has one class."""

from __future__ import annotations

from dataclasses import dataclass

from edgebench.results.derived import Derived
from edgebench.results.figure import Basis, Interval, Unit, figure, share_interval

IMAGES, SHARE = Basis.IMAGES, Unit.SHARE


def _interval(d: Derived, share: float | None) -> Interval | None:
    """Return the interval of a share of the images, from the count that it stands for."""
    if share is None or d.counts is None:
        return None
    return share_interval(round(share * d.counts.images), d.counts.images)


@dataclass(frozen=True)
class LabelSetFigures:
    """What is right is the whole set of an image's labels; a label is given where its probability is above a half."""

    subset_accuracy: float | None = figure(
        IMAGES, SHARE, lambda d: d.accuracy and d.accuracy.subset_accuracy,
        "Share of images for which every label is right, where an image carries none, one or several.",
        lambda d: _interval(d, d.accuracy and d.accuracy.subset_accuracy),
    )  # fmt: skip
    subset_reference: float | None = figure(
        IMAGES, SHARE, lambda d: d.accuracy and d.accuracy.subset_reference,
        "The same of the source model itself, in its own framework, on the same images.",
        lambda d: _interval(d, d.accuracy and d.accuracy.subset_reference),
    )  # fmt: skip
    subset_drop: float | None = figure(
        IMAGES, SHARE, lambda d: d.accuracy and d.accuracy.subset_drop,
        "Subset accuracy lost against the source model, as a share; negative where the artifact did better.",
        ("subset_drop_low", "subset_drop_high"),
    )  # fmt: skip
    subset_drop_low: float | None = figure(
        IMAGES,
        SHARE,
        lambda d: d.accuracy and d.accuracy.subset_drop_low,
        "Lower end of the 95% interval of that drop.",
    )
    subset_drop_high: float | None = figure(
        IMAGES,
        SHARE,
        lambda d: d.accuracy and d.accuracy.subset_drop_high,
        "Upper end of the 95% interval of that drop.",
    )
    f1_micro: float | None = figure(
        IMAGES, SHARE, lambda d: d.accuracy and d.accuracy.f1_micro,
        "F1 over all labels of all images taken together; images with sets of labels only.",
    )  # fmt: skip
    mean_average_precision: float | None = figure(
        IMAGES, SHARE, lambda d: d.accuracy and d.accuracy.average_precision,
        "Mean over the labels that occur of the area under precision over recall; images with sets of labels only.",
    )  # fmt: skip
