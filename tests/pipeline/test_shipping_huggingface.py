"""A checkpoint with its own image processor (shortest edge, bicubic, centre crop, EXIF) is shipped as measured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("transformers")
pytestmark = pytest.mark.huggingface

from edgebench.pipeline.artifacts import find_artifacts  # noqa: E402
from edgebench.pipeline.shipping import app, proof  # noqa: E402
from tests.conftest import Command  # noqa: E402
from tests.models.huggingface import ARCHITECTURES, save  # noqa: E402

PROCESSOR = {
    "image_processor_type": "BitImageProcessor",
    "size": {"shortest_edge": 40},
    "crop_size": {"height": 32, "width": 32},
    "resample": 3,
}


def test_its_apps_answer_as_measured_and_as_transformers(tmp_path: Path, edgebench: Command) -> None:
    from transformers import AutoImageProcessor, AutoModelForImageClassification
    from transformers.image_utils import load_image

    checkpoint = save(ARCHITECTURES["vit"].network(), tmp_path / "vit", 32)
    settings = checkpoint / "preprocessor_config.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | PROCESSOR))
    wanted = ["--to", "onnx:float32", "--to", "onnx:dynamic"]  # NCHW, as no Keras file is
    done = edgebench("convert", checkpoint, *wanted, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stdout + done.stderr
    for found in find_artifacts([tmp_path / "out/artifacts"], None):
        folder = app.ship(found, tmp_path / found.artifact.variant.replace(":", "-"), ())
    proof.write_photos(tmp_path / "photos")
    photos = sorted((tmp_path / "photos").iterdir())
    processor = AutoImageProcessor.from_pretrained(checkpoint, use_fast=False)
    network = AutoModelForImageClassification.from_pretrained(checkpoint)
    theirs = np.concatenate([
        network(**processor(load_image(str(photo)).convert("RGB"), return_tensors="pt")).logits.detach().numpy()
        for photo in photos if proof.MODES[int(photo.stem) % len(proof.MODES)] != "I;16"  # which they clip at 255
    ])  # fmt: skip
    ask = "import sys, json, predict; print(json.dumps([predict.outputs(p).tolist() for p in sys.argv[1:]]))"
    names = [str(photo) for photo in photos if proof.MODES[int(photo.stem) % len(proof.MODES)] != "I;16"]
    folder = tmp_path / "onnx-float32"
    done = subprocess.run([sys.executable, "-c", ask, *names], cwd=folder, capture_output=True, text=True, check=True)
    ours = np.array(json.loads(done.stdout))
    assert np.abs(ours - theirs).max() < 1e-4 * np.abs(theirs).max()
