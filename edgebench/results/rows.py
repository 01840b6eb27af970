"""Result -> Row: one flat line of figures, the columns of report.csv in their order.

The first columns, up to `stability`, are the contract of DESIGN.md; later ones may grow. None means not measured.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from edgebench.measures.latency import LatencySummary, first_and_last, joules_per_image, latency_summary
from edgebench.measures.stability import stability
from edgebench.measures.summary import summary as accuracy_summary
from edgebench.records import OK, PhaseMemory, Result
from edgebench.results.conditions import calibration_words, conditions, runtime_version, scenario


@dataclass(frozen=True)
class Row:
    """One result as a reader compares it: shares 0..1, `_ms` milliseconds, `_bytes` bytes, `_db` decibels."""

    model: str
    format: str
    precision: str
    device: str
    runtime: str
    status: str
    reason: str
    size_bytes: int | None
    images: int | None
    top1: float | None
    top5: float | None
    loss: float | None
    top1_reference: float | None
    top1_drop: float | None
    top1_drop_low: float | None
    top1_drop_high: float | None
    agreement: float | None
    drift_verdict: str
    load_ms: float | None
    first_inference_ms: float | None
    latency_ms_median: float | None
    latency_ms_low: float | None
    latency_ms_high: float | None
    latency_ms_p90: float | None
    latency_ms_p99: float | None
    invoke_ms_median: float | None
    threads: int
    batch: int
    peak_rss_bytes: int | None
    model_rss_bytes: int | None
    stability: str
    # From here on: useful, and free to grow.
    variant: str
    emulated: bool
    runtime_version: str
    machine: str
    preprocess_ms_median: float | None
    processes: int | None
    samples: int | None
    spread_between: float | None
    spread_within: float | None
    stopped_by: str
    memory_method: str
    load_peak_rss_bytes: int | None
    first_inference_peak_rss_bytes: int | None
    steady_rss_bytes: int | None
    steady_anonymous_bytes: int | None
    steady_file_bytes: int | None
    gpu_memory_bytes: int | None
    gpu_memory_method: str
    agreement_with_host: float | None
    sqnr_db: float | None
    exact: bool | None
    parity_db: float | None
    parameters: int | None
    calibration: str
    recipe: str
    evaluation: str
    evaluation_sha256: str
    pixels_sha256: str
    source_sha256: str
    artifact_sha256: str
    created: str
    notes: str
    scenario: str  # empty: one image after another
    images_per_second: float | None
    first_minute_ms: float | None
    last_minute_ms: float | None
    joules_per_image: float | None
    subject: str  # the model, and its source or images where the report holds several of either under that name

    @property
    def ok(self) -> bool:
        """Whether the cell was measured."""
        return self.status == OK

    @property
    def label(self) -> str:
        """Subject and variant."""
        return f"{self.subject} {self.variant}"


COLUMNS = tuple(field.name for field in dataclasses.fields(Row))


def to_row(result: Result) -> Row:
    """Derive every figure of one result from its raw samples and counts."""
    artifact, evaluation = result.artifact, result.evaluation
    return Row(
        model=artifact.model,
        format=artifact.format,
        precision=artifact.precision,
        device=result.device,
        runtime=result.runtime,
        status=result.status,
        reason=result.reason,
        size_bytes=artifact.size_bytes or None,
        threads=result.settings.threads,
        batch=result.settings.batch,
        variant=artifact.variant,
        emulated=result.emulated,
        runtime_version=runtime_version(result),
        machine=conditions(result).machine,
        parity_db=artifact.parity_db,
        parameters=artifact.parameters,
        calibration=calibration_words(result),
        recipe=artifact.recipe,
        evaluation=evaluation.name if evaluation else "",
        evaluation_sha256=evaluation.sha256 if evaluation else "",
        pixels_sha256=evaluation.pixels_sha256 if evaluation else "",
        source_sha256=artifact.source.sha256 if artifact.source else "",
        artifact_sha256=artifact.sha256,
        created=result.created,
        notes="; ".join(artifact.notes),
        subject=artifact.model,
        **_accuracy_columns(result),
        **_latency_columns(result),
        **_scenario_columns(result),
        **_memory_columns(result),
    )


def row_of(result: Result) -> dict[str, Any]:
    """Return the row of one result as JSON values."""
    return dataclasses.asdict(to_row(result))


def with_subjects(rows: Sequence[Row]) -> list[Row]:
    """Tell rows of one model name apart where they come from two sources or were judged on two sets of images.

    Only rows of one subject are compared in accuracy. A row that knows no source or images joins the model's first.
    """
    found = []
    for row in rows:
        same = [other for other in rows if other.model == row.model]
        parts = []
        for word, column in _TELL_APART.items():
            known = list(dict.fromkeys(getattr(other, column) for other in same if getattr(other, column)))
            if len(known) > 1:
                parts.append(f"{word} {(getattr(row, column) or known[0])[:8]}")
        found.append(dataclasses.replace(row, subject=f"{row.model} ({', '.join(parts)})" if parts else row.model))
    return found


EMULATED = "emulated: times and memory are the emulator's"
_TELL_APART = {"source": "source_sha256", "images": "evaluation_sha256", "pixels": "pixels_sha256"}


def _accuracy_columns(result: Result) -> dict[str, Any]:
    accuracy = result.accuracy
    summary = accuracy_summary(accuracy) if accuracy else None
    return {
        **{name: getattr(summary, name) if summary else None for name in _ACCURACY},
        "images": accuracy.images if accuracy else None,
        "drift_verdict": str(summary.verdict) if summary else "",
        "sqnr_db": accuracy.sqnr_db if accuracy else None,
        "exact": accuracy.exact if accuracy else None,
        "agreement_with_host": _share(accuracy.agree_with_host, accuracy.images) if accuracy else None,
    }


_ACCURACY = ("top1", "top5", "loss", "top1_reference", "top1_drop", "top1_drop_low", "top1_drop_high", "agreement")


def _latency_columns(result: Result) -> dict[str, Any]:
    summary: LatencySummary | None = latency_summary(result.runs)
    if summary is None:
        names = [*_LATENCY, "processes", "samples", "spread_between", "spread_within"]
        return {**dict.fromkeys(names), "stopped_by": "", "stability": ""}
    verdict = stability(result.runs)
    return {
        **{column: _ms(getattr(summary, name)) for column, name in _LATENCY.items()},
        "processes": summary.processes,
        "samples": summary.samples,
        "spread_between": summary.spread_between,
        "spread_within": summary.spread_within,
        "stopped_by": summary.stopped_by,
        "stability": EMULATED if result.emulated else str(verdict),
    }


_LATENCY = {
    "load_ms": "load_ns",
    "first_inference_ms": "first_inference_ns",
    "latency_ms_median": "median_ns",
    "latency_ms_low": "low_ns",
    "latency_ms_high": "high_ns",
    "latency_ms_p90": "p90_ns",
    "latency_ms_p99": "p99_ns",
    "invoke_ms_median": "invoke_median_ns",
    "preprocess_ms_median": "preprocess_median_ns",
}


def _scenario_columns(result: Result) -> dict[str, Any]:
    """How images were sent, and what only some scenarios or machines tell."""
    settings = result.settings
    summary = latency_summary(result.runs)
    first, last = first_and_last(result.runs) or (None, None)
    return {
        "scenario": scenario(settings),
        "images_per_second": settings.batch * 1e9 / summary.median_ns if summary and not settings.rate_hz else None,
        "first_minute_ms": _ms(first),
        "last_minute_ms": _ms(last),
        "joules_per_image": joules_per_image(result.runs),
    }


def _ms(value_ns: float | None) -> float | None:
    return None if value_ns is None else value_ns / 1e6


def _share(count: int | None, of: int) -> float | None:
    return None if count is None else count / of


def _memory_columns(result: Result) -> dict[str, Any]:
    """The peak of the whole process, how far it lies above the level after imports, and the phases."""
    run = next((r for r in reversed(result.runs) if r.kind == "memory" and r.status == OK and r.memory), None)
    phases: dict[str, PhaseMemory] = {phase.phase: phase for phase in run.memory} if run else {}
    told = run.environment if run else {}
    gpu, gpu_method = told.get("gpu_memory_bytes"), told.get("gpu_memory_method")
    peak = max((phase.peak_rss_bytes for phase in phases.values()), default=0)

    def of(phase: str, figure: str) -> int | None:
        return getattr(phases.get(phase), figure, None)

    imports = of("imports", "rss_bytes")
    return {
        "peak_rss_bytes": peak if phases else None,
        "model_rss_bytes": None if imports is None else max(peak - imports, 0),
        "load_peak_rss_bytes": of("load", "peak_rss_bytes"),
        "first_inference_peak_rss_bytes": of("first_inference", "peak_rss_bytes"),
        "steady_rss_bytes": of("steady", "rss_bytes"),
        "steady_anonymous_bytes": of("steady", "anonymous_bytes"),
        "steady_file_bytes": of("steady", "file_bytes"),
        "memory_method": run.memory_method if run else "",
        "gpu_memory_bytes": gpu if isinstance(gpu, int) else None,
        "gpu_memory_method": gpu_method if isinstance(gpu_method, str) else "",
    }
