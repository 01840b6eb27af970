"""Latency runs and results with chosen figures."""

from __future__ import annotations

import random
from typing import Any

from edgebench.records import Accuracy as Counts
from edgebench.records import Artifact, Evaluation, EvaluationSet, PhaseMemory, Result, Run, Settings, TensorSpec

MACHINE = {"system": "Linux", "machine": "aarch64", "cpu": "Example", "cores": 4}
SET = EvaluationSet("test", "e" * 64, "p" * 64, 1000, 10, True)
COUNTS = Counts(
    images=1000,
    top1_correct=900,
    both_correct=880,
    only_artifact_correct=20,
    only_reference_correct=30,
    neither_correct=70,
    agree=950,
)
SPEC = TensorSpec("x", (1, 8, 8, 3), "float32")


def make_run(latency_ns: tuple[int, ...], repetition: int = 0, **changes: Any) -> Run:
    values: dict[str, Any] = {
        "kind": "latency",
        "status": "ok",
        "reason": "",
        "artifact_sha256": "a",
        "runtime": "litert",
        "runtime_version": "2.3.0",
        "repetition": repetition,
        "settings": Settings(),
        "latency_ns": latency_ns,
        "invoke_ns": tuple(value - 10 for value in latency_ns),
        "load_ns": 5_000_000,
        "first_inference_ns": 3_000_000,
        "warmup_ns": (2_000_000,) * 10,
        "stopped_by": "interval",
        "environment": MACHINE,
    }
    return Run(**{**values, **changes})


def make_runs(
    median_ns: float, processes: int = 10, between: float = 0.01, within: float = 0.02, seed: int = 0, count: int = 60
) -> tuple[Run, ...]:
    """Log-normal noise: `between` processes and `within` each of them."""
    generator = random.Random(seed)
    runs = []
    for repetition in range(processes):
        centre = median_ns * (1 + generator.gauss(0, between))
        samples = tuple(int(centre * (1 + generator.gauss(0, within))) for _ in range(count))
        runs.append(make_run(samples, repetition))
    return tuple(runs)


def make_result(median_ns: float = 2e6, model: str = "digits", variant: str = "tflite:int8", **changes: Any) -> Result:
    form, _, precision = variant.partition(":")
    artifact = Artifact(
        model=model,
        format=form,
        precision=precision,
        status="ok",
        reason="",
        path="m.tflite",
        sha256="a" * 64,
        size_bytes=1000,
        parameters=10,
        input=SPEC,
        output=SPEC,
        layout="NHWC",
        output_kind="logits",
        labels=(),
        preprocessing=None,
        source=None,
    )
    memory = make_run(
        (), kind="memory", memory=(PhaseMemory("imports", 10**7, 10**7), PhaseMemory("load", 10**7, 2 * 10**7))
    )
    values: dict[str, Any] = {
        "artifact": artifact,
        "device": "pi",
        "runtime": "litert",
        "status": "ok",
        "reason": "",
        "settings": Settings(),
        "runs": (memory, *make_runs(median_ns, seed=changes.pop("seed", 0))),
        "evaluations": (Evaluation(SET, COUNTS),),
        "created": "2026-11-21T00:00:00+00:00",
    }
    return Result(**{**values, **changes})
