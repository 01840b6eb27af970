"""Further columns: useful, and free to grow at the end."""

from __future__ import annotations

from dataclasses import dataclass

from edgebench.cells import scenario
from edgebench.results.conditions import calibration_words, runtime_version
from edgebench.results.derived import Derived
from edgebench.results.figure import Basis, Interval, Unit, figure, share_interval

MACHINE, IMAGES, GATE, ARTIFACT, IDENTITY = Basis
MS, BYTES, SHARE, DB, COUNT, TEXT = Unit.MILLISECONDS, Unit.BYTES, Unit.SHARE, Unit.DECIBELS, Unit.COUNT, Unit.TEXT
JOULES, RATE, NUMBER, FLAG = Unit.JOULES, Unit.PER_SECOND, Unit.NUMBER, Unit.FLAG


def _ms(value_ns: float | None) -> float | None:
    return None if value_ns is None else value_ns / 1e6


def _share(count: int | None, of: int) -> float | None:
    return None if count is None else count / of


def _images_per_second(d: Derived, latency_ns: float | None) -> float | None:
    settings = d.result.settings
    return settings.batch * 1e9 / latency_ns if latency_ns and not settings.rate_hz else None


def _rate_interval(d: Derived) -> Interval | None:
    low = _images_per_second(d, d.latency and d.latency.high_ns)
    high = _images_per_second(d, d.latency and d.latency.low_ns)
    return None if low is None or high is None else (low, high)


@dataclass(frozen=True)
class FurtherFigures:
    """How it was measured, memory by phase, provenance, scenarios, perturbations."""

    variant: str = figure(IDENTITY, TEXT, lambda d: d.result.artifact.variant, "format:precision.")
    emulated: bool = figure(
        IDENTITY, FLAG, lambda d: d.result.emulated,
        "True where the processor was emulated: answers and sizes count, times mean nothing.",
    )  # fmt: skip
    runtime_version: str = figure(IDENTITY, TEXT, lambda d: runtime_version(d.result), "Version of the runtime.")
    machine: str = figure(IDENTITY, TEXT, lambda d: d.conditions.machine, "Processor and cores.")
    preprocess_ms_median: float | None = figure(
        MACHINE, MS, lambda d: _ms(d.latency and d.latency.preprocess_median_ns),
        "Normalising one batch of decoded images into the model's input; not part of the latency.",
    )  # fmt: skip
    processes: int | None = figure(
        IDENTITY, COUNT, lambda d: d.latency and d.latency.processes, "Fresh processes that measured the latency."
    )
    samples: int | None = figure(
        IDENTITY, COUNT, lambda d: d.latency and d.latency.samples, "Timed invokes of all processes together."
    )
    spread_between: float | None = figure(
        MACHINE, SHARE, lambda d: d.latency and d.latency.spread_between,
        "How far the processes' medians lie apart, slowest to fastest, as a share of the median.",
    )  # fmt: skip
    spread_within: float | None = figure(
        MACHINE, SHARE, lambda d: d.latency and d.latency.spread_within,
        "Over how much of the median half of one process's samples spread.",
    )  # fmt: skip
    stopped_by: str = figure(
        IDENTITY, TEXT, lambda d: d.latency.stopped_by if d.latency else "",
        "Why measuring ended: interval (precise enough), budget (time was up) or count.",
    )  # fmt: skip
    memory_method: str = figure(
        IDENTITY, TEXT, lambda d: d.memory.method if d.memory else "", "How the memory was read."
    )
    load_peak_rss_bytes: int | None = figure(
        MACHINE, BYTES, lambda d: d.memory and d.memory.load_peak_bytes,
        "The most memory the process held while it loaded the model.",
    )  # fmt: skip
    first_inference_peak_rss_bytes: int | None = figure(
        MACHINE, BYTES, lambda d: d.memory and d.memory.first_inference_peak_bytes,
        "The most memory it held during the first inference.",
    )  # fmt: skip
    steady_rss_bytes: int | None = figure(
        MACHINE, BYTES, lambda d: d.memory and d.memory.steady_bytes, "Memory it holds once it runs steadily."
    )
    steady_anonymous_bytes: int | None = figure(
        MACHINE, BYTES, lambda d: d.memory and d.memory.steady_anonymous_bytes,
        "The part of that which is its own: heap, stacks, unpacked weights.",
    )  # fmt: skip
    steady_file_bytes: int | None = figure(
        MACHINE, BYTES, lambda d: d.memory and d.memory.steady_file_bytes,
        "The part of that which is mapped files, libraries and weights, which could be dropped.",
    )  # fmt: skip
    gpu_memory_bytes: int | None = figure(
        MACHINE, BYTES, lambda d: d.memory and d.memory.gpu_bytes, "Memory of the GPU that the process holds."
    )
    gpu_memory_method: str = figure(
        IDENTITY, TEXT, lambda d: d.memory.gpu_method if d.memory else "",
        "How that was read: of the process, or the difference to before; where it was not, why.",
    )  # fmt: skip
    agreement_with_host: float | None = figure(
        IMAGES, SHARE, lambda d: d.counts and _share(d.counts.agree_with_host, d.counts.images),
        "On a remote device: share of images with the same first choice as this file gives here.",
        lambda d: d.counts and share_interval(d.counts.agree_with_host, d.counts.images),
    )  # fmt: skip
    sqnr_db: float | None = figure(
        IMAGES, DB, lambda d: d.counts and d.counts.sqnr_db,
        "Signal to noise of the outputs against the source model's; 10 dB more is a third of the error.",
    )  # fmt: skip
    exact: bool | None = figure(
        IMAGES, FLAG, lambda d: d.counts and d.counts.exact,
        "True where every output equals the source model's bit for bit.",
    )  # fmt: skip
    parity_db: float | None = figure(
        GATE, DB, lambda d: d.result.artifact.parity_db, "The same figure at conversion, on the inputs of the gate."
    )
    parameters: int | None = figure(
        ARTIFACT, COUNT, lambda d: d.result.artifact.parameters, "Weights of the source model."
    )
    calibration: str = figure(
        IDENTITY, TEXT, lambda d: calibration_words(d.result), "What set the ranges of an integer precision."
    )
    recipe: str = figure(IDENTITY, TEXT, lambda d: d.result.artifact.recipe, "How it was quantised.")
    evaluation: str = figure(
        IDENTITY, TEXT, lambda d: d.evaluation.data.name if d.evaluation else "", "Name of the evaluation set."
    )
    evaluation_sha256: str = figure(
        IDENTITY, TEXT, lambda d: d.evaluation.data.sha256 if d.evaluation else "",
        "Hash of its original images and labels.",
    )  # fmt: skip
    pixels_sha256: str = figure(
        IDENTITY, TEXT, lambda d: d.evaluation.data.pixels_sha256 if d.evaluation else "",
        "Hash of the resized pixels this model was given, before any perturbation.",
    )  # fmt: skip
    source_sha256: str = figure(
        IDENTITY, TEXT, lambda d: d.result.artifact.source.sha256 if d.result.artifact.source else "",
        "Hash of the source model.",
    )  # fmt: skip
    artifact_sha256: str = figure(IDENTITY, TEXT, lambda d: d.result.artifact.sha256, "Hash of the artifact.")
    created: str = figure(IDENTITY, TEXT, lambda d: d.result.created, "When it was measured, UTC.")
    notes: str = figure(IDENTITY, TEXT, lambda d: "; ".join(d.result.artifact.notes), "What the conversion had to say.")
    scenario: str = figure(
        IDENTITY, TEXT, lambda d: scenario(d.result.settings),
        "How images were sent; empty: one batch after another.",
    )  # fmt: skip
    images_per_second: float | None = figure(
        MACHINE, RATE, lambda d: _images_per_second(d, d.latency and d.latency.median_ns),
        "Images in a second at the median latency, one batch after another.", _rate_interval,
    )  # fmt: skip
    first_minute_ms: float | None = figure(
        MACHINE, MS, lambda d: d.minutes_ns and _ms(d.minutes_ns[0]),
        "Median latency at the beginning of a sustained run: its first minute, or half of a run shorter than two.",
    )  # fmt: skip
    last_minute_ms: float | None = figure(
        MACHINE, MS, lambda d: d.minutes_ns and _ms(d.minutes_ns[1]),
        "The same of its end: higher where the device got hot.",
    )  # fmt: skip
    joules_per_image: float | None = figure(
        MACHINE, JOULES, lambda d: d.joules_per_image,
        "Energy of one image above what the machine draws when idle; empty where nothing counts it.",
    )  # fmt: skip
    subject: str = figure(
        IDENTITY, TEXT, lambda d: d.result.artifact.model,
        "What is compared in accuracy: the model, with its source, images or perturbation where there are several.",
    )  # fmt: skip
    perturbation: str = figure(
        IDENTITY, TEXT, lambda d: d.evaluation.perturbation.kind if d.evaluation and d.evaluation.perturbation else "",
        "What was done to the pixels before the model saw them; empty: nothing.",
    )  # fmt: skip
    severity: float | None = figure(
        IDENTITY, NUMBER, lambda d: d.evaluation and d.evaluation.perturbation and d.evaluation.perturbation.severity,
        "How strongly, in the perturbation's own unit.",
    )  # fmt: skip
    perturbation_seed: int | None = figure(
        IDENTITY, NUMBER, lambda d: d.evaluation and d.evaluation.perturbation and d.evaluation.perturbation.seed,
        "Seed of its random numbers.",
    )  # fmt: skip
