"""A perturbed profile over a real sshd: a severity is sent, used by all cells and gone before the next."""

import pytest
from PIL import Image

from edgebench.devices.local import LocalDevice
from edgebench.devices.ssh.device import SshDevice
from edgebench.images.evaluation import open_dataset
from edgebench.images.perturbations import parse_perturbation
from edgebench.pipeline.artifacts import find_artifacts
from edgebench.pipeline.evaluations import Exams
from edgebench.pipeline.profile import Request, profile
from edgebench.records import OK, Settings
from tests.devices.sshd import LocalSshd
from tests.models import onnx_models

pytestmark = pytest.mark.device
QUICK = Settings(processes=1, max_processes=1, min_runs=5, min_seconds=0.01, max_seconds=0.1)


class Watching(SshDevice):
    """Notes before each job what is lent to it; can be interrupted as by Ctrl-C."""

    def __init__(self, config, store, interrupt_after=10**9):
        super().__init__(config, "one profile", install=False)
        self.lent, self._objects, self._left = [], store / "objects", interrupt_after

    def run(self, job, progress):
        outcome = super().run(job, progress)
        if job.kind == "accuracy":
            self.lent.append([path.name for path in self._objects.glob("*.lent") if path.is_dir()])
            self._left -= 1
            if not self._left:
                raise KeyboardInterrupt
        return outcome


def test_a_device_holds_one_severity_at_a_time(board: LocalSshd, tmp_path):
    for label in range(2):
        folder = tmp_path / "photos" / f"class{label}"
        folder.mkdir(parents=True)
        for number in range(4):
            Image.new("RGB", (8, 8), (90 * label + 40, 30 * number, 90)).save(folder / f"{number}.png")
    models = tmp_path / "models"
    models.mkdir()
    for name in ("one", "two"):
        onnx_models.classifier(models / f"{name}.onnx", classes=2)

    def results(device, out):
        exams = Exams([open_dataset(tmp_path / "photos")], out / "cache", ignore, parse_perturbation("noise=0:80:40"))
        return profile(Request(find_artifacts([models], None), exams, QUICK, out), device, ignore)

    with pytest.raises(KeyboardInterrupt):
        results(Watching(board.config(), board.store, 3), tmp_path / "far")
    left = [path.name for path in (board.store / "objects").glob("*.lent")]
    assert len(left) == 1  # of the interrupted run: a job may still be reading it
    device = Watching(board.config(), board.store)
    far = results(device, tmp_path / "far")
    last = device.lent[-1]
    assert len(last) == 1 and last != left and device.lent == [left, left, last, last]
    assert [result.status for result in far] == [OK, OK]
    assert not list((board.store / "objects").glob("*.lent"))
    for there, here in zip(far, results(LocalDevice(), tmp_path / "near"), strict=True):
        assert [e.perturbation and e.perturbation.label for e in there.evaluations] == [
            None, "noise 0", "noise 40", "noise 80",
        ]  # fmt: skip
        one, other = ([e.accuracy.right for e in result.evaluations] for result in (there, here))
        assert one == other


def ignore(event):
    pass
