"""A manifest may be anybody's: what it says never lets code run that was not allowed by typing so, here and now."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from edgebench.converters import sources
from edgebench.converters.trust import NOTHING, Trust
from edgebench.errors import UsageError
from edgebench.files import sha256_file, write_json
from edgebench.images.evaluation import open_dataset
from edgebench.pipeline.evaluations import Exams
from edgebench.records import OK, Perturbation, Preprocessing, Source, TensorSpec
from tests.make import make_artifact
from tests.models import onnx_models

NONE = Preprocessing("none")


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """Somebody's folder: an .onnx, its manifest, and a .keras file whose Lambda layer leaves a mark when it runs."""
    pytest.importorskip("keras")
    from keras import layers

    from tests.models import keras_models

    folder = tmp_path_factory.mktemp("given")
    mark = str(folder / "ran")
    layer = layers.Lambda(lambda x: (open(mark, "w").close(), x)[1], output_shape=(8, 8, 3))
    model = keras_models.save(keras_models.classifier(layer, size=(8, 8, 3)), folder / "model.keras")
    Path(mark).unlink(missing_ok=True)
    file = onnx_models.classifier(folder / "m.onnx", classes=3)
    artifact = make_artifact(
        variant="onnx:float32",
        path=file.name,
        sha256=sha256_file(file),
        size_bytes=file.stat().st_size,
        input=TensorSpec("pixels", (1, 8, 8, 3), "float32"),
        output=TensorSpec("probabilities", (1, 3), "float32"),
        labels=(),
        source=Source("keras", str(model), sha256_file(model), (("trust_lambda", "true"),)),
    )
    write_json(folder / "m.onnx.json", artifact)
    np.savez(
        folder / "data.npz",
        x=np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), np.uint8),
        y=np.arange(6, dtype=np.int64) % 3,
    )
    return folder, artifact


def test_a_lambda_runs_only_where_it_was_typed(given, edgebench, tmp_path: Path) -> None:
    folder, _ = given
    command = ("profile", folder / "m.onnx", "--data", folder / "data.npz", "--min-runs", "1", "--out", tmp_path)
    done = edgebench(*command)
    assert not (folder / "ran").exists()
    assert "no reference" in done.stderr and "type --trust-lambda here too" in done.stderr, done.stderr
    again = edgebench(*command, "--trust-lambda", "--fresh")
    assert (folder / "ran").exists() and "--trust-lambda" not in again.stderr, again.stderr


def test_perturbed_images_ask_too(given, tmp_path: Path) -> None:
    folder, artifact = given
    (folder / "ran").unlink(missing_ok=True)
    wanted = (Perturbation("noise", 10.0, 0),)
    exams = Exams([open_dataset(folder / "data.npz")], tmp_path, lambda _: None, wanted)
    assert artifact.status == OK
    assert "--trust-lambda" in exams.of(artifact, NONE)[0].reference_reason
    assert "--trust-lambda" in exams.perturbed(artifact, NONE)[0].reference_reason
    assert not (folder / "ran").exists()


def test_a_source_that_changed_is_told_from_one_that_is_not_trusted(given) -> None:
    _, artifact = given
    with pytest.raises(UsageError, match="type --trust-lambda"):
        sources.check_again(artifact.source, NOTHING)
    sources.check_again(artifact.source, Trust(lambdas=True))
    with pytest.raises(UsageError, match="has changed since it was converted"):
        sources.check_again(dataclasses.replace(artifact.source, sha256="0" * 64), Trust(lambdas=True))
