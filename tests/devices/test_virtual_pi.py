"""From two bare Raspberry Pis, emulated, to one merged report: real ARM kernels, real wheels, a real sshd."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgebench.devices.base import Carried, Notice, OnDevice, Phase, Reconnect
from edgebench.devices.config import find_device
from edgebench.devices.local import LocalDevice
from edgebench.devices.ssh.device import SshDevice
from edgebench.errors import DeviceError
from edgebench.files import read_record
from edgebench.records import OK, Artifact, Job, Result, Settings
from tests.devices.jobs import install_odd, odd_job
from tests.make import make_job
from tests.virtual_pi import machine
from tests.waiting import wait_for

pytestmark = pytest.mark.device

RUNTIME = {"arm64": "litert", "armhf": "tflite-runtime"}
VARIANTS = ("tflite-float32", "onnx-int8")
QUICK = Settings(processes=1, warmup=1, min_runs=5, min_seconds=0.1, max_seconds=1, timeout_seconds=200)


def run(project: Path, *words) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edgebench", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=project, check=False, timeout=500)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def manifests(converted: Path) -> dict[str, Path]:
    found = {}
    for path in converted.glob("artifacts/*/*.json"):
        artifact = read_record(Artifact, path)
        found[f"{artifact.format}-{artifact.precision}"] = path.with_suffix("") if path.name.endswith(".json") else path
    return found


@pytest.fixture(scope="module")
def profiled(project, converted, photos) -> tuple[subprocess.CompletedProcess[str], Path]:
    files = manifests(converted)
    devices = [word for name in ("cpu", "virtual-pi-arm64", "virtual-pi-armhf") for word in ("--device", name)]
    quick = ["--processes", 1, "--min-runs", 5, "--min-seconds", 0.1, "--max-seconds", 1]
    out = project / "edgebench-out"
    chosen = [files[name] for name in VARIANTS]
    done = run(project, "profile", *chosen, "--data", photos / "test", *devices, *quick, "--out", out)
    return done, out / "results"


def results(folder: Path) -> dict[tuple[str, str], Result]:
    found = {}
    for path in folder.glob("*/*.json"):
        result = read_record(Result, path)
        found[result.device, f"{result.artifact.format}-{result.artifact.precision}"] = result
    return found


def test_bare_pis_are_profiled_beside_this_machine(profiled):
    done, folder = profiled
    found = results(folder)
    assert len(found) == 6, done.stderr
    for (device, variant), result in found.items():
        if (device, variant) == ("virtual-pi-armhf", "onnx-int8"):
            assert "onnxruntime has no wheels for 32-bit ARM" in result.reason
            continue
        assert result.status == OK, (device, variant, result.reason)
        assert result.emulated == device.startswith("virtual-pi")
        assert result.evaluations[0].accuracy.images == 60
    assert done.returncode == 1  # one cell has failed, and says why
    assert found["virtual-pi-arm64", "tflite-float32"].runtime == "litert"
    assert found["virtual-pi-armhf", "tflite-float32"].runtime == "tflite-runtime"
    environment = found["virtual-pi-armhf", "tflite-float32"].runs[0].environment
    assert (environment["userland_bits"], environment["machine"]) == (32, "armv7l")


def test_answers_of_arm_kernels_are_this_machines_in_float(profiled):
    _, folder = profiled
    here = np.load(next((folder / "cpu").glob("*tflite-float32-*.outputs.npy")))
    for device in ("virtual-pi-arm64", "virtual-pi-armhf"):
        there = np.load(next((folder / device).glob("*tflite-float32*.outputs.npy")))
        np.testing.assert_allclose(there, here, atol=1e-4)


def test_one_report_holds_all_three(profiled, project):
    _, folder = profiled
    done = run(project, "report", folder, "--out", project)
    assert done.returncode in (0, 1), done.stderr
    assert (project / "report/report.csv").exists(), done.stdout + done.stderr
    text = (project / "report/report.csv").read_text()
    assert all(device in text for device in ("cpu", "virtual-pi-arm64", "virtual-pi-armhf"))


@pytest.mark.parametrize("architecture", ["arm64", "armhf"])
def test_check_says_what_it_is(profiled, project, architecture):
    told = json.loads(run(project, "devices", "check", f"virtual-pi-{architecture}", "--json").stdout)
    assert told["userland_bits"] == {"arm64": 64, "armhf": 32}[architecture]
    assert told["emulator"].startswith("qemu-")
    assert told["board"].startswith("Raspberry Pi") and told["governor"] == "ondemand"
    assert told["temperature_millidegrees"] == 48312 and told["throttled"] == 0
    assert told["runs"]["tflite"].startswith(RUNTIME[architecture])


@pytest.mark.parametrize("architecture", ["arm64", "armhf"])
def test_the_second_profile_sends_little_and_starts_soon(pis, project, converted, tmp_path, architecture):
    """From bare again: everything is sent once; then under 1 % of it, and no package on its way."""
    device = find_device(f"virtual-pi-{architecture}", project)
    device = device.model_copy(update={"store": "~/again"})
    model = manifests(converted)["tflite-int8"]
    images = tmp_path / "images.npy"
    np.save(images, np.random.default_rng(0).integers(0, 256, (5, 16, 16, 1), dtype=np.uint8))
    sent, carried, outputs = [], [], []
    for session in ("first", "second"):
        told = []
        with SshDevice(device, session, told.append) as connected:
            assert connected.info().emulated
            outcome = connected.run(job(connected, model, images, RUNTIME[architecture]), lambda event: None)
            assert outcome.run.status == OK, outcome.run.reason
            sent.append(connected.bytes_sent)
            if session == "second":
                connected.remove_all()
        carried.append(sum(isinstance(one.event, Carried) for one in told))
        outputs.append(outcome.outputs)
    assert sent[1] < 0.01 * sent[0], sent
    assert carried[0] > 0 == carried[1]
    with LocalDevice() as here:
        expected = here.run(job(here, model, images, "litert"), lambda event: None).outputs
    np.testing.assert_allclose(outputs[0], expected, atol=2 / 256)  # two steps of the int8 output
    np.testing.assert_array_equal(outputs[0], outputs[1])


def job(device, model: Path, images: Path, runtime: str) -> Job:
    return make_job(device=device, artifact=model, images=images, runtime=runtime, settings=QUICK)


def test_a_device_without_python_says_so(pis, project):
    pi = pis["arm64"]
    python = pi.root / "usr/bin/python3"
    python.rename(python.with_name("python3.away"))
    try:
        with pytest.raises(DeviceError, match=r"there is no python3 on virtual-pi-arm64: install it there"):
            SshDevice(find_device(pi.name, project)).info()
    finally:
        python.with_name("python3.away").rename(python)


def test_a_restart_costs_nothing_but_time(pis, project, tmp_path):
    """The power of the 32-bit Pi is cut in the middle of a job; edgebench waits for it and starts the job once more."""
    events: list[OnDevice] = []
    config = find_device("virtual-pi-armhf", project).model_copy(update={"store": "~/restart"})
    with SshDevice(config, "restart", events.append, install=False) as device:
        install_odd(device, tmp_path)
        starts = pis["armhf"].root / "home/pi/starts"
        does = {"sleep_first": 300, "count": "/home/pi/starts"}
        long = odd_job(device, tmp_path, does, images=1, settings=QUICK)
        told = []

        def cut_power(event):
            told.append(event)
            if isinstance(event, Phase) and event.phase == "load" and told.count(event) == 1:
                wait_for(lambda: starts.exists() and starts.read_text().strip())
                pis["armhf"] = machine.restart(pis["armhf"])

        assert device.run(long, cut_power).run.status == OK
        assert Notice("the device restarted while it ran; the job is started once more") in told
        assert len(starts.read_text().splitlines()) == 2
        starts.unlink()
        device.remove_all()
    assert Reconnect in {type(told.event) for told in events}


def test_nothing_runs_on_after_all_that(pis, profiled):
    """Only the listening sshd of each Pi is left: no agent, no supervisor, no runner."""
    for pi in pis.values():
        listed = subprocess.run(
            ["ssh", "-F", str(pi.ssh_config), pi.name, "ps -eo args"], capture_output=True, text=True, check=True
        ).stdout
        assert "python" not in listed, listed
        jobs = list((pi.root / "home/pi/.cache/edgebench/jobs").iterdir())
        assert jobs == [] and list((pi.root / "home/pi/.cache/edgebench/incoming").iterdir()) == []


def test_install_renews_and_clean_leaves_nothing(pis, profiled, project):
    """The last test: afterwards the Pi is as bare as it was."""
    home = pis["armhf"].root / "home/pi"
    installed = run(project, "devices", "install", "virtual-pi-armhf", "--upgrade")
    assert installed.returncode == 0 and "virtual-pi-armhf: tflite-runtime 2." in installed.stdout
    assert "onnxruntime has no wheels for 32-bit ARM" in installed.stderr
    assert len(list((home / ".cache/edgebench/packages").iterdir())) == 1
    cleaned = run(project, "devices", "clean", "virtual-pi-armhf")
    assert cleaned.returncode == 0 and "removed /home/pi/.cache/edgebench" in cleaned.stdout
    assert not (home / ".cache/edgebench").exists()
