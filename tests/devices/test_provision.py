"""Runtimes that are carried over: the pinned version and no other, each imported once there before it counts."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from edgebench.devices.config import read_devices
from edgebench.devices.provision.plan import fits, make_plan, missing_families, usable_runtimes
from edgebench.devices.provision.wheels import Package
from edgebench.devices.ssh import carry
from edgebench.devices.ssh.device import SshDevice
from edgebench.errors import UsageError
from edgebench.files import sha256_file
from tests.devices.test_devices_command import name_devices
from tests.devices.test_plan import board as facts_of

PINS = {"onnxruntime": "1.20"}


def test_a_pin_is_asked_for_and_nothing_else_is_used():
    plan = make_plan(facts_of(), {**PINS, "tflite-runtime": "2.14.0"}).candidates
    assert [one.requirements for one in plan["onnx"]] == [("onnxruntime==1.20.*", "numpy")]
    assert [one.requirements for one in plan["tflite"]] == [("tflite-runtime==2.14.0", "numpy<2")]  # and no litert
    own = {"numpy": "2", "onnxruntime": "1.21.1", "ai-edge-litert": "2.1"}
    assert usable_runtimes(facts_of(packages=own), PINS) == {"litert": "2.1"}
    assert missing_families(facts_of(packages=own), PINS) == ("onnx",)
    assert missing_families(facts_of(packages={**own, "onnxruntime": "1.20.3"}), PINS) == ()
    versions = ("1.20", "1.20.1", "1.2", "1.200", "1.21")
    assert [version for version in versions if fits(version, "1.20")] == ["1.20", "1.20.1"]


@pytest.mark.parametrize(
    ("pins", "words"),
    [
        ('{onnx = "1.20"}', "unknown 'onnx'; known are litert, tflite-runtime, onnxruntime"),
        ('{onnxruntime = "newest"}', "'newest' is not a version of onnxruntime such as \"1.20\""),
        ('{onnxruntime = "1.20 --index-url http://x"}', "is not a version"),
    ],
)
def test_a_pin_that_is_none_is_refused(tmp_path, monkeypatch, pins, words):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "devices.toml").write_text(f'[pi]\nhost = "pi"\nruntimes = {pins}\n')
    with pytest.raises(UsageError, match=words):
        read_devices(tmp_path)


class Wheels:
    """Stands in for the package index: packages of two lines that note each import, or cannot be imported."""

    def __init__(self, folder: Path, broken: bool) -> None:
        self.folder, self.broken, self.asked = folder, broken, []
        self.log = folder / "imports"
        self.log.touch()

    def fetch(self, requirement, facts, refresh=False):
        del facts, refresh
        self.asked.append(requirement)
        name = requirement.partition("=")[0]
        module = {"onnxruntime": "onnxruntime/__init__.py", "ai-edge-litert": "ai_edge_litert/interpreter.py"}.get(name)
        packed = self.folder / f"{name}.zip"
        code = f"with open({str(self.log)!r}, 'a') as log: log.write({name + chr(10)!r})\n"
        with zipfile.ZipFile(packed, "w") as archive:
            if module:
                archive.writestr("ai_edge_litert/__init__.py", "")
                archive.writestr(module, code + ("raise ImportError('libfoo.so: not for this board')\n" * self.broken))
            archive.writestr(f"{name}.txt", name)
        return Package(name, "9.9.1", packed, sha256_file(packed))


@pytest.mark.device
@pytest.mark.parametrize("broken", [False, True])
def test_each_runtime_is_imported_once_on_the_device_after_installing(board, tmp_path, monkeypatch, broken):
    """The device's own Python has both runtimes, in other versions than the pinned ones."""
    wheels = Wheels(tmp_path, broken)
    monkeypatch.setattr(carry, "fetch", wheels.fetch)
    config = board.config(runtimes={"onnxruntime": "9.9", "litert": "9.9"})
    with SshDevice(config) as device:
        info = device.info()
    assert sorted(wheels.asked) == ["ai-edge-litert==9.9.*", "numpy", "numpy", "onnxruntime==9.9.*"]
    assert sorted(wheels.log.read_text().split()) == ["ai-edge-litert", "onnxruntime"]
    if broken:
        assert not {"litert", "onnxruntime"} & set(info.runtimes)
        reason = "onnxruntime 9.9.1 was carried over, and board cannot import it: ImportError: libfoo.so: not for this"
        assert info.reasons["onnx"].startswith(reason)
        return
    assert (info.runtimes["onnxruntime"], info.runtimes["litert"], info.reasons) == ("9.9.1", "9.9.1", {})
    with SshDevice(config) as again:  # the second time nothing is asked for, sent or tried
        assert again.info().runtimes == info.runtimes
    assert len(wheels.asked) == 4 and len(wheels.log.read_text().split()) == 2


@pytest.mark.device
def test_a_pinned_device_never_runs_another_version(board, tmp_path):
    """The version that its Python has is not the pinned one, and no wheel of that exists: the cell says so."""
    from tests.models import onnx_models

    name_devices(board, tmp_path, 'runtimes = {onnxruntime = "0.0.1"}\n')
    model = onnx_models.classifier(tmp_path / "model.onnx")
    command = [sys.executable, "-m", "edgebench", "profile", str(model), "--preprocess", "none", "--device", "board"]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "onnxruntime is not installed on board: " in done.stdout and "onnxruntime==0.0.1" in done.stdout
