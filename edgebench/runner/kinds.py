"""The kinds of job: memory, latency, accuracy, operators. Each loads the artifact itself, in its own fresh process."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import numpy as np

from edgebench.records import NAN, Job, Run, Scalar, TensorSpec
from edgebench.runner import batching, energy, nvml
from edgebench.runner.measure import measure, no_collection, time_once, warm_up
from edgebench.runner.memory import MemoryProbe
from edgebench.runner.preprocess import guess_layout, model_input, to_real
from edgebench.runner.runtimes import RefusedError, Session
from edgebench.runner.sensors import between, read_state

STEADY_INPUTS = 8  # several inputs in turn, so that one image's values do not decide the latency
MEMORY_STEADY_RUNS = 20
ALL = None


def memory(job: Job, run: Run, runtime: Any, out: Path, emit: Any) -> Run:
    """Measure resident memory after imports, load, first inference and in steady state."""
    del out
    batch = _first_batch(job, job.input) if job.input else None
    probe, gpu_before = MemoryProbe(), _gpu(job)
    probe.end_phase("imports")
    emit("load")
    session, load_ns = _open(job, runtime)
    probe.end_phase("load")
    if batch is None:
        batch = _first_batch(job, session.input)
    with no_collection():
        first = time_once(session, batch)
        probe.end_phase("first_inference")
        emit("steady")
        for _ in range(MEMORY_STEADY_RUNS):
            time_once(session, batch)
        probe.end_phase("steady")
    run = _described(run, session)
    return dataclasses.replace(
        run,
        environment={**run.environment, **_gpu_memory(gpu_before, _gpu(job))},
        load_ns=load_ns,
        first_inference_ns=first.latency_ns,
        memory=tuple(probe.phases),
        memory_method=probe.method,
    )


def latency(job: Job, run: Run, runtime: Any, out: Path, emit: Any) -> Run:
    """Measure load, first inference, warm-up and steady latency; preprocessing is timed on its own."""
    del out
    gpu = job.settings.accelerator == "gpu"
    idle = energy.idle_watts(gpu=gpu)
    emit("load")
    session, load_ns = _open(job, runtime)
    batches, preprocess_ns = [], []
    images = _images(job, session.input, STEADY_INPUTS * job.settings.batch)
    for start in range(0, len(images), job.settings.batch):
        chosen = _full(images[start : start + job.settings.batch], job.settings.batch)
        begin = perf_counter_ns()
        batches.append(_batch(job, chosen, session.input))
        preprocess_ns.append(perf_counter_ns() - begin)
    emit("warm-up")
    with no_collection():
        first = time_once(session, batches[0])
        warmup_ns = warm_up(session, batches, job.settings)
    emit("steady")
    before, meter = read_state(), energy.read(gpu=gpu)
    steady = measure(session, batches, job.settings)
    machine = {**energy.table(meter, energy.read(gpu=gpu), idle), **between(before, read_state())}
    run = _described(run, session)
    return dataclasses.replace(
        run,
        environment={**run.environment, **machine},
        load_ns=load_ns,
        first_inference_ns=first.latency_ns,
        warmup_ns=warmup_ns,
        latency_ns=tuple(sample.latency_ns for sample in steady.samples),
        invoke_ns=tuple(sample.invoke_ns for sample in steady.samples),
        preprocess_ns=tuple(preprocess_ns),
        stopped_by=steady.stopped_by,
        images=len(images),
    )


def accuracy(job: Job, run: Run, runtime: Any, out: Path, emit: Any) -> Run:
    """Run every image of the job and write float32 outputs (images, classes), dequantised, to outputs.npy."""
    emit("load")
    session, load_ns = _open(job, runtime)
    run = dataclasses.replace(_described(run, session), load_ns=load_ns)
    images = _images(job, session.input, ALL)
    chosen = range(len(images))[job.first : job.last or None]

    def outputs(session: Session, start: int, stop: int, size: int) -> Any:
        """Return float32 (images, classes) of these of the chosen images; a last batch that is not full is filled."""
        rows = []
        for at in range(start, stop, size):
            chunk = read_rows(images, chosen.start + at, chosen.start + min(at + size, stop))
            session.copy_in(_batch(job, _full(chunk, size), session.input))
            session.invoke()
            rows.append(to_real(session.copy_out(), session.output)[: len(chunk)].astype(np.float32))
        return np.concatenate(rows)

    better = batching.choose(job, runtime, session, len(chosen), outputs)
    size = job.settings.batch if better.session is None else batching.SIZE
    if better.words:
        run = dataclasses.replace(run, environment={**run.environment, batching.FACT: better.words})
    broken = []
    whole = out / "outputs.npy"
    partial = whole.with_suffix(".partial")
    with partial.open("wb") as stream:
        for start in range(0, len(chosen), size):
            stop = min(start + size, len(chosen))
            values = outputs(better.session or session, start, stop, size)
            if start == 0:
                header = {"descr": "<f4", "fortran_order": False, "shape": (len(chosen), values.shape[1])}
                np.lib.format.write_array_header_1_0(stream, header)
            stream.write(values.astype("<f4", copy=False).tobytes())
            broken += [chosen.start + start + int(at) for at in np.flatnonzero(~np.isfinite(values).all(axis=1))]
            emit("images", done=stop, total=len(chosen))
    partial.replace(whole)
    run = dataclasses.replace(run, images=len(chosen))
    if broken:
        reason = (
            f"{len(broken)} of {len(chosen)} images gave outputs that are not finite, the first is image {broken[0]}"
        )
        return dataclasses.replace(run, status=NAN, reason=reason)
    return run


def read_rows(images: Any, start: int, stop: int) -> Any:
    """Return these images in memory. A file's are read, not mapped: mapped pages would count as the process's own."""
    if not isinstance(images, np.memmap):
        return images[start:stop]
    row = images[0].nbytes
    with Path(str(images.filename)).open("rb") as stream:
        stream.seek(images.offset + start * row)
        values = np.frombuffer(stream.read((stop - start) * row), images.dtype)
    return values.reshape(stop - start, *images.shape[1:])


def operators(job: Job, run: Run, runtime: Any, out: Path, emit: Any) -> Run:
    """Time each operator, where the runtime can tell; where it cannot, the run says so and is ok."""
    emit("load")
    session, _ = _open(job, runtime)
    batch, run = _first_batch(job, session.input), _described(run, session)
    session.close()
    if not hasattr(runtime, "operator_times"):
        return dataclasses.replace(run, reason=f"{job.runtime} does not tell the time of each operator")
    emit("operators")
    return dataclasses.replace(run, operators=runtime.operator_times(job.artifact, job.settings, batch, out))


KINDS = {"memory": memory, "latency": latency, "accuracy": accuracy, "operators": operators}


def _open(job: Job, runtime: Any) -> tuple[Session, int]:
    start = perf_counter_ns()
    session = runtime.open_session(job.runtime, job.artifact, job.settings)
    load_ns = perf_counter_ns() - start
    if len(session.input.shape) != 4:
        raise RefusedError(f"its input has shape {session.input.shape}; an image classifier takes four dimensions")
    return session, load_ns


def _described(run: Run, session: Session) -> Run:
    return dataclasses.replace(
        run,
        runtime_version=session.version,
        input=session.input,
        output=session.output,
        environment={**run.environment, **session.facts()},
    )


def _gpu(job: Job) -> nvml.Reading | str | None:
    return nvml.read() if job.settings.accelerator == "gpu" else None


def _gpu_memory(before: nvml.Reading | str | None, after: nvml.Reading | str | None) -> dict[str, Scalar]:
    """Return this process's device memory, or where that is hidden how much more is in use than before, labelled.

    Where it was not measured, the label says why.
    """
    if before is None or after is None:
        return {}
    if isinstance(before, str) or isinstance(after, str):
        return {"gpu_memory_method": f"not measured: {after if isinstance(after, str) else before}"}
    if after.own_bytes is not None:
        return {"gpu": after.name, "gpu_memory_bytes": after.own_bytes, "gpu_memory_method": "of the process (NVML)"}
    if before.used_bytes is None or after.used_bytes is None:
        reason = "not measured: the driver tells neither the process's memory nor the GPU's"
        return {"gpu": after.name, "gpu_memory_method": reason}
    used = after.used_bytes - before.used_bytes
    return {"gpu": after.name, "gpu_memory_bytes": used, "gpu_memory_method": "difference to idle (NVML)"}


def _layout(job: Job, spec: TensorSpec) -> str:
    return job.layout or guess_layout(spec.shape)


def _first_batch(job: Job, spec: TensorSpec) -> Any:
    return _batch(job, _full(_images(job, spec, job.settings.batch), job.settings.batch), spec)


def _full(images: Any, size: int) -> Any:
    """Return a whole batch of `size` images in memory; where there are too few, they repeat."""
    return np.resize(images, (size, *images.shape[1:]))


def _images(job: Job, spec: TensorSpec | None, most: int | None) -> Any:
    """Return at most so many uint8 NHWC images, memory-mapped; seeded noise where the job names none."""
    if job.images:
        return np.load(job.images, mmap_mode="r", allow_pickle=False)[:most]
    assert spec is not None
    shape = spec.shape[1:] if _layout(job, spec) == "NHWC" else (*spec.shape[2:], spec.shape[1])
    return np.random.default_rng(job.settings.seed).integers(0, 256, size=(most or 1, *shape), dtype=np.uint8)


def _batch(job: Job, images: Any, spec: TensorSpec | None) -> Any:
    assert spec is not None
    return model_input(images, job.preprocessing, spec, _layout(job, spec))
