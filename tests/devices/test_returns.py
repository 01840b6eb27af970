"""A device is an untrusted place: whatever it answers is a checked run, a failed run or one clear error."""

import sys

import pytest

from edgebench.devices.base import Waiting
from edgebench.devices.ssh.device import SshDevice
from edgebench.errors import DeviceError
from edgebench.records import FAILED, OK
from tests.devices.jobs import honest, odd_job

pytestmark = pytest.mark.device


def answer(device, folder, does, run_json=None, outputs=None, **changes):
    """Let the runner on the device answer with these bytes, whatever they are."""
    files = {}
    if run_json is not None:
        files["run.json"] = run_json.hex()
    if outputs is not None:
        files["outputs.npy"] = outputs.hex()
    job = odd_job(device, folder, {"answer": files, **does}, **changes)
    return device.run(job, lambda event: None)


@pytest.mark.parametrize("content", [b"[" * 200_000, honest({})])
def test_a_device_that_answers_with_no_run_of_this_job_costs_one_cell(device, tmp_path, content):
    outcome = answer(device, tmp_path, {}, content)
    assert outcome.run.status == FAILED and "not a run of this job" in outcome.run.reason
    assert device.run(odd_job(device, tmp_path, {}), lambda event: None).run.status == OK


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
