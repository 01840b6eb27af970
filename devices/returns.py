"""What a runner process left behind, checked before anything uses it: it may come from a device that lies."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import signal
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgebench.devices.base import Outcome, Phase
from edgebench.devices.text import clean_text
from edgebench.errors import UsageError
from edgebench.files import MAX_RECORD_BYTES, parse_record
from edgebench.records import CRASHED, FAILED, NAN, OK, STATUSES, TIMEOUT, Job, Run

MAX_NPY_HEADER = 4096
MAX_CLASSES = 1_000_000
MAX_LINE = 8192
MAX_PHASE = 40
MAX_FACTS = 200
MAX_OPERATORS = 100_000
MAX_SIDE, MAX_VALUES = 1 << 20, 1 << 28  # of a tensor: the host will make images of this size
DTYPES = ("float32", "float16", "float64", "uint8", "int8", "int16", "int32", "int64")


def read_outcome(job: Job, folder: Path, code: int | None, stderr: str, phase: str, rows: int | None = None) -> Outcome:
    """Turn run.json and outputs.npy in `folder` into an outcome, or say why there is none.

    `code` is the process's exit code, minus a signal's number, or None where it was stopped for time; `rows` is how
    many images the job had, where the host knows. What does not belong to `job`, or is malformed, is a failed run.
    """
    if code is None:
        return failed(
            job, TIMEOUT, f"no result within {job.settings.timeout_seconds:g} s, last seen in phase {phase!r}"
        )
    if code < 0:
        return failed(job, CRASHED, f"the process died of {signal_name(-code)} in phase {phase!r}")
    if not (folder / "run.json").exists():
        lines = stderr.strip().splitlines()
        return failed(job, FAILED, f"exit code {code}: {clean_text(lines[-1]) if lines else 'no message'}")
    try:
        run = _read_run(folder / "run.json", job)
        outputs = _read_outputs(folder / "outputs.npy", run, rows) if job.kind == "accuracy" else None
    except (UsageError, RecursionError) as error:
        return failed(job, FAILED, f"what came back is not a run of this job: {error}")
    return judge(job, Outcome(run, outputs))


def judge(job: Job, outcome: Outcome) -> Outcome:
    """Return the outcome, or a failed run in its place where it says ok and holds what no measurement can bring.

    Whatever device it comes from passes here before it is kept: a number that cannot be would break every later step.
    """
    run, outputs = outcome.run, outcome.outputs
    if run.status != OK:
        return Outcome(run, None)
    fault = _fault(run) or (_fault_of_outputs(job, outputs) if job.kind == "accuracy" else "")
    if fault:
        return failed(job, FAILED, f"what came back is not a run of this job: {fault}")
    if outputs is not None and not np.isfinite(outputs).all():
        return failed(job, NAN, "outputs that are not finite, in a run that says it is ok")
    return outcome


def _fault(run: Run) -> str:
    """Return what is missing or impossible in a run that says it is ok; empty where nothing is."""
    if run.input is None or run.output is None:
        return "it does not say what the artifact's input and output are"
    for spec, dimensions in ((run.input, (4,)), (run.output, range(1, 7))):
        if len(spec.shape) not in dimensions or not all(1 <= size <= MAX_SIDE for size in spec.shape):
            return f"a tensor of shape {str(spec.shape)[:60]} is no image classifier's"
        if math.prod(spec.shape) > MAX_VALUES or spec.dtype not in DTYPES or spec.scale < 0:
            return f"no tensor is {spec.dtype[:20]!r} of shape {str(spec.shape)[:60]} with scale {spec.scale:g}"
    if run.kind == "latency" and (not run.latency_ns or run.first_inference_ns is None):
        return "a latency without samples"
    if run.kind == "memory" and not run.memory:
        return "no phase of memory"
    measured = (*run.latency_ns, *run.invoke_ns, *run.warmup_ns)
    if any(value < 1 for value in measured) or (run.first_inference_ns is not None and run.first_inference_ns < 1):
        return "an inference in 0 ns"
    return ""


def _fault_of_outputs(job: Job, outputs: npt.NDArray[np.float32] | None) -> str:
    if outputs is None:
        return "it brought no outputs.npy"
    if outputs.ndim != 2 or 0 in outputs.shape:
        return f"outputs of shape {outputs.shape}"
    classes = math.prod(job.output.shape[1:]) if job.output is not None else outputs.shape[1]
    return f"{outputs.shape[1]} outputs an image, the artifact has {classes}" if outputs.shape[1] != classes else ""


def failed(job: Job, status: str, reason: str) -> Outcome:
    """Return a run of `job` that has a reason in place of numbers."""
    run = Run(
        kind=job.kind,
        status=status,
        reason=clean_text(reason),
        artifact_sha256=job.artifact_sha256,
        runtime=job.runtime,
        runtime_version="",
        repetition=job.repetition,
        settings=job.settings,
    )
    return Outcome(run, None)


def parse_phase(line: bytes) -> Phase | None:
    """Return the progress in one line of the runner's, only known fields of sane values, or None where it is none."""
    try:
        value = json.loads(line[:MAX_LINE])
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or value.get("event") != "phase":
        return None
    phase = value.get("phase")
    if not isinstance(phase, str) or not phase.replace("_", "").replace("-", "").isalnum() or len(phase) > MAX_PHASE:
        return None
    done, total = (value.get(key) for key in ("done", "total"))
    counted = type(done) is int and type(total) is int and 0 <= done <= total < 2**40
    return Phase(phase, done, total) if counted else Phase(phase)


def signal_name(number: int) -> str:
    """Return SIGSEGV for 11."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def most_output_bytes(job: Job, rows: int | None) -> int:
    """Return the largest outputs.npy that `job` can honestly bring."""
    classes = math.prod(job.output.shape[1:]) if job.output else MAX_CLASSES
    return MAX_NPY_HEADER + 4 * rows * classes if rows else MAX_RECORD_BYTES


def _read_run(path: Path, job: Job) -> Run:
    if path.is_symlink() or path.stat().st_size > MAX_RECORD_BYTES:
        raise UsageError("run.json is too large or no plain file")
    run = parse_record(Run, path.read_bytes(), "run.json")
    for field in ("kind", "artifact_sha256", "runtime", "repetition", "settings"):
        if getattr(run, field) != getattr(job, field):
            raise UsageError(f"run.json has {field} {getattr(run, field)!r}, the job {getattr(job, field)!r}"[:300])
    if run.status not in STATUSES:
        raise UsageError(f"run.json has the unknown status {run.status[:40]!r}")
    times = (*run.latency_ns, *run.invoke_ns, *run.warmup_ns, *run.preprocess_ns)
    levels = [level for phase in run.memory for level in (phase.rss_bytes, phase.peak_rss_bytes)]
    if any(not 0 <= value < 2**62 for value in (*times, *levels, run.import_ns, run.load_ns or 0, run.images)):
        raise UsageError("run.json has a time, size or count outside all reason")
    scales = [spec.scale for spec in (run.input, run.output) if spec is not None]
    facts = [value for value in run.environment.values() if isinstance(value, float)]
    if not all(math.isfinite(value) for value in (run.seconds, *scales, *facts)):
        raise UsageError("run.json has a number that is not finite")
    if len(run.environment) > MAX_FACTS or len(run.operators) > MAX_OPERATORS:
        raise UsageError("run.json has more facts or operators than there can be")
    return _clean_run(run)


def _clean_run(run: Run) -> Run:
    """Return the run with every free text bounded and printable."""
    return dataclasses.replace(
        run,
        reason=clean_text(run.reason),
        runtime_version=clean_text(run.runtime_version),
        stopped_by=clean_text(run.stopped_by),
        memory_method=clean_text(run.memory_method),
        started=clean_text(run.started),
        environment={
            clean_text(key): clean_text(value) if isinstance(value, str) else value
            for key, value in run.environment.items()
        },
        operators=tuple(
            dataclasses.replace(one, name=clean_text(one.name), kind=clean_text(one.kind), place=clean_text(one.place))
            for one in run.operators
        ),
    )


def _read_outputs(path: Path, run: Run, rows: int | None) -> npt.NDArray[np.float32] | None:
    """Read float32 (images, classes); the header is checked before the array is made."""
    if not path.exists():
        return None
    expected = rows if rows is not None else run.images
    try:
        with path.open("rb") as stream:
            version = np.lib.format.read_magic(stream)
            if version != (1, 0):
                raise UsageError(f"outputs.npy has format {version}")
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream, max_header_size=MAX_NPY_HEADER)
            if dtype != np.float32 or fortran or len(shape) != 2 or shape[0] != expected:
                raise UsageError(f"outputs.npy is {dtype}{shape}; expected float32 ({expected}, classes)")
            if os.fstat(stream.fileno()).st_size - stream.tell() != 4 * shape[0] * shape[1]:
                raise UsageError("outputs.npy is shorter or longer than its header says")
            return np.fromfile(stream, dtype="<f4").reshape(shape).astype(np.float32, copy=False)
    except (ValueError, OSError) as error:
        raise UsageError(f"outputs.npy cannot be read: {error}") from error
