"""Real trainings of tiny nets on real digits: the same weights again, after a kill, and from cached features."""

import json
import os
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("keras")
from edgebench.errors import UsageError
from edgebench.training import keras_network
from edgebench.training.run import train
from edgebench.training.settings import Training

keras = keras_network.keras
CNN = "cnn:4-8?input_size=16&channels=1"
BASE = "keras:MobileNetV2?input_size=32&alpha=0.35"


def said(_event):
    """Nobody listens."""


def weights(path):
    return keras.saving.load_model(path, compile=False).get_weights()


@pytest.fixture(scope="session")
def loose(photos, tmp_path_factory):
    """The digits as one folder without splits: 14 images of each of three classes."""
    folder = tmp_path_factory.mktemp("loose") / "digits"
    for split in ("train", "test"):
        for name in ("0-zero", "1-one", "4-four"):
            for file in sorted((photos / split / name).iterdir()):
                (folder / name).mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, folder / name / f"{split}{file.name}")
    return folder


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """A Keras cache with weights for MobileNetV2 as imagenet's would lie there."""
    home = tmp_path_factory.mktemp("keras")
    (home / "models").mkdir()
    keras.utils.set_random_seed(3)
    base = keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(32, 32, 3), alpha=0.35)
    for layer in base.layers:  # statistics through which signals pass
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    base(np.random.default_rng(0).uniform(-1, 1, (8, 32, 32, 3)).astype("f4"), training=True)
    base.save_weights(home / "models/w.weights.h5")
    name = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_0.35_224_no_top.h5"
    keras.src.legacy.saving.legacy_h5_format.save_weights_to_hdf5_group  # noqa: B018 (the format that get_file's files have)
    import h5py

    with h5py.File(home / "models" / name, "w") as file:
        keras.src.legacy.saving.legacy_h5_format.save_weights_to_hdf5_group(file, base)
    return home


def test_killed_and_typed_again_it_ends_with_the_weights_of_an_uninterrupted_run(loose, tmp_path):
    training = Training(CNN, str(loose), epochs=4, batch=8, augment=("shift",), learning_rate=0.01)
    whole = train(training, tmp_path / "whole", said)
    command = [
        sys.executable, "-m", "edgebench", "train", CNN, "--data", str(loose), "--epochs", "4", "--batch", "8",
        "--augment", "shift", "--learning-rate", "0.01", "--out", str(tmp_path / "killed"),
    ]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            if "epoch 2 of 4" in line:
                os.kill(process.pid, signal.SIGKILL)
                break
    lines = []
    again = train(training, tmp_path / "killed", lambda event: lines.append(str(event)))
    assert any("done=2" in line or "done=3" in line for line in lines if line.startswith("Started"))
    for one, other in zip(weights(whole.path), weights(again.path), strict=True):
        assert np.array_equal(one, other)
    strip = {"seconds"}
    plain = [{k: v for k, v in vars(e).items() if k not in strip} for e in whole.record.history]
    assert plain == [{k: v for k, v in vars(e).items() if k not in strip} for e in again.record.history]
    # Typed a third time there is nothing to do; with another rate it is not replaced unasked.
    assert train(training, tmp_path / "killed", said).before
    with pytest.raises(UsageError, match=r"learning_rate was 0\.01 and is 0\.02"):
        train(
            Training(CNN, str(loose), epochs=4, batch=8, augment=("shift",), learning_rate=0.02),
            tmp_path / "killed",
            said,
        )


def test_cached_features_give_the_head_of_the_plain_way(loose, cache, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(cache))
    settings = {"base": BASE, "data": str(loose), "epochs": 3, "batch": 8, "fine_tune": "8", "fine_tune_epochs": 1}
    cached = train(Training(**settings), tmp_path / "cached", said)
    plain = train(Training(**settings, cache_features=False), tmp_path / "plain", said)
    assert [phase.name for phase in cached.record.phases] == ["head", "fine-tune"]
    assert cached.record.phases[0].features_seconds and plain.record.phases[0].features_seconds is None
    for one, other in zip(cached.record.history[:3], plain.record.history[:3], strict=True):
        assert one.val_accuracy == other.val_accuracy
        assert one.val_loss == pytest.approx(other.val_loss, abs=1e-4)
    for one, other in zip(weights(cached.path), weights(plain.path), strict=True):
        assert np.abs(one - other).max() < 1e-3
    # The preprocessing is inside: nothing has to be said about it.
    from edgebench.converters import sources
    from edgebench.converters.keras import converter

    assert converter.load(sources.resolve(str(cached.path)), None).preprocessing.rule == "none"
    record = json.loads((cached.path.parent / "training.json").read_text())
    assert record["phases"][1]["parameters_trainable"] > record["phases"][0]["parameters_trainable"] == 3 * 1281
    assert sum(map(sum, record["confusion"])) == record["images"]["test"]


def test_weights_that_are_not_here_are_one_line_with_their_file(loose, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    with pytest.raises(UsageError, match=r"models/mobilenet_v2_weights\w+0\.5_224_no_top\.h5, from https") as error:
        train(Training("keras:MobileNetV2?input_size=32&alpha=0.5", str(loose)), tmp_path / "out", said)
    assert "say weights=none" in str(error.value) and "\n" not in str(error.value)
