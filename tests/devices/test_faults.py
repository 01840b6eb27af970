"""What goes wrong between a host and a device, each for real: nothing finished is lost, nothing is left behind."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from edgebench.devices.base import Busy, Notice, Phase, Reconnect
from edgebench.devices.ssh.device import SshDevice
from edgebench.errors import DeviceError
from edgebench.files import sha256_file
from edgebench.records import CRASHED, FAILED, OK
from tests.debian import need_root
from tests.devices.jobs import install_odd, odd_job
from tests.devices.sshd import CuttingProxy, LocalSshd
from tests.waiting import wait_for

pytestmark = pytest.mark.device


def starts(path: Path) -> int:
    return len(path.read_text().splitlines()) if path.exists() else 0


def in_background(device, job, events=None):
    """Start a job in a thread and return (thread, list that gets its outcome)."""
    outcomes = []
    tell = (events if events is not None else []).append
    thread = threading.Thread(target=lambda: outcomes.append(device.run(job, tell)))
    thread.start()
    return thread, outcomes


def pids(board: LocalSshd) -> dict:
    paths = list(board.store.glob("jobs/*/pids.json"))
    return json.loads(paths[0].read_text()) if paths else {}


def kill_all(board: LocalSshd) -> None:
    os.kill(pids(board)["supervisor"], signal.SIGKILL)
    os.killpg(pids(board)["runner"], signal.SIGKILL)


def test_a_link_cut_in_an_upload_goes_on_where_it_stopped(board, tmp_path, events):
    size = 6_000_000
    file = tmp_path / "model.tflite"
    file.write_bytes(np.random.default_rng(0).bytes(size))
    proxy = CuttingProxy(board.port, limit=size // 2)
    with SshDevice(board.through(proxy.port), tell=events.append) as device:
        there = device.put(file, sha256_file(file))
        assert device.bytes_sent < 1.3 * size
    proxy.close()
    assert proxy.cuts == 1 and Reconnect in {type(told.event) for told in events}
    assert Path(there).read_bytes() == file.read_bytes()
    assert not list((board.store / "incoming").iterdir())


def test_a_link_cut_in_a_run_costs_nothing(device, board, tmp_path, events):
    count = tmp_path / "starts"
    job = odd_job(device, tmp_path, {"sleep": 0.5, "count": str(count)})
    thread, outcomes = in_background(device, job, events)
    wait_for(lambda: starts(count) == 1)
    board.cut()
    thread.join()
    assert outcomes[0].run.status == OK and outcomes[0].outputs.shape == (5, 2)
    assert starts(count) == 1
    assert [event.done for event in events if isinstance(event, Phase) and event.phase == "images"] == [1, 2, 3, 4, 5]


def test_a_host_killed_and_started_again_repeats_no_finished_run(board, tmp_path):
    command = [sys.executable, "-m", "tests.devices.host", board.config().model_dump_json(), str(tmp_path), "3", "0.4"]

    def lines(process):
        for line in process.stdout:
            yield json.loads(line)

    first = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    for event in lines(first):
        if event.get("phase") == "images" and starts(tmp_path / "starts1"):
            break  # in the middle of the second of three jobs
    first.kill()
    first.wait()
    wait_for(lambda: list(board.store.glob("jobs/*/exit.json")))  # the second job finishes meanwhile, with no host
    second = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    told = list(lines(second))
    assert second.wait() == 0
    assert [starts(tmp_path / f"starts{n}") for n in range(3)] == [1, 1, 1]
    assert [event["job"] for event in told if event["event"] == "finished"] == [1, 2]
    assert told[-1] == {"event": "all finished", "runs": 3}
    assert not [name for name in board.files() if name.startswith(("jobs", "incoming"))]


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT])
def test_a_runtime_that_dies_of_a_signal_is_a_crashed_run(device, tmp_path, number):
    outcome = device.run(odd_job(device, tmp_path, {"signal": int(number)}), lambda event: None)
    assert outcome.run.status == CRASHED and outcome.outputs is None
    assert outcome.run.reason == f"the process died of {number.name} in phase 'load'"


def test_a_runner_killed_on_the_device_is_a_crashed_run(device, board, tmp_path):
    thread, outcomes = in_background(device, odd_job(device, tmp_path, {"sleep": 20}))
    wait_for(lambda: pids(board))
    os.kill(pids(board)["runner"], signal.SIGKILL)
    thread.join()
    assert outcomes[0].run.status == CRASHED and "SIGKILL" in outcomes[0].run.reason
    assert device.run(odd_job(device, tmp_path, {}), lambda event: None).run.status == OK


def test_a_supervisor_killed_does_not_cost_the_run(device, board, tmp_path):
    count = tmp_path / "starts"
    thread, outcomes = in_background(device, odd_job(device, tmp_path, {"sleep": 0.4, "count": str(count)}))
    wait_for(lambda: starts(count))
    os.kill(pids(board)["supervisor"], signal.SIGKILL)
    thread.join()
    assert outcomes[0].run.status == OK


def test_a_dead_owner_does_not_hold_the_device(device, board, tmp_path):
    thread, outcomes = in_background(device, odd_job(device, tmp_path, {"sleep": 60}))
    wait_for(lambda: pids(board))
    kill_all(board)
    thread.join()
    assert outcomes[0].run.status == FAILED
    assert outcomes[0].run.reason.startswith("its processes were killed on the device, in phase")
    told = []
    assert device.run(odd_job(device, tmp_path, {}), told.append).run.status == OK
    assert not [event for event in told if isinstance(event, Busy)]


def restart(board: LocalSshd) -> None:
    """As if the device had restarted: its processes are gone, and it has another boot id."""
    state = next(board.store.glob("jobs/*/state.json"))
    state.write_text(json.dumps({"boot_id": "of another day"}))
    kill_all(board)


def test_a_restart_costs_nothing_but_time(device, board, tmp_path):
    """The job in flight is started once more by itself."""
    count, told = tmp_path / "starts", []
    thread, outcomes = in_background(device, odd_job(device, tmp_path, {"sleep_first": 60, "count": str(count)}), told)
    wait_for(lambda: pids(board) and starts(count))
    restart(board)
    thread.join()
    assert outcomes[0].run.status == OK and starts(count) == 2
    assert Notice("the device restarted while it ran; the job is started once more") in told


def test_a_device_that_restarts_at_every_attempt_costs_the_cell(device, board, tmp_path):
    count = tmp_path / "starts"
    thread, outcomes = in_background(device, odd_job(device, tmp_path, {"sleep": 60, "count": str(count)}))
    for attempt in (1, 2):
        wait_for(lambda number=attempt: pids(board) and starts(count) == number)
        restart(board)
    thread.join()
    assert outcomes[0].run.reason.startswith("the device restarted while it ran again, in phase")


def test_a_full_disk_is_said_and_nothing_is_left_on_it(board, tmp_path):
    need_root("mount a small file system")
    board.store.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1M", "tmpfs", str(board.store)], check=True)
    try:
        with SshDevice(board.config(), install=False) as device:
            install_odd(device, tmp_path)
            big = tmp_path / "big.tflite"
            big.write_bytes(bytes(3_000_000))
            with pytest.raises(DeviceError, match=r"No space left on device.*big.tflite needs 3.0 MB.*devices clean"):
                device.put(big, sha256_file(big))
            assert not list((board.store / "incoming").iterdir())
            outcome = device.run(odd_job(device, tmp_path, {"fill": 3_000_000}), lambda event: None)
            assert outcome.run.status == FAILED and "No space left" in outcome.run.reason
            assert device.run(odd_job(device, tmp_path, {}), lambda event: None).run.status == OK
        board.wait_until_idle()
    finally:
        subprocess.run(["umount", str(board.store)], check=True)


def test_a_changed_host_key_stops_everything(board, tmp_path):
    known = board.folder / "known_hosts"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")], check=True)
    known.write_text("board " + " ".join((tmp_path / "other.pub").read_text().split()[:2]) + "\n")
    before = known.read_text()
    with pytest.raises(DeviceError, match=r"the host key of board .* has CHANGED"), SshDevice(board.config()) as device:
        device.info()
    assert known.read_text() == before


def test_an_unknown_host_key_is_not_accepted(board):
    known = board.folder / "known_hosts"
    known.write_text("")
    config = board.config()
    with Path(config.ssh_config).open("a") as stream:
        stream.write("  StrictHostKeyChecking accept-new\n")
    with pytest.raises(DeviceError, match="log in once with `ssh board`"), SshDevice(config) as device:
        device.info()
    assert known.read_text() == ""


def test_a_device_without_python(board):
    config = board.config(python="python3-of-another-world")
    with pytest.raises(DeviceError, match="there is no python3-of-another-world on board: install it"):
        SshDevice(config).info()


def test_a_python_that_is_too_old(board, tmp_path):
    old = tmp_path / "old python"
    old.write_text(f'#!/bin/sh\nexec {sys.executable} -c "import sys; sys.version_info = (3, 7); $3"\n')
    old.chmod(0o755)
    with pytest.raises(DeviceError, match=r"edgebench needs 3\.9 or newer"):
        SshDevice(board.config(python=str(old))).info()


def test_a_login_that_is_refused(board):
    (board.folder / "authorized_keys").write_text("")
    with pytest.raises(DeviceError, match="refused the login"):
        SshDevice(board.config()).info()


def test_a_device_that_is_not_there(board):
    config = board.through(1)
    with pytest.raises(DeviceError, match=r"could not be made: .*refused"):
        SshDevice(config).info()


def test_a_host_without_ssh(board, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeviceError, match="no ssh on this machine: install the OpenSSH client"):
        SshDevice(board.config()).info()
