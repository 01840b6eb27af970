"""`edgebench devices` as a user types it, against a real sshd."""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.device


@pytest.fixture
def devices(board, tmp_path):
    config = board.config()
    lines = [f"{key} = {json.dumps(getattr(config, key))}" for key in ("host", "ssh_config", "python", "store")]
    (tmp_path / "devices.toml").write_text("[board]\n" + "\n".join(lines) + "\n")

    def run(*words):
        command = [sys.executable, "-m", "edgebench", "devices", *words]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)

    return run


def test_list_check_and_clean(devices, board):
    listed = devices("list")
    assert listed.returncode == 0 and "board                board" in listed.stdout
    checked = devices("check", "board")
    assert checked.returncode == 0, checked.stderr
    assert "board is reachable." in checked.stdout and "What runs there:" in checked.stdout
    told = json.loads(devices("check", "board", "--json").stdout)
    assert told["runs"]["onnx"].startswith("onnxruntime ") and told["userland_bits"] == 64
    assert "emulator" in told and told["emulator"] is None
    cleaned = devices("clean", "board")
    assert cleaned.returncode == 0 and f"removed {board.store}" in cleaned.stdout
    assert not board.store.exists()


def test_clean_ends_what_runs_there(devices, device, board, tmp_path):
    from tests.devices.jobs import odd_job
    from tests.devices.test_faults import in_background, pids, wait_for

    thread, outcomes = in_background(device, odd_job(device, tmp_path, {"sleep": 60}))
    wait_for(lambda: pids(board))
    assert devices("clean", "board").returncode == 0
    thread.join(20)
    assert outcomes and outcomes[0].run.status == "failed"
    assert not list(board.store.rglob("*.npy"))


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("check", "nobody"), 2, "unknown device 'nobody'"),
        (("check", "cpu"), 2, "cpu is this machine"),
        (("check", "ssh://-x"), 2, "not a host name"),
        (("check", "ssh://pi@127.0.0.1:1"), 1, "could not be made"),
        (("check",), 2, "Missing argument"),
    ],
)
def test_wrong_use_is_one_clear_line(devices, words, code, message):
    done = devices(*words)
    assert done.returncode == code and message in done.stderr
    assert "Traceback" not in done.stderr
