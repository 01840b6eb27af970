"""A device is an untrusted place: whatever it answers is a checked run, a failed run or one clear error."""

import io
import json
import sys

import numpy as np
import pytest

from edgebench.devices.base import Phase, Waiting
from edgebench.devices.returns import parse_phase, read_outcome
from edgebench.devices.ssh.device import SshDevice
from edgebench.devices.ssh.events import ProgressReader
from edgebench.errors import DeviceError
from edgebench.records import FAILED, NAN, OK, Job, Preprocessing, Run, TensorSpec, to_dict
from tests.devices.jobs import QUICK, odd_job

pytestmark = pytest.mark.device


def honest(changes: dict) -> bytes:
    """A run.json that would be accepted for `plain_job`, but for the changes."""
    spec = TensorSpec("x", (1, 4, 4, 3), "float32"), TensorSpec("y", (1, 2), "float32")
    run = Run("accuracy", OK, "", "a" * 64, "odd", "1", 0, QUICK, *spec, images=5)
    return json.dumps(to_dict(run) | changes).encode()


def answer(device, folder, does, run_json=None, outputs=None, **changes):
    """Let the runner on the device answer with these bytes, whatever they are."""
    files = {}
    if run_json is not None:
        files["run.json"] = run_json.hex()
    if outputs is not None:
        files["outputs.npy"] = outputs.hex()
    job = odd_job(device, folder, {"answer": files, **does}, **changes)
    return device.run(job, lambda event: None)


def npy(array, **options) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


def header(shape) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return stream.getvalue()


def plain_job(kind: str) -> Job:
    nothing = Preprocessing("none")
    return Job(kind, "", "a" * 64, "odd", "odd_runtime", None, None, "NHWC", nothing, "", "", QUICK)


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


@pytest.mark.parametrize("content", [b"[" * 200_000, honest({})])
def test_a_device_that_answers_with_no_run_of_this_job_costs_one_cell(device, tmp_path, content):
    outcome = answer(device, tmp_path, {}, content)
    assert outcome.run.status == FAILED and "not a run of this job" in outcome.run.reason
    assert device.run(odd_job(device, tmp_path, {}), lambda event: None).run.status == OK


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


def test_a_huge_answer_is_not_read(device, tmp_path):
    outcome = answer(device, tmp_path, {"sparse": {"run.json": 65 * 1024 * 1024}})
    assert outcome.run.status == FAILED and "it was not read" in outcome.run.reason
    digest = {"sparse": {"outputs.npy": 1 << 30}}
    outcome = answer(device, tmp_path, digest, b"{}", kind="accuracy")
    assert outcome.run.status == FAILED and "offers a outputs.npy of more than" in outcome.run.reason


def test_a_link_to_another_file_brings_no_other_file(device, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("not for the report")
    outcome = answer(device, tmp_path, {"link": {"run.json": str(secret), "outputs.npy": "/dev/zero"}})
    assert outcome.run.status == FAILED
    assert "not for" not in outcome.run.reason


def test_a_flood_of_progress_is_bounded(device, tmp_path):
    seen = []
    job = odd_job(device, tmp_path, {"print": 40_000_000})
    assert device.run(job, seen.append).run.status == OK
    assert len([event for event in seen if event != Waiting()]) < 50


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


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("yes noise", "prints too much"),
        ("head -c 2000000 /dev/zero", "line of more than"),
        ('echo "edgebench-agent 1 []"', "no answer"),
        ('echo "edgebench-agent 1 {}"; echo "{"; sleep 5', "no answer"),
        ('echo "edgebench-agent 1 {}"; echo "{\\"bytes\\": 99999999999}"; sleep 5', "at most 0 belong there"),
        ('echo "edgebench-agent 1 {}"; yes "{\\"bytes\\": 0, \\"system\\": 7}" | head; sleep 5', "describes itself"),
    ],
)
def test_an_agent_that_talks_nonsense_is_one_clear_error(board, tmp_path, script, message):
    liar = tmp_path / "liar"
    liar.write_text(f"#!/bin/sh\n{script}\n")
    liar.chmod(0o755)
    with pytest.raises(DeviceError, match=message):
        SshDevice(board.config(python=str(liar))).info()


def test_a_shell_that_talks_at_login_does_no_harm(board, tmp_path):
    chatty = tmp_path / "chatty"
    chatty.write_text(f'#!/bin/sh\necho "Welcome to the kitchen"\nexec {sys.executable} "$@"\n')
    chatty.chmod(0o755)
    with SshDevice(board.config(python=str(chatty))) as device:
        assert "onnxruntime" in device.info().runtimes
