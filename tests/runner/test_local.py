"""The runner in real processes on this machine: what it measures, and what it says when something breaks."""

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from edgebench.devices.base import Phase
from edgebench.devices.local import LocalDevice
from edgebench.records import CRASHED, FAILED, NAN, OK, REFUSED, TIMEOUT, Preprocessing, Settings
from tests.make import make_job
from tests.models import onnx_models

QUICK = Settings(min_runs=20, min_seconds=0, max_seconds=60, precision=0, timeout_seconds=300)
HALF = Preprocessing("test", scale=1 / 255, mean=(0.5,), std=(0.5,))


@pytest.fixture(scope="module")
def device():
    with LocalDevice() as opened:
        yield opened


def job(kind, artifact, runtime="onnxruntime", images="", settings=QUICK):
    odd = {"runtime_module": "tests.runner.misbehaving"} if runtime == "misbehaving" else {}
    values = {"artifact": artifact, "runtime": runtime, "images": images, "settings": settings, **odd}
    return make_job(kind, preprocessing=HALF, layout="", **values)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return onnx_models.classifier(tmp_path_factory.mktemp("model") / "m.onnx")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    path = tmp_path_factory.mktemp("images") / "images.npy"
    np.save(path, np.random.default_rng(3).integers(0, 256, (9, 8, 8, 3), dtype=np.uint8))
    return path


def test_accuracy_gives_the_models_own_outputs(device, model, images):
    import onnxruntime

    phases = []
    outcome = device.run(job("accuracy", model, images=str(images)), phases.append)
    assert outcome.run.status == OK, outcome.run.reason
    session = onnxruntime.InferenceSession(model)
    pixels = (np.load(images).astype(np.float32) / 255 - 0.5) / 0.5
    expected = np.concatenate([session.run(None, {"pixels": image[None]})[0] for image in pixels])
    np.testing.assert_allclose(outcome.outputs, expected, atol=1e-6)
    assert [event.phase for event in phases][:2] == ["imports", "load"]
    assert phases[-1] == Phase("images", 9, 9)


def test_latency_keeps_every_sample_and_the_phases_apart(device, model):
    run = device.run(job("latency", model), lambda event: None).run
    assert run.status == OK and len(run.latency_ns) >= 20
    assert len(run.invoke_ns) == len(run.latency_ns)
    assert all(invoke < whole for invoke, whole in zip(run.invoke_ns, run.latency_ns, strict=True))
    assert run.load_ns > 0 and run.first_inference_ns > 0 and run.import_ns > 0 and len(run.warmup_ns) >= 3
    assert run.runtime_version and run.environment["cores"] == os.cpu_count()
    assert run.environment["providers"] == "CPUExecutionProvider"


def test_memory_is_of_this_process_and_by_phase(device, model):
    ballast = bytearray(os.urandom(1)) * 600_000_000  # ru_maxrss would be inherited from this process
    run = device.run(job("memory", model), lambda event: None).run
    del ballast
    assert [phase.phase for phase in run.memory] == ["imports", "load", "first_inference", "steady"]
    assert all(20e6 < phase.rss_bytes <= phase.peak_rss_bytes < 200e6 for phase in run.memory)
    assert run.memory_method.startswith("VmHWM")


@pytest.mark.parametrize(
    ("behaviour", "status", "reason"),
    [
        ("crash", CRASHED, "the process died of SIGSEGV in phase 'load'"),
        ("hang", TIMEOUT, "no result within 3 s, last seen in phase '"),
        ("exit", FAILED, "exit code 7"),
        ("raise", FAILED, "ZeroDivisionError: by zero"),
    ],
)
def test_what_breaks_is_that_runs_status(device, monkeypatch, behaviour, status, reason):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    settings = Settings(timeout_seconds=3 if behaviour == "hang" else 500)  # a busy machine takes long to begin
    run = device.run(job("accuracy", behaviour, runtime="misbehaving", settings=settings), lambda event: None).run
    assert run.status == status
    assert reason in run.reason


def test_a_time_out_leaves_no_process_behind(device, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    device.run(job("memory", "hang", runtime="misbehaving", settings=Settings(timeout_seconds=2)), lambda event: None)
    assert str(device._folder) not in subprocess.run(["ps", "-Ao", "args"], capture_output=True, text=True).stdout


def test_outputs_that_are_not_numbers(device, tmp_path):
    broken = onnx_models.classifier(tmp_path / "nan.onnx", bias=float("nan"))
    run = device.run(job("accuracy", broken), lambda event: None).run
    assert run.status == NAN
    assert "1 of 1 images gave outputs that are not finite" in run.reason


@pytest.mark.parametrize("name", ["m.onnx", "m.tflite"])
@pytest.mark.parametrize("content", [b"", b"not a model at all", None])
def test_files_that_are_no_models_are_refused(device, tmp_path, model, name, content):
    (tmp_path / name).write_bytes(model.read_bytes()[: model.stat().st_size // 2] if content is None else content)
    runtime = "litert" if name.endswith("tflite") else "onnxruntime"
    run = device.run(job("memory", tmp_path / name, runtime), lambda event: None).run
    assert run.status == REFUSED
    assert run.reason and "\n" not in run.reason


def test_two_inputs_are_refused(device, tmp_path):
    run = device.run(job("memory", onnx_models.two_inputs(tmp_path / "two.onnx")), lambda event: None).run
    assert (run.status, run.reason) == (
        REFUSED,
        "has 2 inputs and 1 outputs; an image classifier has one of each",
    )


def test_a_batch_the_file_cannot_take_is_refused(device, model):
    run = device.run(job("memory", model, settings=Settings(batch=4)), lambda event: None).run
    assert run.status == REFUSED and "fixed at 1" in run.reason


def test_a_free_batch_runs_in_batches(device, tmp_path, images):
    free = onnx_models.classifier(tmp_path / "free.onnx", batch="n")
    single = device.run(job("accuracy", free, images=str(images)), lambda event: None).outputs
    batched = device.run(job("accuracy", free, images=str(images), settings=Settings(batch=4)), lambda event: None)
    np.testing.assert_allclose(batched.outputs, single, atol=1e-6)
