"""`edgebench devices` as a user types it, against a real sshd."""

import json
import subprocess
import sys

import pytest

from tests.models import onnx_models
from tests.waiting import wait_for

pytestmark = pytest.mark.device


@pytest.fixture
def devices(board, tmp_path):
    name_devices(board, tmp_path)

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


QUICK = ("--processes", "2", "--min-runs", "5", "--min-seconds", "0.05", "--max-seconds", "1")


def name_devices(board, folder, extra: str = "") -> None:
    config = board.config()
    lines = [f"{key} = {json.dumps(getattr(config, key))}" for key in ("host", "ssh_config", "python", "store")]
    (folder / "devices.toml").write_text("[board]\n" + "\n".join(lines) + "\n" + extra)


def profile_command(models, *devices) -> list[str]:
    words = [word for name in devices for word in ("--device", name)]
    files = [str(model) for model in models]
    return [sys.executable, "-m", "edgebench", "profile", *files, "--preprocess", "none", *words, *QUICK]


def test_a_profile_killed_and_typed_again_measures_nothing_twice(board, tmp_path):
    """What was in the journal when the host was killed with -9 is in the results, to the nanosecond."""
    models = [onnx_models.classifier(tmp_path / f"model{n}.onnx", bias=float(n)) for n in range(3)]
    name_devices(board, tmp_path)
    command = profile_command(models, "board")
    first = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    runs = tmp_path / "edgebench-out/results/board/runs"
    wait_for(lambda: len(list(runs.glob("*.json"))) >= 4, lambda: first.poll() is None)
    first.kill()
    first.wait()
    kept = [(run["started"], run["kind"], run["latency_ns"]) for run in map(load, runs.glob("*.json"))]
    second = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert second.returncode == 0, second.stderr
    assert "going on with an interrupted profile" in second.stderr
    results = [load(path) for path in (tmp_path / "edgebench-out/results/board").glob("*.json")]
    final = [(run["started"], run["kind"], run["latency_ns"]) for result in results for run in result["runs"]]
    assert len(final) == 9 and len(kept) >= 4
    assert all(run in final for run in kept)
    assert not [name for name in board.files() if name.startswith(("jobs", "incoming"))]


def load(path):
    return json.loads(path.read_text())


def test_a_device_that_is_lost_does_not_stop_the_others(board, tmp_path):
    """This machine, a board, and one that is not there: two are measured, the third is named, and the exit says so."""
    model = onnx_models.classifier(tmp_path / "model.onnx")
    name_devices(board, tmp_path, '[gone]\nhost = "127.0.0.1"\nport = 1\n')
    command = profile_command([model], "cpu", "board", "gone")
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "the connection to gone (127.0.0.1) broke or could not be made" in done.stderr
    found = {path.parent.name: load(path) for path in tmp_path.glob("edgebench-out/results/*/*.json")}
    assert {name: result["status"] for name, result in found.items()} == {"cpu": "ok", "board": "ok"}
    assert found["board"]["emulated"] is False
