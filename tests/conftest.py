"""What many tests share, made once a session: photos of digits, a small trained Keras model, its artifacts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from xdist.scheduler import LoadScopeScheduling

from tests.make import make_run, make_runs

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["EDGEBENCH_SILENCE"] = "3600"  # on a busy machine no command says more than on an idle one
# A shell that starts the tests in its background has them ignore Ctrl-C, and so would every command they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def edgebench() -> Command:
    """Run the command line in a process of its own: `edgebench("convert", ..)`; a traceback fails the test."""

    def run(*arguments: object, timeout: float = 400) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "edgebench", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return run


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of real handwritten digits: train/ and test/, ten classes, 8 and 6 images of each."""
    from edgebench.demo.models import NAMES, digits

    folder = tmp_path_factory.mktemp("photos")
    train_images, train_labels, test_images, test_labels = digits()
    for split, images, labels, count in (
        ("train", train_images, train_labels, 8),
        ("test", test_images, test_labels, 6),
    ):
        for digit, name in enumerate(NAMES):
            place = folder / split / f"{digit}-{name}"
            place.mkdir(parents=True)
            for index, image in enumerate(images[labels == digit][:count]):
                Image.fromarray(image).save(place / f"{index}.png")
    return folder


@pytest.fixture(scope="session")
def small_keras(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained classifier of digits with a few thousand weights; it rescales its pixels by itself."""
    pytest.importorskip("keras")
    from tests.models import keras_models

    return keras_models.trained(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def converted(small_keras: Path, photos: Path, tmp_path_factory: pytest.TempPathFactory, edgebench: Command) -> Path:
    """The output folder with every variant of `small_keras`; its artifacts are in `artifacts/small`."""
    out = tmp_path_factory.mktemp("converted")
    done = edgebench("convert", small_keras, "--to", "all", "--data", photos, "--out", out)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.fixture
def run() -> Any:
    return make_run


@pytest.fixture
def runs() -> Any:
    return make_runs


class ByPlace(LoadScopeScheduling):
    """A file's tests go to one worker, and so do all tests of devices: the emulated Pis are started once."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "devices" if file.startswith(("tests/devices/", "tests/virtual_pi/")) else file


# By name: marks of groups reach no worker with pytest 9.2, whose nodes keep no `_nodeid` that xdist could change.
@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Tell the workers which tests belong together."""
    return ByPlace(config, log)
