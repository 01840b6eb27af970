"""What was lost, beyond top-1: confidence, classes, flips, on which step, and what corruption adds."""

from __future__ import annotations

from dataclasses import dataclass

from edgebench.measures.per_class import ClassAverages, ClassLoss
from edgebench.measures.robustness import Shift
from edgebench.results.derived import Derived
from edgebench.results.figure import Basis, Interval, Unit, figure

IMAGES, IDENTITY = Basis.IMAGES, Basis.IDENTITY
SHARE, NATS, COUNT, TEXT, NUMBER = Unit.SHARE, Unit.NATS, Unit.COUNT, Unit.TEXT, Unit.NUMBER


def _classes(d: Derived) -> ClassAverages | None:
    return d.accuracy.classes if d.accuracy else None


def _stage(d: Derived, name: str) -> Shift | None:
    return d.stages.losses.get(name) if d.stages else None


def _value(shift: Shift | None) -> float | None:
    return shift.value if shift else None


def _ends(shift: Shift | None) -> Interval | None:
    return (shift.low, shift.high) if shift else None


def _worst(d: Derived) -> ClassLoss | None:
    return d.class_losses[0] if d.class_losses else None


def _worst_interval(d: Derived) -> Interval | None:
    worst = _worst(d)
    return (worst.low, worst.high) if worst else None


def _worst_drop(d: Derived) -> float | None:
    worst = _worst(d)
    return worst.drop if worst else None


def _worst_name(d: Derived) -> str:
    worst = _worst(d)
    return d.class_name(worst.index) if worst else ""


def _classes_lost(d: Derived) -> int | None:
    return sum(loss.real and loss.drop > 0 for loss in d.class_losses) if d.class_losses else None


@dataclass(frozen=True)
class DriftFigures:
    """Figures of drift that stand behind the first columns."""

    brier: float | None = figure(
        IMAGES,
        NUMBER,
        lambda d: d.accuracy and d.accuracy.brier,
        "Mean squared distance of the probabilities to the true class, 0 to 2.",
    )
    calibration_error: float | None = figure(
        IMAGES, SHARE, lambda d: d.accuracy and d.accuracy.calibration_error,
        "Expected calibration error: how far confidence and accuracy lie apart, 15 bins.",
    )  # fmt: skip
    precision_macro: float | None = figure(
        IMAGES,
        SHARE,
        lambda d: (of := _classes(d)) and of.precision_macro,
        "Mean over the classes of the share of right ones among its own.",
    )
    recall_macro: float | None = figure(
        IMAGES,
        SHARE,
        lambda d: (of := _classes(d)) and of.recall_macro,
        "Mean over the classes of the share of its images that are found.",
    )
    f1_macro: float | None = figure(
        IMAGES, SHARE, lambda d: (of := _classes(d)) and of.f1_macro, "Mean of the classes' F1."
    )
    precision_weighted: float | None = figure(
        IMAGES,
        SHARE,
        lambda d: (of := _classes(d)) and of.precision_weighted,
        "The same as precision_macro, classes weighted by images.",
    )
    recall_weighted: float | None = figure(
        IMAGES,
        SHARE,
        lambda d: (of := _classes(d)) and of.recall_weighted,
        "The same as recall_macro, classes weighted by images.",
    )
    f1_weighted: float | None = figure(
        IMAGES,
        SHARE,
        lambda d: (of := _classes(d)) and of.f1_weighted,
        "The same as f1_macro, classes weighted by images.",
    )
    right_to_wrong: float | None = figure(
        IMAGES,
        SHARE,
        lambda d: d.accuracy and d.accuracy.right_to_wrong,
        "Share of images that the source model has right and this not.",
    )
    wrong_to_right: float | None = figure(
        IMAGES,
        SHARE,
        lambda d: d.accuracy and d.accuracy.wrong_to_right,
        "Share of images that this has right and the source model not.",
    )
    wrong_to_other_wrong: float | None = figure(
        IMAGES,
        SHARE,
        lambda d: d.accuracy and d.accuracy.wrong_to_other_wrong,
        "Share of images that both have wrong, each in its own way.",
    )
    kl_nats: float | None = figure(
        IMAGES,
        NATS,
        lambda d: d.accuracy and d.accuracy.kl,
        "Mean Kullback-Leibler divergence from the source model's distribution.",
    )
    cosine: float | None = figure(
        IMAGES,
        NUMBER,
        lambda d: d.accuracy and d.accuracy.cosine,
        "Mean cosine of the outputs and the source model's; 1 is the same direction.",
    )
    confidence_change: float | None = figure(
        IMAGES,
        SHARE,
        lambda d: d.accuracy and d.accuracy.confidence_change,
        "Mean confidence of the first choice, less the source model's.",
    )
    ties: float | None = figure(
        IMAGES,
        SHARE,
        lambda d: d.accuracy and d.accuracy.ties,
        "Share of images whose highest output two classes share; the first counts.",
    )
    more_images: int | None = figure(
        IMAGES,
        COUNT,
        lambda d: d.accuracy and d.accuracy.verdict.more_images,
        "How many more images would decide an undecided drop, about.",
    )
    smallest_drop: float | None = figure(
        IMAGES,
        SHARE,
        lambda d: d.accuracy and d.accuracy.verdict.smallest_drop,
        "The smallest true drop that these images show in 4 of 5 reports.",
    )
    worst_class: str = figure(IMAGES, TEXT, _worst_name, "The class that lost most of its recall.")
    worst_class_drop: float | None = figure(
        IMAGES, SHARE, _worst_drop, "What it lost; its interval allows for its having been picked.", _worst_interval
    )
    classes_lost: int | None = figure(
        IMAGES, COUNT, _classes_lost, "Classes that really lost recall, false discovery rate held at 5 %."
    )
    loss_arose: str = figure(
        IMAGES, TEXT, lambda d: d.stages.words if d.stages else "",
        "On which step accuracy was really lost: conversion, quantisation, device; empty: on none.",
    )  # fmt: skip
    conversion_drop: float | None = figure(
        IMAGES, SHARE, lambda d: _value(_stage(d, "conversion")),
        "Top-1 lost from the source model to the float32 artifact.",
        lambda d: _ends(_stage(d, "conversion")),
    )  # fmt: skip
    quantisation_drop: float | None = figure(
        IMAGES, SHARE, lambda d: _value(_stage(d, "quantisation")),
        "Top-1 lost from the float32 artifact to this one.",
        lambda d: _ends(_stage(d, "quantisation")),
    )  # fmt: skip
    device_drop: float | None = figure(
        IMAGES, SHARE, lambda d: _value(_stage(d, "device")),
        "Top-1 lost from this artifact here to the same on the device.",
        lambda d: _ends(_stage(d, "device")),
    )  # fmt: skip
    extra_drop: float | None = figure(
        IMAGES, SHARE, lambda d: _value(d.extra_drop),
        "How much more is lost against the source model than on the main set as it is: under a perturbation image by "
        "image, on another set as the difference of both drops.",
        lambda d: _ends(d.extra_drop),
    )  # fmt: skip
