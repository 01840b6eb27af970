"""`convert --max-drop`: what it needs is said before anything is loaded; one artifact goes all the way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--to", "onnx:mixed"], "mixed needs a promise to keep"),
        (["--to", "onnx:mixed", "--max-drop", "0.5"], "--max-drop 0.5 is no share: give a percentage such as 0.5%"),
        (["--to", "onnx:mixed", "--max-drop", "200%"], "--max-drop 200% is no share"),
        (["--to", "onnx:float32", "--max-drop", "1%"], "--max-drop belongs to tflite:mixed and onnx:mixed"),
    ],
)
def test_wrong_use_is_one_line(edgebench, photos: Path, tmp_path: Path, arguments: list[str], message: str) -> None:
    done = edgebench("convert", "model.keras", *arguments, "--data", photos, "--out", tmp_path)
    assert done.returncode == 2 and message in done.stderr


def test_both_formats_keep_a_promise(edgebench, small_keras: Path, photos: Path, tmp_path: Path) -> None:
    common = ("convert", small_keras, "--data", photos, "--out", tmp_path)
    done = edgebench(*common, "--to", "onnx:mixed", "--to", "tflite:mixed", "--max-drop", "30%")
    assert done.returncode == 0, done.stderr
    for kind in ("onnx", "tflite"):
        manifest = json.loads((tmp_path / "artifacts" / "small" / f"small-mixed.{kind}.json").read_text())
        assert manifest["precision"] == "mixed" and manifest["recipe"].startswith("int8 but for ")
        assert manifest["notes"][0].startswith("the drop of top-1 is ")
        assert any(note.startswith("0 layers in float: ") for note in manifest["notes"])
        assert all(line in done.stderr for line in (manifest["recipe"], *manifest["notes"]))
    short = edgebench(*common, "--to", "tflite:mixed", "--max-drop", "0.5%")
    assert short.returncode == 1
    assert "a limit of 0.50% cannot be proved on 60 images: at least 5" in short.stderr
    assert "Give more with --data, raise --max-drop, or ship tflite:float16" in short.stderr
