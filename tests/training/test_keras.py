"""Real trainings of tiny nets on real digits: what they leave, and cached features against the plain way."""

import json

import numpy as np
import pytest

from edgebench.errors import EdgebenchError
from edgebench.training.settings import Training
from tests.training.conftest import weights

keras = pytest.importorskip("keras")
BASE = "keras:MobileNet?input_size=32&alpha=0.25"
FILE = "mobilenet_2_5_224_tf_no_top.h5"


@pytest.fixture(scope="session")
def pretrained(keras_home):
    """Weights for MobileNet in Keras' cache, as imagenet's would lie there."""
    import h5py
    from keras.src.legacy.saving import legacy_h5_format

    (keras_home / "models").mkdir()
    keras.utils.set_random_seed(3)
    base = keras.applications.MobileNet(weights=None, include_top=False, input_shape=(32, 32, 3), alpha=0.25)
    for layer in base.layers:  # statistics through which signals pass
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    base(np.random.default_rng(0).uniform(-1, 1, (8, 32, 32, 3)).astype("f4"), training=True)
    with h5py.File(keras_home / "models" / FILE, "w") as file:  # the format of the files that get_file finds
        legacy_h5_format.save_weights_to_hdf5_group(file, base)


@pytest.mark.usefixtures("pretrained")
def test_cached_features_give_the_head_of_the_plain_way(loose, trains, tmp_path):
    settings = {"base": BASE, "data": str(loose), "epochs": 3, "batch": 8, "fine_tune": "8", "fine_tune_epochs": 1}
    cached = trains(Training(**settings), tmp_path / "cached")
    plain = trains(Training(**settings, cache_features=False), tmp_path / "plain")
    assert [phase.name for phase in cached.record.phases] == ["head", "fine-tune"]
    assert cached.record.phases[0].features_seconds and plain.record.phases[0].features_seconds is None
    for one, other in zip(cached.record.history[:3], plain.record.history[:3], strict=True):
        assert one.val_accuracy == other.val_accuracy
        assert one.val_loss == pytest.approx(other.val_loss, abs=1e-4)
    ones, others = weights(cached.path), weights(plain.path)
    assert ones.keys() == others.keys()
    assert max(np.abs(ones[name] - others[name]).max() for name in ones) < 1e-3
    # The preprocessing is inside: nothing has to be said about it.
    from edgebench.converters import sources
    from edgebench.converters.keras import converter

    assert converter.load(sources.resolve(str(cached.path)), None).preprocessing.rule == "none"
    record = json.loads((cached.path.parent / "training.json").read_text())
    assert record["phases"][1]["parameters_trainable"] > record["phases"][0]["parameters_trainable"] == 3 * 257
    assert sum(map(sum, record["confusion"])) == record["images"]["test"]


def test_weights_that_are_not_here_are_one_line_with_their_file(loose, trains, tmp_path):
    training = Training("keras:MobileNetV2?input_size=32&alpha=0.5", str(loose))
    with pytest.raises(EdgebenchError, match=r"models/mobilenet_v2_weights\w+0\.5_224_no_top\.h5, from https") as error:
        trains(training, tmp_path / "out")
    assert "say weights=none" in str(error.value) and "\n" not in str(error.value)
