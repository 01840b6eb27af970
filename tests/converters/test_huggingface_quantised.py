"""A vision transformer trained on the digits, in every precision: what it keeps of torch's answers and its size."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from edgebench.demo.models import digits, resized
from edgebench.records import Settings
from edgebench.registry import find_runtime
from edgebench.runner.preprocess import guess_layout, normalise, to_input, to_real
from edgebench.variants import FORMATS, VARIANTS

pytest.importorskip("transformers")
pytestmark = pytest.mark.huggingface

from edgebench.converters.huggingface import converter as huggingface  # noqa: E402
from edgebench.converters.huggingface import source as huggingface_source  # noqa: E402
from edgebench.demo import huggingface as demo_huggingface  # noqa: E402

RUNTIME = {"tflite": "litert", "onnx": "onnxruntime"}
AT_LEAST = {"float16": 0.99, "dynamic": 0.99, "int8": 0.97, "int16x8": 0.99}
AT_MOST = {"float16": 0.55, "dynamic": 0.30, "int8": 0.30, "int16x8": 0.30}
EPOCHS = 14


class Trained:
    """The checkpoint, its float32 graphs, and torch's answers on the test digits."""

    def __init__(self, folder: Path) -> None:
        said: list[str] = []
        self.folder = demo_huggingface.train(folder, said.append, EPOCHS)
        self.said = said
        self.model = huggingface.load(huggingface_source.resolve(str(self.folder)), None)
        train, _, test, self.labels = digits()
        shape = (self.model.height, self.model.width, self.model.channels)
        self.images, self.calibration = resized(test, shape), resized(train[:100], shape)
        self.reference = huggingface.predict(self.model, self.images)
        self.graphs = {"tflite": folder / "float32.tflite", "onnx": folder / "float32.onnx"}
        huggingface.to_tflite(self.model, self.graphs["tflite"])
        huggingface.to_onnx(self.model, self.graphs["onnx"])

    def quantise(self, kind: str, precision: str, path: Path) -> Any:
        """Write one precision as the converter worker does."""
        quantiser = importlib.import_module(FORMATS[kind].quantiser)
        inputs = self.inputs(self.calibration, quantiser.input_shape(self.graphs[kind]))
        return quantiser.quantise(self.graphs[kind], precision, path, inputs)

    def inputs(self, images: npt.NDArray[np.uint8], shape: tuple[int, ...]) -> Any:
        """Preprocessed images in the layout of an input of `shape`."""
        return normalise(images, self.model.preprocessing, guess_layout(shape))

    def answers(self, kind: str, path: Path) -> npt.NDArray[np.float32]:
        """What the runtime answers for the test digits."""
        runtime = find_runtime(RUNTIME[kind])
        session = importlib.import_module(runtime.module).open_session(runtime.name, str(path), Settings())
        rows = []
        for row in self.inputs(self.images, session.input.shape):
            session.copy_in(to_input(row[None], session.input))
            session.invoke()
            rows.append(to_real(session.copy_out(), session.output))
        session.close()
        return np.concatenate(rows)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return Trained(tmp_path_factory.mktemp("trained"))


def test_it_learned_the_digits_and_says_so(trained: Trained) -> None:
    right = np.mean(trained.reference.argmax(1) == trained.labels)
    assert right > 0.8
    assert trained.said[-1].strip() == f"{right:.1%} of 450 test images right"
    assert trained.model.labels[0] == "0-zero"


@pytest.mark.parametrize("variant", [v for v in VARIANTS if not v.endswith(":float32")])
def test_agreement_and_size(variant: str, trained: Trained, tmp_path: Path) -> None:
    kind, precision = variant.split(":")
    path = tmp_path / f"{precision}.{kind}"
    made = trained.quantise(kind, precision, path)
    if precision in ("int8", "int16x8"):
        assert made.recipe.startswith("convolutions and matrix products only")
        assert any("SOFTMAX" in note.upper() and "GELU" in note.upper() for note in made.notes)
    answers = trained.answers(kind, path)
    assert np.mean(answers.argmax(1) == trained.reference.argmax(1)) >= AT_LEAST[precision]
    assert path.stat().st_size <= AT_MOST[precision] * trained.graphs[kind].stat().st_size


def test_through_the_commands_and_images_of_other_classes_are_refused(trained: Trained, tmp_path: Path) -> None:
    pictures, out = tmp_path / "pictures", tmp_path / "out"
    for index, image in enumerate(trained.images[:6]):
        place = pictures / f"{index % 3}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{index}.png")
    converted = _edgebench("convert", str(trained.folder), "--to", "onnx:float32", "--data", str(pictures), out=out)
    assert converted.returncode == 0, converted.stdout + converted.stderr
    manifest = json.loads(next(out.glob("artifacts/*/*.onnx.json")).read_text())
    assert manifest["layout"] == "NCHW"
    assert manifest["output_kind"] == "logits"
    assert manifest["labels"][9] == "9-nine"
    assert manifest["parity_db"] >= 60

    refused = _edgebench("profile", str(out / "artifacts"), "--data", str(pictures), out=out)
    assert refused.returncode == 2, refused.stdout + refused.stderr
    line = refused.stderr.strip().splitlines()[-1]
    assert "10" in line
    assert "3 classes" in line


def _edgebench(*arguments: str, out: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edgebench", *arguments, "--out", str(out)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)
