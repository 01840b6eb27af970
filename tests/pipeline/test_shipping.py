"""An app answers as measured, on photos of odd sizes, in every format and precision."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgebench.errors import UsageError
from edgebench.pipeline.artifacts import find_artifacts
from edgebench.pipeline.shipping import app, proof
from edgebench.variants import VARIANTS
from tests.conftest import Command


@pytest.mark.parametrize("variant", VARIANTS)
def test_an_app_answers_as_measured(variant: str, converted: Path, tmp_path: Path) -> None:
    found = next(f for f in find_artifacts([converted / "artifacts"], None) if f.artifact.variant == variant)
    folder = app.ship(found, tmp_path / "app", ())
    assert {"model.json", "labels.txt", "predict.py"} < {item.name for item in folder.iterdir()}
    done = subprocess.run(
        [sys.executable, "-I", folder / "predict.py", next(_photos(tmp_path).iterdir())],
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(done.stdout.splitlines()) == 6


def _photos(tmp_path: Path) -> Path:
    proof.write_photos(tmp_path / "photos")
    return tmp_path / "photos"


def test_a_predict_that_answers_otherwise_is_not_shipped(
    converted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = next(f for f in find_artifacts([converted / "artifacts"], None) if f.artifact.variant == "onnx:float32")
    right = app.program(found.artifact)
    wrong = right.replace("image[None].astype(np.float32)", "image[None, ::-1].astype(np.float32)")
    assert wrong != right
    monkeypatch.setattr(app, "program", lambda _artifact: wrong)
    with pytest.raises(UsageError, match="differs from what is measured"):
        app.ship(found, tmp_path / "app", ())
    assert list(tmp_path.iterdir()) == []


def test_it_never_replaces_what_it_did_not_write(converted: Path, tmp_path: Path) -> None:
    found = next(f for f in find_artifacts([converted / "artifacts"], None) if f.artifact.variant == "tflite:int8")
    mine = tmp_path / "app" / "model.json"
    mine.parent.mkdir()
    mine.write_text("{}")
    with pytest.raises(UsageError, match="did not write"):
        app.ship(found, tmp_path / "app", ())
    assert mine.read_text() == "{}"
    folder = app.ship(found, tmp_path / "other", ("a\nb",) * 10)
    assert (folder / "labels.txt").read_text() == "a b\n" * 10
    assert app.ship(found, folder, ()) == folder  # its own it replaces
    assert (folder / "labels.txt").read_text() == "".join(f"{label}\n" for label in found.artifact.labels)


def test_the_command(converted: Path, tmp_path: Path, edgebench: Command) -> None:
    artifact = next((converted / "artifacts").rglob("*-dynamic.tflite"))
    done = edgebench("ship", artifact, "--out", tmp_path / "app", "--json")
    assert done.returncode == 0, done.stderr
    assert artifact.name in json.loads(done.stdout)["files"]
    for arguments, message in (
        (("--labels", "a,b"), "names 2 classes"),
        ((), "has no manifest"),
    ):
        bare = tmp_path / "bare.tflite"
        bare.write_bytes(artifact.read_bytes())
        done = edgebench("ship", artifact if arguments else bare, "--out", tmp_path / "no", *arguments)
        assert done.returncode == 2 and message in done.stderr
        assert not (tmp_path / "no").exists()


def test_photos_are_the_same_every_time(tmp_path: Path) -> None:
    proof.write_photos(tmp_path / "a")
    proof.write_photos(tmp_path / "b")
    names = sorted(item.name for item in (tmp_path / "a").iterdir())
    assert len(names) == proof.PHOTOS
    assert all(np.array_equal(*(np.fromfile(tmp_path / side / name, np.uint8) for side in "ab")) for name in names)
