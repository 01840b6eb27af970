"""The gate that every artifact passes: each branch, and the figure on both sides of each of its limits."""

import math

import numpy as np
import pytest

from edgebench.devices.base import Outcome
from edgebench.errors import UsageError
from edgebench.pipeline import acceptance
from edgebench.pipeline.acceptance import judge, run_gate, run_once
from edgebench.records import FAILED, NAN, OK, TIMEOUT, Preprocessing, TensorSpec
from edgebench.variants import PRECISIONS
from tests.make import make_run
from tests.models import onnx_models

SPECS = {"input": TensorSpec("x", (1, 4, 4, 3), "float32"), "output": TensorSpec("y", (1, 3), "float32")}
REFERENCE = np.array([[1.0, 2.0, 2.0], [3.0, 0.0, 0.0], [0.0, 4.0, 1.0]], np.float32)


def verdict(outputs, reference=REFERENCE, precision="float32", **specs):
    run = make_run(kind="accuracy", **{**SPECS, **specs})
    found = judge(run, np.asarray(outputs, np.float32), np.asarray(reference, np.float32), precision)
    assert (found.input, found.output) == (run.input, run.output)
    return found


def at_ratio(decibels):
    """Outputs whose noise lies this far below the reference."""
    noise = np.array([[1.0, -1.0, 1.0], [-1.0, 1.0, 1.0], [1.0, 1.0, -1.0]])
    power = math.sqrt((REFERENCE**2).sum() / (noise**2).sum() / 10 ** (decibels / 10))
    return REFERENCE + power * noise


def test_the_source_models_own_numbers_come_first():
    found = verdict(np.full((3, 3), np.nan), [[1.0, np.inf, 0.0]] * 3)
    assert (found.status, found.parity_db) == (NAN, None)
    assert found.reason == "the source model itself gives outputs that are not finite on the gate's inputs"


def test_the_shape():
    found = verdict(REFERENCE[:, :2])
    assert (found.status, found.reason) == (FAILED, "gives outputs of shape (3, 2), the source model (3, 3)")
    assert verdict(REFERENCE[:2]).status == FAILED


def test_outputs_that_are_no_numbers():
    outputs = REFERENCE.copy()
    outputs[1, 1] = np.nan
    found = verdict(outputs)
    assert (found.status, found.reason) == (NAN, "gives outputs that are not finite numbers on the gate's inputs")
    assert verdict(np.where(REFERENCE == 4, -np.inf, REFERENCE)).status == NAN


def test_zeros_prove_nothing():
    found = verdict(REFERENCE, np.zeros((3, 3)))
    assert found.status == FAILED
    assert found.reason == "the source model gives zeros on every input of the gate: nothing to compare"


def test_bit_for_bit():
    found = verdict(REFERENCE)
    assert (found.status, found.reason, found.parity_db) == (OK, "", None)
    assert found.notes == ("outputs equal the source model's bit for bit on the gate's inputs",)
    assert verdict(REFERENCE[:1].repeat(3, 0), REFERENCE[:1].repeat(3, 0)).status == OK  # though all rows are the same


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_the_right_shape_is_not_enough(precision):
    required = PRECISIONS[precision].least_parity_db
    below, above = (verdict(at_ratio(required + step), precision=precision) for step in (-0.01, 0.01))
    assert (below.status, above.status) == (FAILED, OK), required
    assert below.parity_db == pytest.approx(required - 0.01, abs=1e-3)
    assert above.parity_db == pytest.approx(required + 0.01, abs=1e-3)
    assert below.reason == (
        f"parity with the source model is {below.parity_db:.1f} dB, {required:.0f} are required"
    ) and (above.reason, above.notes) == ("", ())
    assert verdict(REFERENCE[::-1], precision=precision).status == FAILED


def test_what_is_required_of_each_precision():
    """Of a quantised artifact only a drift that the report shows; float ones are the model or they are not."""
    least = {name: precision.least_parity_db for name, precision in PRECISIONS.items()}
    assert (least["float32"], least["float16"]) == (60.0, 20.0)
    for precision in [name for name in least if not name.startswith("float")] + ["unknown"]:
        assert verdict(at_ratio(-20.0), precision=precision).status == OK


NEARLY = np.array([[5.0, 1.0], [5.05, 1.0], [4.95, 1.0]])  # spread 0.1, its mean at 37 dB


def test_one_answer_to_everything_is_refused():
    found = verdict(NEARLY[:1].repeat(3, 0), NEARLY, "int8")
    assert (found.status, found.reason) == (FAILED, "gives the same output for every input of the gate")
    assert found.parity_db == pytest.approx(10 * math.log10((NEARLY**2).sum() / 0.005), abs=1e-3)


@pytest.mark.parametrize(("scale", "status"), [(0.0, FAILED), (0.0499, FAILED), (0.0501, OK), (0.06, OK)])
def test_unless_the_source_models_own_answers_lie_within_two_steps(scale, status):
    """0.1 lies between two steps of 0.0499 and two of 0.0501; without a scale a step is 5.05 / 255."""
    found = verdict(NEARLY[:1].repeat(3, 0), NEARLY, "int8", output=TensorSpec("y", (1, 2), "int8", scale))
    assert found.status == status and found.parity_db is not None
    if status == OK:
        assert found.notes == ("the source model's outputs differ by less than one step of the output's scale",)
        assert found.reason == ""


def test_without_a_scale_a_step_is_a_255th_of_the_largest_number():
    for spread, status in ((2.02 / 255, FAILED), (1.98 / 255, OK)):
        reference = np.array([[-1.0, 0.5], [-1.0, 0.5 + spread]])
        for output in (SPECS["output"], None):
            assert verdict(reference[:1].repeat(2, 0), reference, "int8", output=output).status == status


def test_answers_that_differ_a_little_pass():
    assert verdict(at_ratio(60.0)).notes == ()
    same = np.array([[1.0, 2.0]] * 3)
    assert verdict(same + 1e-4, same).notes == ()  # the source model gives the same answer to everything, too


class Fixed:
    """A device that brings what it was given."""

    def __init__(self, outcome):
        self.outcome, self.jobs, self.put_files = outcome, [], []

    def put(self, path, sha256):
        self.put_files.append((path, sha256))
        return f"/there/{path.name}"

    def run(self, job, progress):
        self.jobs.append(job)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


@pytest.fixture
def files(tmp_path):
    np.save(tmp_path / "parity.npy", np.zeros((3, 4, 4, 3), np.uint8))
    np.save(tmp_path / "reference.npy", REFERENCE)
    onnx_models.classifier(tmp_path / "m.onnx")
    return tmp_path / "m.onnx", tmp_path / "parity.npy", tmp_path / "reference.npy"


def gate(outcome, files, variant="onnx:float32"):
    file, parity, reference = files
    device = Fixed(outcome)
    return device, run_gate(device, file, variant, "f" * 64, Preprocessing("none"), parity, reference)


def test_the_gate_holds_the_outputs_of_one_run_against_the_reference(files):
    good = make_run(kind="accuracy", **SPECS)
    device, found = gate(Outcome(good, REFERENCE), files)
    assert found.status == OK and device.put_files == [(files[0], "f" * 64)]
    (job,) = device.jobs
    assert (job.kind, job.artifact, job.artifact_sha256) == ("accuracy", "/there/m.onnx", "f" * 64)
    assert (job.runtime, job.layout, job.input, job.output) == ("onnxruntime", "", None, None)
    assert (job.images, len(job.images_sha256), job.settings.pin) == (str(files[1]), 64, False)
    assert job.settings.timeout_seconds == acceptance.TIMEOUT_SECONDS == 900.0
    assert job.preprocessing == Preprocessing("none") and job.runtime_module.endswith("onnxruntime")
    assert gate(Outcome(good, REFERENCE[::-1].copy()), files)[1].status == FAILED
    low = Outcome(good, at_ratio(30).astype(np.float32))
    assert gate(low, files)[1].reason == "parity with the source model is 30.0 dB, 60 are required"


def test_a_label_that_lies_fails_though_the_outputs_are_right(files):
    found = gate(Outcome(make_run(kind="accuracy", **SPECS), REFERENCE), files, "onnx:int8")[1]
    assert found.status == FAILED and found.parity_db is None and "int8" in found.reason
    low = Outcome(make_run(kind="accuracy", **SPECS), np.full((3, 3), np.nan, np.float32))
    assert gate(low, files, "onnx:int8")[1].status == NAN  # the first reason stays


def test_a_run_that_failed_keeps_its_status_and_its_reason(files):
    slow = make_run(kind="accuracy", status=TIMEOUT, reason="no result", **SPECS)
    found = gate(Outcome(slow, None), files)[1]
    assert (found.status, found.reason) == (TIMEOUT, "one run in a fresh process: no result")
    assert (found.input, found.output, found.parity_db) == (SPECS["input"], SPECS["output"], None)
    assert gate(Outcome(slow, REFERENCE), files)[1].status == TIMEOUT
    assert gate(UsageError("no such runtime"), files)[1] == acceptance.Verdict(
        FAILED, "one run in a fresh process: no such runtime"
    )


def test_every_format_is_run_on_its_preferred_runtime(files):
    for variant, runtime in (("tflite:int8", "litert"), ("savedmodel:float32", "tensorflow")):
        device = Fixed(None)
        run_once(device, files[0], variant, "f" * 64, Preprocessing("none"), files[1])
        assert device.jobs[0].runtime == runtime
