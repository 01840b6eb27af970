"""What is said of a batch size before it is measured."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from edgebench.pipeline.artifacts import Found, find_artifacts
from edgebench.pipeline.batches import batch_notes
from tests.conftest import Command
from tests.make import make_artifact
from tests.models import onnx_models


def test_only_what_is_fixed_to_another_batch_is_named(tmp_path: Path) -> None:
    onnx_models.classifier(tmp_path / "fixed.onnx")
    onnx_models.classifier(tmp_path / "free.onnx", batch="N")
    found = find_artifacts([tmp_path / "fixed.onnx", tmp_path / "free.onnx"], None)
    (line,) = batch_notes(found, [1, 8, 32])
    assert line == "fixed to a batch of 1, so 8 and 32 will be refused: " + found[0].artifact.label
    assert list(batch_notes(found, [1])) == []
    assert list(batch_notes([dataclasses.replace(found[0], file=None)], [8])) == []
    saved = make_artifact(variant="savedmodel:float32")
    assert "fixed to a batch of 1" in next(batch_notes([Found(saved, tmp_path)], [8]))
    assert list(batch_notes([Found(dataclasses.replace(saved, source=None), tmp_path)], [8])) == []


def test_it_is_said_before_anything_is_measured(converted: Path, edgebench: Command, tmp_path: Path) -> None:
    files = [converted / f"artifacts/small/small-float32.{kind}" for kind in ("tflite", "onnx")]
    quick = ["--processes", 1, "--max-processes", 1, "--max-seconds", 0.05, "--min-runs", 1, "--warmup", 0]
    done = edgebench("profile", *files, "--throughput", "1,4", *quick, "--out", tmp_path / "out")
    first, second = done.stderr.splitlines()[:2]
    assert first == "edgebench: made for a batch of 1, laid out anew by the runtime for 4: small tflite:float32"
    assert second == "edgebench: fixed to a batch of 1, so 4 will be refused: small onnx:float32"
    assert done.returncode == 1 and "Images/s" in done.stdout and "its batch is fixed at 1" in done.stdout
