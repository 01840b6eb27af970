"""Jobs, runs and results as the pipeline makes them, with plausible or chosen figures: the tests' one builder."""

from __future__ import annotations

import dataclasses
import hashlib
import random
from pathlib import Path
from typing import Any

from edgebench import registry
from edgebench.devices.base import Device
from edgebench.files import sha256_file, write_json
from edgebench.records import (
    Accuracy,
    Artifact,
    Calibration,
    Evaluation,
    EvaluationSet,
    Job,
    PhaseMemory,
    Preprocessing,
    Result,
    Run,
    Settings,
    Source,
    TensorSpec,
)

MACHINE = {
    "system": "Linux",
    "machine": "x86_64",
    "cpu": "Example Xeon @ 2.50GHz",
    "cores": 2,
    "memory_bytes": 8 * 10**9,
}
SUFFIX = {"savedmodel": "", "tflite": ".tflite", "onnx": ".onnx"}
RUNTIME = {"savedmodel": "tensorflow", "tflite": "litert", "onnx": "onnxruntime"}
VERSIONS = {"tensorflow": "2.21.0", "litert": "2.3.0", "onnxruntime": "1.31.1", "tflite-runtime": "2.14.0"}
MEGA = 1_000_000
PROTOCOL = Settings(processes=3, min_seconds=1.0)
QUICK = Settings(warmup=0, min_runs=1, min_seconds=0, max_seconds=0.01, timeout_seconds=60)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def make_artifact(model: str = "digits", variant: str = "tflite:float32", **changes: Any) -> Artifact:
    form, precision = variant.split(":")
    artifact = Artifact(
        model=model,
        format=form,
        precision=precision,
        status="ok",
        reason="",
        path=f"{model}-{precision}{SUFFIX[form]}",
        sha256=digest(model + variant),
        size_bytes=400_000,
        parameters=98_000,
        input=TensorSpec("image", (1, 32, 32, 1), "float32"),
        output=TensorSpec("logits", (1, 10), "float32"),
        layout="NHWC",
        output_kind="logits",
        labels=tuple("0123456789"),
        preprocessing=Preprocessing("none"),
        source=Source("keras", f"/models/{model}.keras", digest(model)),
        calibration=Calibration("data", 100, digest("calibration"), 0) if precision.startswith("int") else None,
        parity_db=92.5 if precision == "float32" else 31.0,
        parity_inputs="16 images",
    )
    return dataclasses.replace(artifact, **changes)


def make_job(kind: str = "accuracy", device: Device | None = None, **changes: Any) -> Job:
    """A job for the odd runtime, or for `runtime`, whose module is then looked up.

    `artifact` and `images` are paths; with a `device` the files are hashed and put on it.
    """
    runtime = changes.get("runtime", "odd")
    values: dict[str, Any] = {
        "artifact": "",
        "artifact_sha256": "",
        "runtime": runtime,
        "runtime_module": registry.runtimes()[runtime].module if runtime in registry.runtimes() else "odd_runtime",
        "input": None,
        "output": None,
        "layout": "NHWC",
        "preprocessing": Preprocessing("none"),
        "images": "",
        "images_sha256": "",
        "settings": QUICK,
    } | changes
    for name in ("artifact", "images"):
        file = values[name]
        if device is not None and file:
            values[f"{name}_sha256"] = sha256_file(file)
            values[name] = device.put(file, values[f"{name}_sha256"])
    return Job(kind, **{**values, "artifact": str(values["artifact"]), "images": str(values["images"])})


def make_run(latency_ns: tuple[int, ...] = (), repetition: int = 0, **changes: Any) -> Run:
    """One latency process with these samples; further arguments replace fields."""
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
    """Latency processes with normal noise: `between` processes and `within` each of them."""
    generator = random.Random(seed)
    runs = []
    for repetition in range(processes):
        centre = median_ns * (1 + generator.gauss(0, between))
        samples = tuple(int(centre * (1 + generator.gauss(0, within))) for _ in range(count))
        runs.append(make_run(samples, repetition))
    return tuple(runs)


def runs_of(artifact: Artifact, runtime: str, settings: Settings, latency_ms: float, memory_mb: float) -> list[Run]:
    """A memory run and `settings.processes` latency runs of an artifact."""
    random_ns = random.Random(artifact.sha256)
    common: dict[str, Any] = {
        "artifact_sha256": artifact.sha256,
        "runtime": runtime,
        "runtime_version": VERSIONS[runtime],
        "settings": settings,
    }
    memory = (
        PhaseMemory("imports", 40 * MEGA, 41 * MEGA),
        PhaseMemory("load", 44 * MEGA, 45 * MEGA),
        PhaseMemory("first_inference", 46 * MEGA, int(memory_mb * MEGA)),
        PhaseMemory("steady", 46 * MEGA, 46 * MEGA),
    )
    alone: dict[str, Any] = {"load_ns": None, "first_inference_ns": None, "warmup_ns": (), "stopped_by": ""}
    method = "VmHWM, reset for each phase"
    runs = [make_run(kind="memory", memory=memory, memory_method=method, **alone, **common)]
    for repetition in range(settings.processes):
        samples = tuple(int(latency_ms * 1e6 * random_ns.uniform(0.99, 1.02)) for _ in range(150))
        measured = {
            "load_ns": 12_000_000,
            "first_inference_ns": int(latency_ms * 3e6),
            "warmup_ns": (int(latency_ms * 2e6),) * 3,
            "invoke_ns": tuple(int(sample * 0.95) for sample in samples),
            "preprocess_ns": (30_000,) * 8,
            "stopped_by": "count",
            "images": 8,
        }
        runs.append(make_run(samples, repetition, **measured, **common))
    return runs


def make_accuracy(images: int = 500, lost: int = 0, won: int = 0, both: int = 480, **changes: Any) -> Accuracy:
    accuracy = Accuracy(
        images=images,
        top1_correct=both + won,
        top5_correct=images - 2,
        loss=0.12,
        both_correct=both,
        only_artifact_correct=won,
        only_reference_correct=lost,
        neither_correct=images - both - won - lost,
        agree=images - lost - won,
        sqnr_db=34.5,
        reference_sha256=digest("reference"),
    )
    return dataclasses.replace(accuracy, **changes)


def make_set(model: str = "digits", images: int = 500) -> EvaluationSet:
    return EvaluationSet("test", digest("images"), digest("pixels" + model), images, 10, True)


def make_result(
    model: str = "digits",
    variant: str = "tflite:float32",
    latency_ms: float = 2.0,
    memory_mb: float = 60.0,
    artifact: dict[str, Any] | None = None,
    accuracy: Accuracy | None = None,
    settings: Settings | None = None,
    **changes: Any,
) -> Result:
    """One measured cell; `artifact` and further arguments replace fields of its records."""
    made = make_artifact(model, variant, **(artifact or {}))
    chosen = settings or PROTOCOL
    runtime = changes.pop("runtime", RUNTIME[made.format])
    judged = accuracy or make_accuracy()
    data = changes.pop("evaluation", None) or make_set(model, judged.images)
    result = Result(
        artifact=made,
        device="cpu",
        runtime=runtime,
        status="ok",
        reason="",
        settings=chosen,
        runs=tuple(runs_of(made, runtime, chosen, latency_ms, memory_mb)),
        evaluations=(Evaluation(data, judged),),
        created="2026-11-21T01:00:00+00:00",
    )
    return dataclasses.replace(result, **changes)


def make_failed(variant: str = "onnx:int8", status: str = "crashed", reason: str = "", **changes: Any) -> Result:
    result = make_result(variant=variant, **changes)
    return dataclasses.replace(result, status=status, reason=reason, runs=(), evaluations=())


def make_study() -> list[Result]:
    """Two models in every variant on this CPU, one crashed, one refused, and a part of them on an emulated Pi."""
    figures = {
        "savedmodel:float32": (3.0, 190.0, 480_000, 0),
        "tflite:float32": (1.0, 58.0, 400_000, 0),
        "tflite:float16": (1.02, 57.0, 203_000, 0),
        "tflite:dynamic": (0.8, 52.0, 112_000, 1),
        "tflite:int8": (1.7, 51.0, 115_000, 9),
        "onnx:float32": (0.9, 75.0, 398_000, 0),
        "onnx:float16": (1.6, 78.0, 201_000, 0),
        "onnx:dynamic": (0.95, 71.0, 118_000, 2),
    }
    results = []
    for model, scale, both in (("digits-cnn", 0.4, 486), ("mobilenet_v2", 3.1, 470)):
        for variant, (latency, memory, size, lost) in figures.items():
            cell = {
                "model": model,
                "variant": variant,
                "artifact": {"size_bytes": int(size * scale * 4)},
                "accuracy": make_accuracy(both=both - lost, lost=lost, won=lost // 3),
            }
            results.append(make_result(latency_ms=latency * scale, memory_mb=memory + 4 * scale, **cell))
            if variant.startswith("tflite:"):
                runtime = {"device": "virtual-pi", "emulated": True, "runtime": "tflite-runtime"}
                results.append(make_result(latency_ms=latency * 600, memory_mb=memory, **cell, **runtime))
        killed = "the process ended with signal 11 (SIGSEGV) while loading"
        results.append(make_failed("onnx:int8", model=model, reason=killed))
    refused = "conversion failed: SQUARED_DIFFERENCE has no int16x8 kernel; every other precision of this model works"
    results.append(make_failed("tflite:int16x8", "failed", refused, model="digits-cnn", artifact={"sha256": ""}))
    return results


def write_results(folder: Path, results: list[Result]) -> Path:
    """Lay results out as the pipeline does and return the folder."""
    for index, result in enumerate(results):
        artifact = result.artifact
        name = f"{artifact.model}-{artifact.format}-{artifact.precision}-{index}.json".replace("/", "_")
        write_json(folder / "results" / result.device / name, result)
    return folder
