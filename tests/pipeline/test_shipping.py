"""An app answers as measured, on photos of odd sizes, in every format and precision."""

from __future__ import annotations

import ast
import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from edgebench.errors import UsageError
from edgebench.images.resizing import resize_image
from edgebench.pipeline.artifacts import find_artifacts
from edgebench.pipeline.shipping import app, proof
from edgebench.records import Preprocessing, TensorSpec
from edgebench.runner.preprocess import model_input
from edgebench.variants import VARIANTS
from tests.conftest import Command
from tests.make import make_artifact


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
    if not (tmp_path / "photos").exists():
        proof.write_photos(tmp_path / "photos")
    return tmp_path / "photos"


def test_a_predict_that_answers_otherwise_is_not_shipped(
    converted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = next(f for f in find_artifacts([converted / "artifacts"], None) if f.artifact.variant == "onnx:float32")
    right = app.program(found.artifact, found.artifact.path, app._describe(found).size)
    wrong = right.replace("image[None].astype(np.float32)", "image[None, ::-1].astype(np.float32)")
    assert wrong != right
    monkeypatch.setattr(app, "program", lambda *_: wrong)
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


RULES = [
    Preprocessing("a", scale=1 / 255, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4), resize=(11,), resample="bicubic"),
    Preprocessing("b", channels="BGR", resize=(12, 14), fit="cover", crop="round", upright=True),
    Preprocessing("c", resize=(12, 9), fit="contain", fill=(7, 8, 9), resample="lanczos"),
    Preprocessing("d", resize=(6, 20), fill=(3,), cut=0.875, resample="nearest"),
    Preprocessing("e", resize=(9, 5), resample="hamming", mean=(1.0,)),
    Preprocessing("f", scale=1 / 255, mean=(0.5,), std=(0.5,)),
]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.rule)
def test_every_rule_gives_the_same_pixels(rule: Preprocessing, channels: int, tmp_path: Path) -> None:
    """What predict.py does to a photo is what the measuring path does, without a model in between."""
    artifact = make_artifact(
        variant="tflite:int8", preprocessing=rule, input=TensorSpec("x", (1, 10, 9, channels), "int8", 0.5, -3)
    )
    text = app.program(artifact, "m.tflite", (10, 9, channels))
    scope: dict[str, Any] = {"np": np, "Image": Image, "ImageOps": ImageOps}
    tree = ast.parse(text)
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name in ("pixels", "prepare")]
    exec(compile(tree, "predict.py", "exec"), scope)
    assert artifact.input is not None
    for photo in sorted(_photos(tmp_path).iterdir()):
        with Image.open(photo) as image:
            expected = resize_image(image, rule, (10, 9, channels))
        assert np.array_equal(scope["pixels"](photo), expected), photo.name
        if channels == 3 or len(rule.mean) == 1:
            ours = model_input(expected[None], rule, artifact.input)
            assert np.array_equal(scope["prepare"](expected), ours)


def test_a_manifest_cannot_write_code(tmp_path: Path) -> None:
    name = "x'}); import os; os.system('touch owned') #\n\"\"\""
    spec, kind = TensorSpec(name, (1, 4, 4, 3), "float32"), '"""\\nowned()'
    artifact = make_artifact("m", "onnx:float32", preprocessing=Preprocessing("a"), output_kind=kind, input=spec)
    tree = ast.parse(app.program(artifact, name, (4, 4, 3)))
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert "os" not in names and "owned" not in names
    for change in ({"resample": "x"}, {"fit": "y"}, {"crop": "z"}):
        wrong = dataclasses.replace(artifact, preprocessing=Preprocessing("a", **change))
        with pytest.raises(UsageError, match="a preprocessing that there is not"):
            app.program(wrong, "m.onnx", (4, 4, 3))


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
