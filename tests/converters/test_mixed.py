"""`mixed`: the constructed culprit is found and left in float, a promise that cannot be proved is not made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnxconverter_common")
from edgebench.converters.base import Promise
from edgebench.converters.quantize.mixed.make import mixed
from edgebench.converters.quantize.mixed.proof import changed, images_needed
from edgebench.converters.quantize.mixed.trials import Setting
from edgebench.errors import ConversionError
from edgebench.measures.accuracy import sqnr_db
from tests.converters.test_quantise_onnx import run
from tests.models import culprits, onnx_models
from tests.models.pixels import coarse


def pixels(count: int, seed: int) -> np.ndarray:
    return coarse(count, 16, seed=seed).transpose(0, 3, 1, 2).astype(np.float32)


def onnx(path: Path) -> Setting:
    return Setting("onnx", str(path), "every")


def test_the_culprit_stays_in_float(tmp_path: Path) -> None:
    source = onnx_models.convolutional(tmp_path / "plain.onnx", classes=3, seed=2)
    plain = onnx_models.centred(source, pixels(60, 6))
    tensor = culprits.onnx_culprit(plain, tmp_path / "culprit.onnx", "w1,b1", "w2", 200.0, [3])
    promise = Promise(0.04, pixels(300, 5), None)
    reference = run(tmp_path / "culprit.onnx", promise.inputs)
    assert sqnr_db(reference, run(plain, promise.inputs)) > 100  # the function is kept
    made = mixed(onnx(tmp_path / "culprit.onnx"), tmp_path / "mixed.onnx", pixels(60, 6), promise)
    outputs = run(tmp_path / "mixed.onnx", promise.inputs)
    differ = int(np.sum(outputs.argmax(1) != reference.argmax(1)))
    bound = changed(outputs, reference, None).bound
    assert bound <= 0.04
    said = f"the disagreement with the float graph is {differ / 300:.2%} and below {bound:.2%} (95 %, 300 images that "
    assert made.notes[0].startswith(said)
    (kept,) = [note for note in made.notes if note.startswith("in float: ")]
    assert made.recipe.startswith("int8 but for 1 layer in float (tensors with the 3 operators that touch them)")
    assert kept.startswith(f"in float: {tensor} (rounding it alone leaves the logits ")
    assert kept.endswith(" dB; computed in float: conv1, relu1, conv2)")
    (marked,) = [note for note in made.notes if note.endswith(" <- this file")]
    assert marked.startswith("1 layer in float: 3 of 9 operators, ")
    assert any(note.startswith("0 layers in float: 0 of 9 operators, ") for note in made.notes)
    (cost,) = [note for note in made.notes if "full evaluations" in note]
    assert int(cost.split()[0]) <= 12 and " of at most 12: " in cost


def test_too_few_images_are_said(tmp_path: Path) -> None:
    plain = onnx_models.convolutional(tmp_path / "plain.onnx")
    with pytest.raises(ConversionError, match=r"0.50% cannot be proved on 50 images: at least 5\d\d .*onnx:float16"):
        mixed(onnx(plain), tmp_path / "m.onnx", pixels(12, 0), Promise(0.005, pixels(50, 1), np.zeros(50, np.int64)))
    assert not (tmp_path / "m.onnx").exists()


def test_bounds_are_the_published_ones() -> None:
    reference = np.eye(2, dtype=np.float32)[np.zeros(100, int)]
    outputs = reference.copy()
    outputs[:3] = outputs[:3, ::-1]
    assert changed(outputs, reference, None).bound == pytest.approx(0.08518, abs=1e-5)  # Clopper and Pearson, 3 of 100
    labels = np.zeros(100, np.int64)
    p, q, n = 4 / 102, 1 / 102, 102
    expected = (p - q) + 1.9599640 * np.sqrt((p + q - (p - q) ** 2) / n)
    assert changed(outputs, reference, labels).bound == pytest.approx(expected)
    assert images_needed(0.05, labelled=False) == 72  # 1 - 0.025 ** (1 / 72) = 0.0499


@pytest.mark.parametrize("won", [0.0, 0.01])
def test_the_promise_is_rarely_broken(won: float) -> None:
    """1,000 draws of an artifact whose true drop is just the limit: accepted in at most 5 %."""
    generator, labels = np.random.default_rng(0), np.zeros(1000, np.int64)
    accepted = 0
    for _ in range(1000):
        draw = generator.random(1000)
        lost, gained = draw < won + 0.005, draw > 1 - won
        right = np.eye(2, dtype=np.float32)
        reference = right[np.where(gained, 1, 0)]
        outputs = right[np.where(lost, 1, 0)]
        accepted += changed(outputs, reference, labels).bound <= 0.005
    assert accepted <= 50
