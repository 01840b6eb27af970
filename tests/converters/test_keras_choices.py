"""Keras models that need a word of the user: their own layers, one of several outputs or signatures, other backends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgebench.converters import sources, user_code
from edgebench.converters.trust import Trust
from edgebench.errors import UsageError
from edgebench.files import sha256_file
from edgebench.records import Preprocessing
from tests.converters.test_keras_sources import converter, load, models  # noqa: F401 (fixtures)

NONE = Preprocessing("none")
LAYERS = Path(__file__).parents[1] / "models" / "my_layers.py"


def pixels(*shape: int):
    import numpy as np

    return np.random.default_rng(0).integers(0, 256, (4, *shape), np.uint8)


def custom(models, folder: Path) -> dict[str, Path]:  # noqa: F811
    """Save three models of the user's own classes, under names that this process has forgotten again."""
    from tests.models import my_layers

    net = my_layers.Net()
    net(pixels(16, 16, 3).astype("float32"))
    return {
        "Scale": models.save(models.classifier(my_layers.Scale()), folder / "layer.keras"),
        "Scale ": models.save(models.classifier(my_layers.Scale()), folder / "layer.h5"),
        "squash": models.save(models.classifier(activation=my_layers.squash), folder / "activation.keras"),
        "squash ": models.save(models.classifier(activation=my_layers.squash), folder / "activation.h5"),
        "Net": models.save(net, folder / "subclassed.keras"),
    }


def test_an_unknown_class_is_named_with_both_ways_out(converter, models, tmp_path: Path) -> None:  # noqa: F811
    for name, path in custom(models, tmp_path).items():
        with pytest.raises(UsageError) as error:
            load(converter, path)
        said = str(error.value)
        assert f"it has no {name.strip()}, which is code of your own" in said, (name, said)
        assert "--import my_layers.py" in said and "model.export" in said


def test_layers_of_the_users_own_file(converter, models, tmp_path: Path, monkeypatch) -> None:  # noqa: F811
    import keras
    import numpy as np

    from tests.models import my_layers

    made = custom(models, tmp_path)
    trust = Trust(imports=(LAYERS,))
    monkeypatch.setattr(user_code, "_defined", {})
    user_code.run(trust.imports)
    try:
        for path in made.values():
            found = load(converter, path, trust=trust)
            assert dict(found.source.options)["import"] == f"my_layers.py={sha256_file(LAYERS)}"
            own = {name: getattr(my_layers, name) for name in ("Scale", "Net", "squash")}
            expected = keras.saving.load_model(path, custom_objects=own)(pixels(16, 16, 3).astype("float32"))
            np.testing.assert_allclose(converter.predict(found, pixels(16, 16, 3)), expected, atol=1e-5)
    finally:
        sys.modules.pop("my_layers")


def test_typed_code_converts_and_is_typed_again(edgebench, models, tmp_path: Path) -> None:  # noqa: F811
    path = custom(models, tmp_path)["Scale"]
    own = tmp_path / "layers_of_mine.py"
    own.write_text(LAYERS.read_text())
    command = ("convert", path, "--to", "onnx:float32", "--preprocess", "none", "--out", tmp_path / "out")
    done = edgebench(*command, "--import", own)
    assert done.returncode == 0, done.stderr
    manifest = json.loads(next((tmp_path / "out").rglob("*.onnx.json")).read_text())
    assert manifest["source"]["options"] == [["import", f"layers_of_mine.py={sha256_file(own)}"]]
    assert str(tmp_path) not in json.dumps(manifest["source"]["options"])
    assert "unchanged" in edgebench(*command, "--import", own).stderr
    source = sources.resolve(str(path), trust=Trust(imports=(own,)))
    with pytest.raises(UsageError, match=r"with the code of layers_of_mine.py: type --import layers_of_mine.py here"):
        sources.check_again(source, Trust())
    assert sources.check_again(source, Trust(imports=(own, LAYERS))) == (own,)
    own.write_text(LAYERS.read_text() + "# changed\n")
    with pytest.raises(UsageError, match=r"layers_of_mine.py has changed since"):
        sources.check_again(source, Trust(imports=(own,)))


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("def x(:", "ended in SyntaxError"),
        ("import nothing_of_the_kind", "No module named 'nothing_of_the_kind': install it, or name its file"),
        ("raise SystemExit(3)", "ended in SystemExit: 3"),
        ("1 / 0", "ended in ZeroDivisionError: division by zero"),
    ],
)
def test_code_that_does_not_run(code: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "broken_layers.py").write_text(code)
    try:
        with pytest.raises(UsageError, match=message):
            user_code.run([tmp_path / "broken_layers.py"])
    finally:
        sys.modules.pop("broken_layers", None)


def test_a_file_may_use_the_one_before_it(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(user_code, "_defined", {})
    (tmp_path / "first_of_two.py").write_text("def one(): return 1\n")
    (tmp_path / "second_of_two.py").write_text("from first_of_two import one\ndef two(): return 2 * one()\n")
    (tmp_path / "json.py").write_text("")
    user_code.run([tmp_path / "first_of_two.py", tmp_path / "second_of_two.py"])
    assert user_code.defined()["two"]() == 2
    with pytest.raises(UsageError, match="the name of the module json, which is in use: rename"):
        user_code.run([tmp_path / "json.py"])


def test_options_that_a_model_would_ignore_are_refused(small_keras: Path, tmp_path: Path) -> None:
    application = "keras:MobileNetV2?weights=none"
    cases = {
        "--import belongs to .keras and .h5": (application, {"trust": Trust(imports=(LAYERS,))}),
        "is no Python file": (small_keras, {"trust": Trust(imports=(small_keras,))}),
        "--output chooses among": (application, {"output": "x"}),
        "--signature belongs to SavedModel folders": (small_keras, {"signature": "x"}),
    }
    for message, (text, options) in cases.items():
        with pytest.raises(UsageError, match=message):
            sources.resolve(str(text), **options)


def several(kind: str, folder: Path):
    """A model of two outputs, saved."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(3)
    image = keras.Input((8, 8, 3))
    pooled = layers.GlobalAveragePooling2D()(layers.Rescaling(1 / 255)(image))
    scores = layers.Dense(3, name="head")(pooled)
    # sorted by key, as Keras flattens a dict: the features come first
    model = keras.Model(image, {"scores": scores, "features": layers.Dense(5, name="body")(pooled)})
    path = folder / ("two" if kind == "savedmodel" else f"two.{kind}")
    model.export(path, verbose=False) if kind == "savedmodel" else model.save(path)
    return path, model(pixels(8, 8, 3).astype("float32"))


@pytest.mark.parametrize("kind", ["keras", "savedmodel"])
def test_one_of_several_outputs(converter, tmp_path: Path, kind: str) -> None:  # noqa: F811
    import numpy as np

    path, expected = several(kind, tmp_path)
    with pytest.raises(UsageError, match=r"has 2 outputs \(features, scores\): say which .* with --output"):
        load(converter, path)
    with pytest.raises(UsageError, match=r"has no output 'logits': its outputs are features, scores"):
        load(converter, path, output="logits")
    for name, classes in (("scores", 3), ("features", 5)):
        found = load(converter, path, output=name)
        assert found.classes == classes and found.source.options == (("output", name),)
        np.testing.assert_allclose(converter.predict(found, pixels(8, 8, 3)), expected[name], atol=1e-5)
        converter.to_onnx(found, tmp_path / f"{name}.onnx")
    keys = {sources.resolve(str(path), output=name).options for name in ("scores", "features")}
    assert len(keys) == 2  # they are in the key of the cache


def test_one_of_several_signatures(converter, tmp_path: Path) -> None:  # noqa: F811
    import numpy as np
    import tensorflow as tf

    module = tf.Module()
    module.scale = tf.Variable(2.0)

    def serve(factor: float):
        @tf.function(input_signature=[tf.TensorSpec((None, 8, 8, 3), tf.float32)])
        def call(image):
            return {"scores": tf.reduce_mean(image, axis=(1, 2)) * module.scale * factor}

        return call

    signatures = {"one": serve(1.0), "two": serve(2.0)}
    tf.saved_model.save(module, tmp_path / "both", signatures=signatures)
    tf.saved_model.save(module, tmp_path / "only", signatures={"one": signatures["one"]})
    default = {"serving_default": signatures["one"], "two": signatures["two"]}
    tf.saved_model.save(module, tmp_path / "default", signatures=default)
    with pytest.raises(UsageError, match=r"has 2 signatures \(one, two\): say which one with --signature"):
        load(converter, tmp_path / "both")
    with pytest.raises(UsageError, match=r"has no signature 'three': its signatures are one, two"):
        load(converter, tmp_path / "both", signature="three")
    images = pixels(8, 8, 3)
    outputs = {
        name: converter.predict(load(converter, tmp_path / "both", signature=name), images) for name in signatures
    }
    np.testing.assert_allclose(outputs["two"], 2 * outputs["one"])
    np.testing.assert_allclose(outputs["one"], 2 * images.mean(axis=(1, 2)), rtol=1e-5)
    assert load(converter, tmp_path / "only").notes == ()
    assert load(converter, tmp_path / "default").notes == (
        "made from the signature serving_default; the folder also has two",
    )


WRITER = """
import sys, numpy as np, keras
from keras import layers
keras.utils.set_random_seed(1)
folder = sys.argv[1]
model = keras.Sequential([keras.Input((16, 16, 3)), layers.Rescaling(1 / 255), layers.Conv2D(4, 3, activation="gelu"),
    layers.BatchNormalization(), layers.DepthwiseConv2D(3, 2, padding="same"), layers.MaxPooling2D(2),
    layers.GlobalAveragePooling2D(), layers.Dense(3, "softmax")])
model.save(folder + "/m.keras"); model.save(folder + "/m.h5")
images = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), np.uint8)
np.save(folder + "/outputs.npy", keras.ops.convert_to_numpy(model(images.astype("float32"))))
if keras.backend.backend() == "torch":
    import torch
    inner = layers.TorchModuleWrapper(torch.nn.Identity())
    keras.Sequential([keras.Input((8, 8, 3)), inner, layers.Flatten(), layers.Dense(3)]).save(folder + "/wrapped.keras")
"""


@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_a_model_saved_under_another_backend(converter, tmp_path: Path, backend: str) -> None:  # noqa: F811
    import numpy as np

    pytest.importorskip(backend)
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    subprocess.run([sys.executable, "-c", WRITER, str(tmp_path)], check=True, env=environment, capture_output=True)
    for name in ("m.keras", "m.h5"):
        outputs = converter.predict(load(converter, tmp_path / name, None), pixels(16, 16, 3))
        np.testing.assert_allclose(outputs, np.load(tmp_path / "outputs.npy"), atol=1e-6)
    for trust in () if backend == "jax" else (Trust(), Trust(lambdas=True)):  # what it holds is a pickle
        with pytest.raises(UsageError, match="has a TorchModuleWrapper, a layer that runs in another framework only"):
            load(converter, tmp_path / "wrapped.keras", trust=trust)
