"""What users give: paths, names and options; each bad one ends in one clear line before any work is done."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from edgebench.converters import sources
from edgebench.converters.trust import Trust
from edgebench.errors import UsageError
from edgebench.records import Preprocessing

NONE = Preprocessing("none")


@pytest.fixture(scope="module")
def models():
    pytest.importorskip("keras")
    from tests.models import keras_models

    return keras_models


@pytest.fixture(scope="module")
def converter():
    pytest.importorskip("keras")
    from edgebench.converters.keras import converter as keras

    return keras


def load(converter, path: Path, rule: Preprocessing | None = NONE, **options):
    return converter.load(sources.resolve(str(path), **options), rule)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("missing.keras", "there is no missing.keras: a MODEL is"),
        ("keras:MobileNetV9", "unknown Keras Application 'MobileNetV9': did you mean MobileNetV2? Known are"),
        ("keras:MobileNet?weights=coco", "weights is 'coco', expected imagenet or none"),
        ("keras:ResNet50?alpha=0.5", "ResNet50 has no alpha"),
        ("keras:Xception?input_size=32", "input_size is 32, Xception needs at least 71"),
        ("keras:VGG16?classes=10", "the imagenet weights have 1000 classes, not 10"),
        ("keras:VGG16?size=10", "unknown key 'size', known are weights, classes, input_size, alpha"),
        ("keras:VGG16?input_size=-1", "input_size is '-1', expected a whole number"),
    ],
)
def test_names_that_mean_nothing(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message.replace("?", r"\?")):
        sources.resolve(text)


def test_keras_names_are_canonical() -> None:
    one = sources.resolve("keras:mobilenetv2?classes=10&weights=none&input_size=96&alpha=0.35")
    two = sources.resolve("keras:MobileNetV2?weights=none&alpha=0.350&input_size=96&classes=10")
    assert one == two
    assert one.spec == "keras:MobileNetV2?weights=none&classes=10&input_size=96&alpha=0.35"
    assert sources.default_name(one) == "mobilenetv2-0.35-96"
    assert sources.own_preprocessing(one, "x").rule == "keras:mobilenet_v2"


def test_damaged_files_are_refused_without_keras(small_keras: Path, tmp_path: Path) -> None:
    content = small_keras.read_bytes()
    cases = {
        "empty.keras": (b"", "is empty: save the model again"),
        "short.keras": (content[: len(content) // 2], "is not a whole .keras file .*was it cut short"),
        "other.keras": (b"not a model" * 100, "is not a whole .keras file"),
        "short.h5": (b"not HDF5" * 10, "is not an HDF5 file: was it cut short"),
        "my.weights.h5": (b"\x89HDF\r\n\x1a\n", "holds weights without the architecture"),
        "done.tflite": (b"TFL3", "is converted already: measure it with edgebench profile"),
        "model.pt": (b"x", "is no kind of model edgebench reads"),
    }
    for name, (bytes_, message) in cases.items():
        (tmp_path / name).write_bytes(bytes_)
        with pytest.raises(UsageError, match=message):
            sources.resolve(str(tmp_path / name))


def test_folders_that_hold_no_model(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"has neither saved_model.pb nor config.json"):
        sources.resolve(str(tmp_path))
    (tmp_path / "saved_model.pb").write_bytes(b"")
    with pytest.raises(UsageError, match="without its variables/ folder"):
        sources.resolve(str(tmp_path))


def test_a_damaged_h5_is_one_line(converter, models, tmp_path: Path) -> None:
    path = models.save(models.classifier(), tmp_path / "model.h5")
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(UsageError, match="is not a whole HDF5 file: was it cut short"):
        load(converter, path)


def test_h5_and_savedmodel_load_like_keras(converter, models, small_keras: Path, tmp_path: Path) -> None:
    import keras
    import numpy as np

    images = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 1), np.uint8)
    expected = converter.predict(load(converter, small_keras), images)
    original = keras.saving.load_model(small_keras)
    original.save(tmp_path / "small.h5")
    original.export(tmp_path / "exported", verbose=False)
    for place in ("small.h5", "exported"):
        model = load(converter, tmp_path / place)
        assert (model.height, model.width, model.channels, model.classes) == (16, 16, 1, 10)
        np.testing.assert_allclose(converter.predict(model, images), expected, atol=1e-6)


def test_a_savedmodel_converts_again(converter, small_keras: Path, tmp_path: Path) -> None:
    converter.to_savedmodel(load(converter, small_keras), tmp_path / "one.savedmodel")
    shutil.copytree(tmp_path / "one.savedmodel", tmp_path / "two")
    again = load(converter, tmp_path / "two")
    converter.to_tflite(again, tmp_path / "two.tflite")
    converter.to_onnx(again, tmp_path / "two.onnx")
    assert again.parameters == load(converter, small_keras).parameters


def test_models_that_are_no_classifier_of_one_image(converter, models, tmp_path: Path) -> None:
    cases = {
        "two": (models.two_inputs(), r"has 2 inputs \(left, right\); edgebench converts classifiers of one image"),
        "image": (models.not_a_classifier(), r"gives output of shape \(None, 8, 8, 3\); a classifier gives"),
        "score": (models.one_score("linear"), "gives one score that is no sigmoid's"),
        "four": (models.classifier(size=(16, 16, 4)), "takes 4 channels; edgebench reads images of 1 or 3"),
    }
    for name, (model, message) in cases.items():
        path = models.save(model, tmp_path / f"{name}.keras")
        with pytest.raises(UsageError, match=message):
            load(converter, path)


def test_a_free_size_asks_for_input_size(converter, models, tmp_path: Path) -> None:
    path = models.save(models.classifier(size=(None, None, 3)), tmp_path / "free.keras")
    with pytest.raises(UsageError, match="takes images of any size: say which with --input-size"):
        load(converter, path)
    model = load(converter, path, input_size="24x32")
    assert (model.height, model.width) == (24, 32)
    converter.to_tflite(model, tmp_path / "free.tflite")
    fixed = models.save(models.classifier(), tmp_path / "fixed.keras")
    with pytest.raises(UsageError, match="takes 16x16 images only, not --input-size 24x24"):
        load(converter, fixed, input_size="24")


def test_lambda_layers_are_code_and_need_a_typed_word(converter, models, tmp_path: Path) -> None:
    from keras import layers

    model = models.classifier(layers.Lambda(lambda x: x * 2))
    for name in ("code.keras", "code.h5"):
        path = models.save(model, tmp_path / name)
        with pytest.raises(UsageError, match=r"has a Lambda layer, which is Python code .* --trust-lambda"):
            load(converter, path)
        assert load(converter, path, trust=Trust(lambdas=True)).classes == 3


def test_mixed_precision_computes_in_float32(converter, models, tmp_path: Path) -> None:
    import keras
    import numpy as np

    keras.config.set_dtype_policy("mixed_float16")
    try:
        path = models.save(models.classifier(), tmp_path / "mixed.keras")
    finally:
        keras.config.set_dtype_policy("float32")
    model = load(converter, path)
    images = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), np.uint8)
    plain = models.classifier()
    plain.set_weights(keras.saving.load_model(path).get_weights())
    expected = plain.predict(images.astype(np.float32), verbose=0)
    np.testing.assert_allclose(converter.predict(model, images), expected, rtol=1e-5, atol=1e-6)


def test_a_savedmodel_that_would_touch_files_is_refused(converter, tmp_path: Path) -> None:
    import tensorflow as tf

    module = tf.Module()
    module.scale = tf.Variable(1.0)

    @tf.function(input_signature=[tf.TensorSpec((1, 8, 8, 3), tf.float32)])
    def serve(image):
        tf.io.write_file("/tmp/never", "x")
        return {"scores": tf.reduce_mean(image, axis=(1, 2)) * module.scale}

    tf.saved_model.save(module, tmp_path / "bad", signatures={"serving_default": serve})
    with pytest.raises(UsageError, match="is refused: its graph would run WriteFile"):
        load(converter, tmp_path / "bad")


def test_a_file_without_a_rule_asks(converter, models, tmp_path: Path) -> None:
    import keras

    path = models.save(models.classifier(), tmp_path / "plain.keras")
    with pytest.raises(UsageError, match=r"how were the images for plain.keras prepared in training\? The file"):
        load(converter, path, None)
    net = keras.applications.MobileNetV2(weights=None, classes=3, input_shape=(32, 32, 3), alpha=0.35)
    path = models.save(net, tmp_path / "net.keras")
    with pytest.raises(UsageError, match="it looks like MobileNetV2: --preprocess keras:mobilenet_v2"):
        load(converter, path, None)
    with pytest.raises(UsageError, match="gives output of shape"):  # before it asks
        load(converter, models.save(models.not_a_classifier(), tmp_path / "autoencoder.keras"), None)


def scalings():
    import keras
    import numpy as np
    from keras import layers

    noise = np.random.default_rng(0).random((20, 16, 16, 3), np.float32)
    small, large = layers.Normalization(), layers.Normalization()
    small.adapt(noise)
    large.adapt(noise * 255)
    return {
        "rescaling": (layers.Rescaling(1 / 255), True),
        "operators": (keras.applications.mobilenet_v2.preprocess_input, True),
        "caffe": (keras.applications.resnet.preprocess_input, True),
        "torch": (keras.applications.densenet.preprocess_input, True),
        "resized": (lambda x: layers.Rescaling(1 / 127.5, -1)(layers.RandomFlip()(layers.Resizing(12, 12)(x))), True),
        "of 0-255": (large, True),
        "of 0-1": (small, False),
        "doubled": (layers.Rescaling(2.0, -1), False),
        "learned": (layers.BatchNormalization(), False),
        "squared": (lambda x: x * x / 65025.0, False),
        "nothing": (lambda x: x, False),
    }


@pytest.mark.parametrize("kind", ["keras", "h5", "savedmodel"])
def test_what_a_model_does_to_its_pixels_is_read_from_its_graph(converter, tmp_path: Path, kind: str) -> None:
    import keras
    from keras import layers

    for name, (scale, of_bytes) in scalings().items():
        if (kind, name) == ("h5", "caffe"):
            continue  # Keras itself cannot read the `...` of x[..., ::-1] back from .h5
        image = keras.Input((16, 16, 3))
        features = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(scale(image)))
        model = keras.Model(image, layers.Dense(3)(features))
        path = tmp_path / (name if kind == "savedmodel" else f"{name}.{kind}")
        model.export(path, verbose=False) if kind == "savedmodel" else model.save(path)
        if of_bytes and not (kind == "savedmodel" and name == "resized"):  # a random generator keeps a state
            assert load(converter, path, None).preprocessing == NONE, name
            with pytest.raises(UsageError, match="would scale them once more"):
                load(converter, path, Preprocessing("scale=1/255", scale=1 / 255))
        else:
            with pytest.raises(UsageError, match="prepared in training") as error:
                load(converter, path, None)
            assert ("scale=1/255)?" in str(error.value)) == (name in ("of 0-1", "doubled")), name


def test_a_model_that_rescales_by_itself_needs_no_rule(converter, small_keras: Path) -> None:
    assert load(converter, small_keras, None).preprocessing == Preprocessing("none", channels="L")


@pytest.mark.parametrize("kind", ["keras", "savedmodel"])
def test_one_sigmoid_is_two_classes(converter, models, tmp_path: Path, kind: str) -> None:
    import numpy as np

    model = models.one_score("sigmoid")
    path = tmp_path / f"cats.{kind}"
    model.export(path, verbose=False) if kind == "savedmodel" else model.save(path)
    images = np.random.default_rng(0).integers(0, 256, (5, *model.input_shape[1:]), np.uint8)
    found = load(converter, path)
    outputs = converter.predict(found, images)
    expected = model.predict(images.astype(np.float32), verbose=0)
    np.testing.assert_allclose(outputs, np.concatenate([1 - expected, expected], 1), atol=1e-6)
    assert found.classes == 2 and "[1 - p, p]" in found.notes[0]


@pytest.mark.parametrize("kind", ["keras", "h5", "savedmodel"])
def test_the_last_operator_says_what_the_outputs_are(converter, models, tmp_path: Path, kind: str) -> None:
    for activation, words in (("sigmoid", "scores"), ("softmax", "probabilities"), ("linear", "")):
        model = models.classifier(activation=activation)
        path = tmp_path / f"{activation}.{kind}"
        model.export(path, verbose=False) if kind == "savedmodel" else model.save(path)
        assert load(converter, path).output_kind == words


def test_grey_without_a_channel_and_bytes(converter, tmp_path: Path) -> None:
    import keras
    import numpy as np
    from keras import layers

    flat, inner = keras.Input((28, 28)), keras.Input((16, 16, 3), dtype="uint8")
    grey = keras.Model(flat, layers.Dense(3)(layers.Flatten()(layers.Rescaling(1 / 255)(flat))))
    bytes_ = keras.Model(inner, layers.Dense(3)(layers.Flatten()(layers.Rescaling(1 / 255)(inner))))
    for name, model, shape in (("grey", grey, (28, 28, 1)), ("bytes", bytes_, (16, 16, 3))):
        model.save(tmp_path / f"{name}.keras")
        found = load(converter, tmp_path / f"{name}.keras", None)
        assert (found.height, found.width, found.channels) == shape
        assert found.preprocessing.rule == "none"
        images = np.random.default_rng(0).integers(0, 256, (4, *shape), np.uint8)
        expected = model.predict(images.reshape(4, *model.input_shape[1:]), verbose=0)
        np.testing.assert_allclose(converter.predict(found, images), expected, atol=1e-5)
        converter.to_tflite(found, tmp_path / f"{name}.tflite")


def test_imagenet_weights_offline_are_one_line(converter, monkeypatch, tmp_path: Path) -> None:
    from edgebench.converters.keras import loading as keras_loading

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))

    def no_network(*_, **__):
        raise OSError("URL fetch failure: no route to host")

    monkeypatch.setattr(keras_loading.keras.applications, "MobileNet", no_network)
    with pytest.raises(UsageError, match="are neither in the Keras cache nor could they be downloaded"):
        converter.load(sources.resolve("keras:MobileNet"), NONE)


def test_random_weights_are_the_same_every_time(converter) -> None:
    import numpy as np

    source = sources.resolve("keras:MobileNetV2?weights=none&classes=3&input_size=32&alpha=0.35")
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    rule = sources.own_preprocessing(source, "x")
    one, two = (converter.predict(converter.load(source, rule), images) for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_bad_input_on_the_command_line_is_exit_code_2(edgebench, small_keras: Path, models, tmp_path: Path) -> None:
    two = models.save(models.two_inputs(), tmp_path / "two.keras")
    cases = {
        ("gone.keras",): "edgebench: there is no gone.keras: a MODEL is",
        (small_keras, "--to", "tflite:int4"): "edgebench: unknown target --to tflite:int4: known are",
        (small_keras, "--to", "tflite:int8"): "edgebench: tflite:int8 needs images to calibrate on",
        (small_keras, "--to", "onnx:float32", "--labels", "a,b"): "edgebench: --labels has 2 names, small has 10",
        (two, "--to", "onnx:float32", "--preprocess", "none"): "has 2 inputs (left, right)",
        (two, "--to", "onnx:float32", "--preprocess", "keras:vgg99"): "unknown preprocessing keras:vgg99",
        (small_keras, small_keras, "--to", "onnx:float32"): "two models would be called small",
        (small_keras, "--to", "all", "--data", tmp_path / "no"): "edgebench: no images at",
    }
    for arguments, message in cases.items():
        done = edgebench("convert", *arguments, "--out", tmp_path / "out")
        assert done.returncode == 2, (arguments, done.stderr)
        assert message in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
