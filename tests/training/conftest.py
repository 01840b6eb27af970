"""What the tests of `train` share: a few small digits, and one process that trains for all of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pytest

from edgebench.errors import EdgebenchError
from edgebench.files import read_record
from edgebench.messages import Done, Refused, from_line, to_line
from edgebench.records import TrainingRecord
from edgebench.training.events import EVENTS, Event, Finished, Request
from edgebench.training.run import Trained
from edgebench.training.settings import Training
from tests.training.several import Asked

Trains = Callable[..., Trained]
ROOT = Path(__file__).parents[2]


def weights(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Read every array of a .keras file, whatever they belong to, without Keras."""
    found: dict[str, npt.NDArray[Any]] = {}

    def add(name: str, value: Any) -> None:
        if isinstance(value, h5py.Dataset):
            found[name] = np.asarray(value)

    with zipfile.ZipFile(path) as archive, h5py.File(BytesIO(archive.read("model.weights.h5"))) as file:
        file.visititems(add)
    return found


@pytest.fixture(scope="session")
def loose(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits as one folder without splits: 14 images of each of three classes."""
    folder = tmp_path_factory.mktemp("loose") / "digits"
    for split in ("train", "test"):
        for name in ("0-zero", "1-one", "4-four"):
            for file in sorted((photos / split / name).iterdir()):
                (folder / name).mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, folder / name / f"{split}{file.name}")
    return folder


@pytest.fixture(scope="session")
def keras_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder where the process that trains looks for Keras' pretrained weights; it reads its name once."""
    return tmp_path_factory.mktemp("keras")


@pytest.fixture(scope="session")
def trains(keras_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trains]:
    """`train`, always in the same process: TensorFlow takes longer to load than these nets to train.

    `stop` is the epoch and the step (from 1) after which the user asks for an end.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "KERAS_HOME": str(keras_home), "OMP_NUM_THREADS": "1"}
    log = (tmp_path_factory.mktemp("trains") / "log").open("w+")
    with (
        log,
        subprocess.Popen(
            [sys.executable, "-m", "tests.training.several"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=environment,
        ) as process,
    ):
        yield lambda *arguments, **options: _train(process, *arguments, **options)
        process.stdin.close()  # type: ignore[union-attr]


def _train(
    process: Any,
    training: Training,
    out: Path,
    tell: Callable[[Event], None] = lambda _: None,
    stop: tuple[int, int] | None = None,
) -> Trained:
    process.stdin.write(to_line(Asked(Request(training, out, False), stop)) + "\n")
    process.stdin.flush()
    finished: Finished | None = None
    for line in process.stdout:
        event: Event | Done | Refused = from_line((*EVENTS, Done, Refused), line, "the process that trains")
        if isinstance(event, Refused):
            raise EdgebenchError(event.reason)
        if isinstance(event, Done):
            break
        finished = event if isinstance(event, Finished) else finished
        tell(event)
    assert finished is not None, "the process that trains has died"
    return Trained(finished.model, read_record(TrainingRecord, finished.record), finished.before)
