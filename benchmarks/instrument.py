"""What the benchmarks of the measuring itself share: a small artifact, jobs for the wrapper runtime, one process."""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgebench.devices.local import LocalDevice
from edgebench.measures.latency import enough_processes
from edgebench.records import OK, Job, Preprocessing, Run, Settings

HERE = Path(__file__).resolve().parent
BUILT = HERE.parent / "build" / "benchmarks"
MODEL = "keras:MobileNetV2?weights=none&classes=10&input_size=96"


def arguments(description: str) -> argparse.ArgumentParser:
    """Return a parser with the option that all of these share."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--artifact", type=Path, help="a .tflite; default: an untrained MobileNetV2 96x96, built once")
    return parser


def artifact(path: Path | None) -> Path:
    """Return the artifact to measure, converting the default one where it is not there yet."""
    if path is not None:
        return path
    found = sorted(BUILT.rglob("*.tflite"))
    if not found:
        command = [sys.executable, "-m", "edgebench", "convert", MODEL]
        subprocess.run([*command, "--to", "tflite:float32", "--out", str(BUILT)], check=True)
        found = sorted(BUILT.rglob("*.tflite"))
    return found[0]


def run_once(
    device: LocalDevice, path: Path, added: str, settings: Settings, kind: str = "latency", repetition: int = 0
) -> Run:
    """Run one process of the wrapper runtime (see wrapper_runtime.py for `added`); SystemExit where it fails."""
    os.environ["PYTHONPATH"] = str(HERE)  # where the runner finds the wrapper
    job = Job(
        kind=kind,
        artifact=str(path),
        artifact_sha256="",
        runtime=f"litert+{added}",
        runtime_module="wrapper_runtime",
        input=None,
        output=None,
        layout="NHWC",
        preprocessing=Preprocessing("none"),
        images="",
        images_sha256="",
        settings=settings,
        repetition=repetition,
    )
    run = device.run(job, _silent).run
    if run.status != OK:
        raise SystemExit(f"{added}: {run.status}: {run.reason}")
    return run


def _silent(event: dict[str, Any]) -> None:
    """Progress is of no interest here."""


def profile(
    device: LocalDevice, path: Path, arms: Mapping[str, str], settings: Settings, order: random.Random
) -> dict[str, list[Run]]:
    """Measure the arms in rounds of random order, as `edgebench profile --baseline` does; the first is the baseline.

    Until each has enough processes; the baseline is measured for as long as any other is, and each with the baseline.
    """
    runs: dict[str, list[Run]] = {name: [] for name in arms}
    baseline = next(iter(arms))
    for repetition in range(settings.max_processes):
        unsure = [name for name in arms if not enough_processes(runs[name], settings)]
        again = list(arms) if baseline in unsure else [baseline, *unsure] if unsure else []
        for name in order.sample(again, len(again)):
            runs[name].append(run_once(device, path, arms[name], settings, repetition=repetition))
    return runs
