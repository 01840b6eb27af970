"""What a runner left behind is a checked run or a failed one: each check, and the figure on both sides of its limit."""

import dataclasses
import io
import json
import signal

import numpy as np
import pytest

from edgebench.devices import returns
from edgebench.devices.base import Outcome, Phase
from edgebench.devices.returns import failed, judge, most_output_bytes, parse_phase, read_outcome, signal_name
from edgebench.devices.ssh.events import ProgressReader
from edgebench.files import MAX_RECORD_BYTES
from edgebench.records import (
    CRASHED,
    FAILED,
    NAN,
    OK,
    REFUSED,
    TIMEOUT,
    Job,
    OperatorTime,
    PhaseMemory,
    TensorSpec,
    to_dict,
)
from tests.devices.jobs import honest
from tests.make import make_job, make_run


def npy(array, **options) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


def header(shape) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return stream.getvalue()


def plain_job(kind: str) -> Job:
    return make_job(kind, artifact_sha256="a" * 64)


NOT_RUNS = {
    "nothing": (b"", "not an edgebench record"),
    "no json": (b"\x00\xff<html>", "not an edgebench record"),
    "a list": (b"[]", "not an edgebench record"),
    "deep": (b"[" * 200_000, "recursion"),
    "a number too long": (b'{"version": ' + b"9" * 10_000 + b"}", "not an edgebench record"),
    "nan": (honest({"seconds": float("nan")}), "finite"),
    "wrong type": (honest({"latency_ns": "fast"}), "latency_ns"),
    "a path where a number belongs": (honest({"load_ns": "../../etc/passwd"}), "load_ns"),
    "an unknown field": (honest({"__class__": "os.system"}), "__class__"),
    "of another artifact": (honest({"artifact_sha256": "0" * 64}), "artifact_sha256"),
    "of another kind": (honest({"kind": "latency"}), "kind"),
    "of the future": (honest({"version": 99}), "upgrade"),
    "a negative time": (honest({"latency_ns": [5, -1]}), "outside all reason"),
    "a time of ages": (honest({"latency_ns": [2**70]}), "run.json"),
    "a status of its own": (honest({"status": "splendid"}), "splendid"),
    "an inference in no time": (honest({"kind": "latency", "latency_ns": [0], "first_inference_ns": 9}), "in 0 ns"),
    "a latency of nothing": (honest({"kind": "latency"}), "without samples"),
    "no memory": (honest({"kind": "memory"}), "no phase of memory"),
    "no input": (honest({"input": None}), "what the artifact's input and output are"),
    "an input of no image": (
        honest({"input": {"name": "", "shape": [1, 9], "dtype": "float32", "scale": 0.0, "zero_point": 0}}),
        "no image classifier's",
    ),
    "an input larger than the host": (
        honest({"input": {"name": "", "shape": [1, 9999, 9999, 9], "dtype": "int8", "scale": 0.0, "zero_point": 0}}),
        "no tensor is",
    ),
    "no outputs": (honest({}), "it brought no outputs.npy"),
    "fewer than no images": (honest({"images": -5}), "outside all reason"),
}


JUDGED = ("an inference in no time", "a latency of nothing", "no memory")


@pytest.mark.parametrize("name", NOT_RUNS)
def test_a_run_json_that_is_none_is_a_failed_run(tmp_path, name):
    content, reason = NOT_RUNS[name]
    (tmp_path / "run.json").write_bytes(content)
    kind = json.loads(content).get("kind", "accuracy") if name in JUDGED else "accuracy"
    outcome = read_outcome(plain_job(kind), tmp_path, 0, "", "images", rows=5)
    assert outcome.run.status == FAILED and outcome.outputs is None
    assert outcome.run.reason.startswith("what came back is not a run of this job: ")
    assert reason in outcome.run.reason
    assert len(outcome.run.reason) < 2100 and outcome.run.reason.isprintable()


def test_an_honest_run_json_is_taken(tmp_path):
    (tmp_path / "run.json").write_bytes(honest({}))
    (tmp_path / "outputs.npy").write_bytes(npy(np.zeros((5, 2), np.float32)))
    assert read_outcome(plain_job("accuracy"), tmp_path, 0, "", "images", rows=5).run.status == OK


@pytest.mark.parametrize(
    ("outputs", "reason"),
    [
        (npy(np.array([{"a": 1}] * 5, dtype=object), allow_pickle=True), "object"),
        (npy(np.zeros((5, 2), np.float64)), "float64"),
        (npy(np.zeros((4, 2), np.float32)), "(4, 2)"),
        (npy(np.zeros((5, 2), np.float32))[:-3], "shorter or longer"),
        (header((5, 2**40)), "shorter or longer"),
        (b"\x93NUMPY\x01\x00\xff\xff" + b"{" * 60_000, "cannot be read"),
        (b"", "cannot be read"),
    ],
)
def test_outputs_that_lie_are_a_failed_run(tmp_path, outputs, reason):
    job = plain_job("accuracy")
    (tmp_path / "run.json").write_bytes(honest({}))
    (tmp_path / "outputs.npy").write_bytes(outputs)
    outcome = read_outcome(job, tmp_path, 0, "", "images", rows=5)
    assert outcome.run.status == FAILED and reason in outcome.run.reason
    (tmp_path / "outputs.npy").write_bytes(npy(np.full((5, 2), 0.5, np.float32)))
    assert read_outcome(job, tmp_path, 0, "", "images", rows=5).run.status == OK


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_outputs_that_are_no_numbers_are_judged_before_they_are_kept(tmp_path, value):
    (tmp_path / "run.json").write_bytes(honest({}))
    (tmp_path / "outputs.npy").write_bytes(npy(np.full((5, 2), value, np.float32)))
    outcome = read_outcome(plain_job("accuracy"), tmp_path, 0, "", "images", rows=5)
    assert outcome.run.status == NAN and outcome.outputs is None


def test_text_for_the_terminal_is_made_harmless(tmp_path):
    job = plain_job("latency")
    fields = {"kind": "latency", "status": FAILED, "reason": "\x1b[2J\x07" + "x" * 9000}
    (tmp_path / "run.json").write_bytes(honest(fields))
    reason = read_outcome(job, tmp_path, 0, "", "x").run.reason
    assert "\x1b" not in reason and len(reason) <= 2000


def test_progress_lets_only_known_fields_of_sane_values_through():
    assert parse_phase(b'{"event": "phase", "phase": "images", "done": 3, "total": 5, "cell": "x"}') == Phase(
        "images", 3, 5
    )
    assert parse_phase(b'{"event": "phase", "phase": "warm-up", "done": "3", "total": true}') == Phase("warm-up")
    for line in (b"", b"[]", b'{"event": "result"}', b'{"event": "phase", "phase": "\\u001b[2J"}', b"[" * 5000):
        assert parse_phase(line) is None
    reader = ProgressReader(lambda event: None)
    reader.feed(b"x" * 10_000)
    assert reader.offset > 2**50


# ---- an exit


def returned(folder, code=0, stderr="", kind="accuracy", phase="load", rows=None):
    return read_outcome(plain_job(kind), folder, code, stderr, phase, rows).run


def test_an_end_without_a_run(tmp_path):
    assert returned(tmp_path, None).reason == "no result within 60 s, last seen in phase 'load'"
    assert returned(tmp_path, None).status == TIMEOUT
    assert returned(tmp_path, -11).reason == "the process died of SIGSEGV in phase 'load'"
    assert returned(tmp_path, -11).status == CRASHED
    assert returned(tmp_path, 3, "first\n last \x1b[1m line\n\n").reason == "exit code 3: last   line"
    assert returned(tmp_path, 3, " \n").reason == "exit code 3: no message"
    assert returned(tmp_path, 0).reason == "exit code 0: no message" and returned(tmp_path, 0).status == FAILED
    assert (signal_name(9), signal_name(signal.SIGBUS), signal_name(99)) == ("SIGKILL", "SIGBUS", "signal 99")


def test_a_failed_run_says_whose_it_is():
    job = dataclasses.replace(plain_job("memory"), repetition=4)
    run = failed(job, REFUSED, "a\x07b").run
    assert (run.kind, run.status, run.reason, run.repetition) == ("memory", REFUSED, "a b", 4)
    assert (run.artifact_sha256, run.runtime, run.runtime_version) == ("a" * 64, "odd", "")
    assert run.settings == job.settings and failed(job, REFUSED, "x").outputs is None


def test_a_run_of_another_job_is_named(tmp_path):
    for field, value in (("runtime", "onnxruntime"), ("repetition", 7), ("artifact_sha256", "b" * 64)):
        (tmp_path / "run.json").write_bytes(honest({field: value}))
        expected = f"run.json has {field} {value!r}, the job {getattr(plain_job('accuracy'), field)!r}"
        assert returned(tmp_path).reason == f"what came back is not a run of this job: {expected}"
    other = dataclasses.replace(plain_job("accuracy").settings, threads=9)
    (tmp_path / "run.json").write_bytes(honest({"settings": dataclasses.asdict(other)}))
    assert "run.json has settings Settings(threads=9" in returned(tmp_path).reason
    assert len(returned(tmp_path).reason) < 400


# ---- limits


def measured(kind="latency", **changes):
    specs = {"input": TensorSpec("x", (1, 4, 4, 3), "float32"), "output": TensorSpec("y", (1, 2), "float32")}
    samples = {"latency_ns": (100, 200) if kind == "latency" else (), "invoke_ns": ()}
    return dataclasses.replace(make_run(kind=kind), **{**specs, **samples, **changes})


def fault(run, job=None, outputs=None):
    """What `judge` finds; empty where it takes the outcome as it is."""
    outcome = Outcome(run, outputs)
    found = judge(job or plain_job(run.kind), outcome)
    if found is outcome:
        return ""
    assert found.outputs is None
    return found.run.reason.removeprefix("what came back is not a run of this job: ")


def spec(shape=(1, 4, 4, 3), dtype="float32", scale=0.0):
    return TensorSpec("x", shape, dtype, scale)


def test_what_a_measured_run_must_have():
    assert fault(measured()) == ""
    words = "it does not say what the artifact's input and output are"
    assert fault(measured(input=None)) == fault(measured(output=None)) == words
    assert fault(measured(latency_ns=(), invoke_ns=())) == "a latency without samples"
    assert fault(measured(first_inference_ns=None)) == "a latency without samples"
    assert fault(measured("memory")) == "no phase of memory"
    assert fault(measured("memory", memory=(PhaseMemory("load", 1, 1),))) == ""
    assert fault(measured("memory", memory=(PhaseMemory("load", 1, 1),), first_inference_ns=None)) == ""
    assert fault(measured(kind="operators", first_inference_ns=None)) == ""


def test_no_inference_takes_no_time():
    for changes in (
        {"latency_ns": (5, 0)},
        {"invoke_ns": (0, 5)},
        {"warmup_ns": (0,)},
        {"first_inference_ns": 0},
    ):
        assert fault(measured(**changes)) == "an inference in 0 ns", changes
    least = {"latency_ns": (1, 1), "invoke_ns": (1, 1), "warmup_ns": (1,), "first_inference_ns": 1}
    assert fault(measured(**least)) == ""


def test_tensors_are_an_image_classifiers():
    side = returns.MAX_SIDE
    for shape in ((1, 4, 4), (1, 4, 4, 3, 1), (1, 0, 4, 3), (1, side + 1, 1, 3), (1, -1, 4, 3)):
        assert fault(measured(input=spec(shape))) == f"a tensor of shape {shape} is no image classifier's"
    assert fault(measured(input=spec((1, side, 1, 1)))) == "" == fault(measured(input=spec((1, 1, 1, 1))))
    for shape in ((), (1,) * 7, (1, 0)):
        assert fault(measured(output=spec(shape))) == f"a tensor of shape {shape} is no image classifier's"
    for shape in ((9,), (1, 9), (1,) * 6):
        assert fault(measured(output=spec(shape))) == ""
    assert fault(measured(input=spec((1, 1 << 14, 1 << 14, 1)))) == ""
    large = fault(measured(input=spec((1, 1 << 14, (1 << 14) + 1, 1))))
    assert large == "no tensor is 'float32' of shape (1, 16384, 16385, 1) with scale 0"
    assert fault(measured(input=spec(dtype="object"))).startswith("no tensor is 'object' of shape")
    assert fault(measured(output=spec((1, 2), "int8", -0.5))).endswith("with scale -0.5")
    for dtype in ("float32", "float16", "float64", "uint8", "int8", "int16", "int32", "int64"):
        assert fault(measured(input=spec(dtype=dtype), output=spec((1, 2), dtype, 0.5))) == ""


def test_outputs_belong_to_the_job():
    job, run = plain_job("accuracy"), measured("accuracy")
    assert fault(run, job, np.zeros((3, 2), np.float32)) == ""
    assert fault(run, job) == "it brought no outputs.npy"
    assert fault(run, job, np.zeros(3, np.float32)) == "outputs of shape (3,)"
    assert fault(run, job, np.zeros((0, 2), np.float32)) == "outputs of shape (0, 2)"
    assert fault(run, job, np.zeros((3, 0), np.float32)) == "outputs of shape (3, 0)"
    known = dataclasses.replace(job, output=TensorSpec("y", (1, 2, 3), "float32"))
    assert fault(run, known, np.zeros((3, 6), np.float32)) == ""
    assert fault(run, known, np.zeros((3, 2), np.float32)) == "2 outputs an image, the artifact has 6"
    found = judge(job, Outcome(run, np.array([[np.nan, 0.0]], np.float32)))
    assert (found.run.status, found.run.reason) == (NAN, "outputs that are not finite, in a run that says it is ok")
    crashed = judge(job, Outcome(dataclasses.replace(run, status=CRASHED), np.zeros((3, 2), np.float32)))
    assert crashed.run.status == CRASHED and crashed.outputs is None
    assert judge(plain_job("latency"), Outcome(measured(), None)).run.status == OK  # outputs are not asked for


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"latency_ns": [2**62]}, "outside all reason"),
        ({"invoke_ns": [-1]}, "outside all reason"),
        ({"warmup_ns": [-1]}, "outside all reason"),
        ({"preprocess_ns": [-1]}, "outside all reason"),
        ({"import_ns": -1}, "outside all reason"),
        ({"load_ns": -1}, "outside all reason"),
        ({"memory": [to_dict(PhaseMemory("load", -1, 5))]}, "outside all reason"),
        ({"memory": [to_dict(PhaseMemory("load", 5, -1))]}, "outside all reason"),
        ({"seconds": float("inf")}, "not finite"),
        ({"environment": {"load": float("nan")}}, "not finite"),
        ({"output": to_dict(spec((1, 2), "int8", float("inf")))}, "not finite"),
        ({"input": to_dict(spec((1, 4, 4, 3), "int8", float("nan")))}, "not finite"),
        ({"environment": {str(n): n for n in range(returns.MAX_FACTS + 1)}}, "more facts or operators"),
        ({"status": "x" * 99}, f"unknown status {'x' * 40!r}"),
    ],
)
def test_numbers_outside_all_reason(tmp_path, changes, words):
    (tmp_path / "run.json").write_bytes(honest({"kind": "memory", **changes}))
    run = returned(tmp_path, kind="memory")
    assert run.status == FAILED and words in run.reason


def test_numbers_at_their_limits_pass(tmp_path):
    limits = {
        "kind": "memory",
        "latency_ns": [2**62 - 1],
        "load_ns": 0,
        "memory": [to_dict(PhaseMemory("load", 0, 2**62 - 1))],
        "environment": {str(n): n for n in range(returns.MAX_FACTS)},
    }
    (tmp_path / "run.json").write_bytes(honest(limits))
    assert returned(tmp_path, kind="memory").status == OK


def test_too_many_operators(tmp_path, monkeypatch):
    monkeypatch.setattr(returns, "MAX_OPERATORS", 2)
    for count, status in ((2, OK), (3, FAILED)):
        operators = [to_dict(OperatorTime("a", "Conv", 1, "CPU"))] * count
        (tmp_path / "run.json").write_bytes(honest({"kind": "operators", "operators": operators}))
        assert returned(tmp_path, kind="operators").status == status


def test_a_run_json_is_a_plain_file_of_bearable_size(tmp_path, monkeypatch):
    (tmp_path / "real").write_bytes(honest({}))
    (tmp_path / "run.json").symlink_to(tmp_path / "real")
    assert returned(tmp_path).reason.endswith("run.json is too large or no plain file")
    (tmp_path / "run.json").unlink()
    (tmp_path / "run.json").write_bytes(honest({"kind": "memory", "status": FAILED}))
    size = (tmp_path / "run.json").stat().st_size
    for most, reason in ((size, ""), (size - 1, "what came back is not a run of this job: run.json is too large or")):
        monkeypatch.setattr(returns, "MAX_RECORD_BYTES", most)
        assert returned(tmp_path, kind="memory").reason.startswith(reason)
    assert returns.MAX_FACTS == 200 and returns.MAX_OPERATORS == 100_000


def test_every_text_is_cleaned(tmp_path):
    dirty, clean = "a\x1b[2J\x07b", "a  b"
    operator = to_dict(OperatorTime(dirty, dirty, 1, dirty))
    fields = dict.fromkeys(("reason", "runtime_version", "stopped_by", "memory_method", "started"), dirty)
    sent = {"kind": "operators", "environment": {dirty: dirty, "n": 3}, "operators": [operator], **fields}
    (tmp_path / "run.json").write_bytes(honest(sent))
    run = returned(tmp_path, kind="operators")
    assert [getattr(run, name) for name in fields] == [clean] * len(fields)
    assert run.environment == {clean: clean, "n": 3}
    assert run.operators == (OperatorTime(clean, clean, 1, clean),)


def test_outputs_are_float32_rows(tmp_path):
    (tmp_path / "run.json").write_bytes(honest({}))  # 5 images
    values = np.arange(10, dtype=np.float32).reshape(5, 2)
    (tmp_path / "outputs.npy").write_bytes(npy(values))
    for rows in (5, None):
        outcome = read_outcome(plain_job("accuracy"), tmp_path, 0, "", "images", rows)
        np.testing.assert_array_equal(outcome.outputs, values)
    outcome = read_outcome(plain_job("accuracy"), tmp_path, 0, "", "images", 4)
    assert outcome.run.reason.endswith("outputs.npy is float32(5, 2); expected float32 (4, classes)")
    for content, words in (
        (npy(np.asfortranarray(values)), "expected float32 (5, classes)"),
        (npy(values.ravel()[:5]), "expected float32 (5, classes)"),
        (npy(values) + b"0", "outputs.npy is shorter or longer than its header says"),
        (npy(values)[:6] + b"\x02" + npy(values)[7:], "outputs.npy has format (2, 0)"),
    ):
        (tmp_path / "outputs.npy").write_bytes(content)
        assert words in read_outcome(plain_job("accuracy"), tmp_path, 0, "", "images", 5).run.reason
    (tmp_path / "run.json").write_bytes(honest({"kind": "memory", "memory": [to_dict(PhaseMemory("load", 1, 1))]}))
    assert read_outcome(plain_job("memory"), tmp_path, 0, "", "load").outputs is None


def test_the_largest_honest_outputs():
    job = dataclasses.replace(plain_job("accuracy"), output=TensorSpec("y", (1, 2, 5), "float32"))
    assert most_output_bytes(job, 7) == 4096 + 4 * 7 * 10
    assert most_output_bytes(plain_job("accuracy"), 7) == 4096 + 4 * 7 * 1_000_000
    assert most_output_bytes(job, None) == MAX_RECORD_BYTES


def line(**fields):
    return json.dumps({"event": "phase", "phase": "images", **fields}).encode()


def test_limits_of_progress():
    assert parse_phase(line()) == Phase("images")
    assert parse_phase(line(phase="a" * 40)) == Phase("a" * 40) and parse_phase(line(phase="a" * 41)) is None
    assert parse_phase(line(phase="warm_up-2")) == Phase("warm_up-2")
    for phase in ("", "a b", 7, None, "-"):
        assert parse_phase(line(phase=phase)) is None
    assert parse_phase(line(done=0, total=0)) == Phase("images", 0, 0)
    assert parse_phase(line(done=5, total=5)) == Phase("images", 5, 5)
    for done, total in ((6, 5), (-1, 5), (1, 2**40), (1.0, 5), (1, None), (None, 5), (True, 5)):
        assert parse_phase(line(done=done, total=total)) == Phase("images")
    assert parse_phase(line(done=1, total=2**40 - 1)) == Phase("images", 1, 2**40 - 1)
    assert parse_phase(line() + b" " * (returns.MAX_LINE - len(line()))) == Phase("images")
    assert parse_phase(b" " * (returns.MAX_LINE - len(line()) + 1) + line()) is None
