"""Figures of images that carry sets of labels; empty where each image has one class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgebench.results.derived import Derived
from edgebench.results.figure import Basis, Interval, Unit, figure, share_interval

IMAGES, SHARE = Basis.IMAGES, Unit.SHARE


def _of_summary(name: str) -> Any:
    return lambda d: d.accuracy and getattr(d.accuracy, name)


def _interval(name: str) -> Any:
    """Return the interval of a share of the images, from the count that it stands for."""

    def interval(d: Derived) -> Interval | None:
        share = d.accuracy and getattr(d.accuracy, name)
        if share is None or d.counts is None:
            return None
        return share_interval(round(share * d.counts.images), d.counts.images)

    return interval


@dataclass(frozen=True)
class LabelSetFigures:
    """What is right is the whole set of an image's labels; a label is given where its probability is above a half."""

    subset_accuracy: float | None = figure(
        IMAGES, SHARE, _of_summary("subset_accuracy"),
        "Share of images for which every label is right, where an image carries none, one or several.",
        _interval("subset_accuracy"),
    )  # fmt: skip
    subset_reference: float | None = figure(
        IMAGES, SHARE, _of_summary("subset_reference"),
        "The same of the source model itself, in its own framework, on the same images.", _interval("subset_reference"),
    )  # fmt: skip
    subset_drop: float | None = figure(
        IMAGES, SHARE, _of_summary("subset_drop"),
        "Subset accuracy lost against the source model, as a share; negative where the artifact did better.",
        ("subset_drop_low", "subset_drop_high"),
    )  # fmt: skip
    subset_drop_low: float | None = figure(
        IMAGES, SHARE, _of_summary("subset_drop_low"), "Lower end of the 95% interval of that drop."
    )
    subset_drop_high: float | None = figure(
        IMAGES, SHARE, _of_summary("subset_drop_high"), "Upper end of the 95% interval of that drop."
    )
    f1_micro: float | None = figure(
        IMAGES, SHARE, _of_summary("f1_micro"),
        "F1 over all labels of all images taken together; images with sets of labels only.",
    )  # fmt: skip
    mean_average_precision: float | None = figure(
        IMAGES, SHARE, _of_summary("average_precision"),
        "Mean over the labels that occur of the area under precision over recall; images with sets of labels only.",
    )  # fmt: skip
