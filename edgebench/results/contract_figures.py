"""The columns of version 0.1, which DESIGN.md promises: their names, order and meaning never change."""

from __future__ import annotations

from dataclasses import dataclass

from edgebench.results.derived import Derived
from edgebench.results.figure import Basis, Interval, Unit, figure, share_interval
from edgebench.results.words import EMULATED, drop_words, stability_words
from edgebench.variants import FORMATS, PRECISIONS

MACHINE, IMAGES, ARTIFACT, IDENTITY = Basis.MACHINE, Basis.IMAGES, Basis.ARTIFACT, Basis.IDENTITY
MS, BYTES, SHARE, NATS, COUNT, TEXT = Unit.MILLISECONDS, Unit.BYTES, Unit.SHARE, Unit.NATS, Unit.COUNT, Unit.TEXT


def _ms(value_ns: float | None) -> float | None:
    return None if value_ns is None else value_ns / 1e6


def _of_reference(d: Derived) -> Interval | None:
    a = d.counts
    if a is None or a.both_correct is None or a.only_reference_correct is None:
        return None
    return share_interval(a.both_correct + a.only_reference_correct, a.images)


@dataclass(frozen=True)
class ContractFigures:
    """What it is, what it weighs, what it loses, what it costs."""

    model: str = figure(IDENTITY, TEXT, lambda d: d.result.artifact.model, "Name of the source model as it was given.")
    format: str = figure(
        IDENTITY, TEXT, lambda d: d.result.artifact.format,
        f"{', '.join(FORMATS)}; others with the package that adds them.",
    )  # fmt: skip
    precision: str = figure(
        IDENTITY, TEXT, lambda d: d.result.artifact.precision,
        "; ".join(f"{one.name} ({one.words})" for one in PRECISIONS.values()) + ".",
    )  # fmt: skip
    device: str = figure(IDENTITY, TEXT, lambda d: d.result.device, "Where it ran.")
    runtime: str = figure(IDENTITY, TEXT, lambda d: d.result.runtime, "What ran it.")
    status: str = figure(
        IDENTITY, TEXT, lambda d: d.result.status,
        "ok, or what went wrong: failed, refused (the runtime would not run it), crashed, timeout, nan.",
    )  # fmt: skip
    reason: str = figure(IDENTITY, TEXT, lambda d: d.result.reason, "Why, where it is not ok.")
    size_bytes: int | None = figure(
        ARTIFACT, BYTES, lambda d: d.result.artifact.size_bytes or None,
        "Bytes on disk, of a file or of a folder's files together.",
    )  # fmt: skip
    images: int | None = figure(IDENTITY, COUNT, lambda d: d.counts and d.counts.images, "Images it was evaluated on.")
    top1: float | None = figure(
        IMAGES, SHARE, lambda d: d.accuracy and d.accuracy.top1,
        "Share of images whose label is the model's first choice.",
        lambda d: d.counts and share_interval(d.counts.top1_correct, d.counts.images),
    )  # fmt: skip
    top5: float | None = figure(
        IMAGES, SHARE, lambda d: d.accuracy and d.accuracy.top5,
        "Share of images whose label is among its first five choices.",
        lambda d: d.counts and share_interval(d.counts.top5_correct, d.counts.images),
    )  # fmt: skip
    loss: float | None = figure(
        IMAGES, NATS, lambda d: d.accuracy and d.accuracy.loss, "Mean cross-entropy against the labels, in nats."
    )
    top1_reference: float | None = figure(
        IMAGES, SHARE, lambda d: d.accuracy and d.accuracy.top1_reference,
        "Top-1 of the source model itself, in its own framework, on the same images.", _of_reference,
    )  # fmt: skip
    top1_drop: float | None = figure(
        IMAGES, SHARE, lambda d: d.accuracy and d.accuracy.top1_drop,
        "Top-1 lost against the source model, as a share; negative where the artifact did better. Tables for people "
        "show the change instead, in points: -1.2 is a drop of 1.2 points.", ("top1_drop_low", "top1_drop_high"),
    )  # fmt: skip
    top1_drop_low: float | None = figure(
        IMAGES, SHARE, lambda d: d.accuracy and d.accuracy.top1_drop_low, "Lower end of the 95% interval of that drop."
    )
    top1_drop_high: float | None = figure(
        IMAGES, SHARE, lambda d: d.accuracy and d.accuracy.top1_drop_high, "Upper end of the 95% interval of that drop."
    )
    agreement: float | None = figure(
        IMAGES, SHARE, lambda d: d.accuracy and d.accuracy.agreement,
        "Share of images on which artifact and source model choose the same class; needs no labels.",
        lambda d: d.counts and share_interval(d.counts.agree, d.counts.images),
    )  # fmt: skip
    drift_verdict: str = figure(
        IMAGES, TEXT, lambda d: drop_words(d.accuracy and d.accuracy.verdict),
        "Whether the drop can be told from chance on these images, in words.",
    )  # fmt: skip
    load_ms: float | None = figure(
        MACHINE, MS, lambda d: _ms(d.latency and d.latency.load_ns),
        "Time to load the file and make it ready, before the first inference.",
    )  # fmt: skip
    first_inference_ms: float | None = figure(
        MACHINE, MS, lambda d: _ms(d.latency and d.latency.first_inference_ns),
        "The first inference, which often prepares more than it computes.",
    )  # fmt: skip
    latency_ms_median: float | None = figure(
        MACHINE, MS, lambda d: _ms(d.latency and d.latency.median_ns),
        "Steady state, one batch: copy the input in, invoke, copy the output out. Half took less.",
        ("latency_ms_low", "latency_ms_high"),
    )  # fmt: skip
    latency_ms_low: float | None = figure(
        MACHINE, MS, lambda d: _ms(d.latency and d.latency.low_ns), "Lower end of the 95% interval of that median."
    )
    latency_ms_high: float | None = figure(
        MACHINE, MS, lambda d: _ms(d.latency and d.latency.high_ns), "Upper end of the 95% interval of that median."
    )
    latency_ms_p90: float | None = figure(
        MACHINE, MS, lambda d: _ms(d.latency and d.latency.p90_ns),
        "Nine in ten took less. Empty where there are too few samples to say.",
    )  # fmt: skip
    latency_ms_p99: float | None = figure(
        MACHINE, MS, lambda d: _ms(d.latency and d.latency.p99_ns),
        "99 in 100 took less. Empty where there are too few samples to say.",
    )  # fmt: skip
    invoke_ms_median: float | None = figure(
        MACHINE, MS, lambda d: _ms(d.latency and d.latency.invoke_median_ns), "The invoke alone, without the copies."
    )
    threads: int = figure(IDENTITY, COUNT, lambda d: d.result.settings.threads, "Threads the runtime was given.")
    batch: int = figure(IDENTITY, COUNT, lambda d: d.result.settings.batch, "Images in one invoke.")
    peak_rss_bytes: int | None = figure(
        MACHINE, BYTES, lambda d: d.memory and d.memory.peak_bytes,
        "The most memory a process of its own held at once: interpreter, runtime and model.",
    )  # fmt: skip
    model_rss_bytes: int | None = figure(
        MACHINE, BYTES, lambda d: d.memory and d.memory.model_bytes,
        "The part of that peak above the level after imports: what the model itself costs.",
    )  # fmt: skip
    stability: str = figure(
        MACHINE, TEXT, lambda d: EMULATED if d.stability and d.result.emulated else stability_words(d.stability),
        "Whether the machine held still while it was measured, and what spoke against it.",
    )  # fmt: skip
