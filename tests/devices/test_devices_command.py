"""`edgebench devices` as a user types it, against a real sshd."""

import json
import subprocess
import sys

import pytest

from tests.models import onnx_models

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


def test_a_device_that_is_lost_does_not_stop_the_others(board, tmp_path):
    """This machine, a board, and one that is not there: two are measured, the third is named, and the exit says so."""
    model = onnx_models.classifier(tmp_path / "model.onnx")
    config = board.config()
    lines = [f"{key} = {json.dumps(getattr(config, key))}" for key in ("host", "ssh_config", "python", "store")]
    (tmp_path / "devices.toml").write_text("[board]\n" + "\n".join(lines) + '\n[gone]\nhost = "127.0.0.1"\nport = 1\n')
    quick = ("--processes", "1", "--min-runs", "5", "--min-seconds", "0.05", "--max-seconds", "1")
    devices = [word for name in ("cpu", "board", "gone") for word in ("--device", name)]
    command = [sys.executable, "-m", "edgebench", "profile", str(model), "--preprocess", "none", *devices, *quick]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "the connection to gone (127.0.0.1) broke or could not be made" in done.stderr
    found = {path.parent.name: json.loads(path.read_text()) for path in tmp_path.glob("edgebench-out/results/*/*.json")}
    assert {name: result["status"] for name, result in found.items()} == {"cpu": "ok", "board": "ok"}
    assert found["board"]["emulated"] is False
