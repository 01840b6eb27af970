"""timm checkpoints in timm's own form and in transformers': the network is timm's, the preprocessing its own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytestmark = pytest.mark.huggingface

import torch  # noqa: E402

from edgebench.converters.huggingface import converter as huggingface  # noqa: E402
from edgebench.converters.huggingface import source as huggingface_source  # noqa: E402
from edgebench.errors import UsageError  # noqa: E402
from edgebench.runner.preprocess import normalise  # noqa: E402
from tests.models.timm_models import timm_checkpoint  # noqa: E402


@pytest.mark.parametrize("form", ["timm", "transformers"])
def test_both_forms_give_timms_own_answers(form: str, tmp_path: Path) -> None:
    import timm

    folder = timm_checkpoint("repvgg_a0", tmp_path / "repvgg", transformers_form=form == "transformers")
    assert ("model_type" in json.loads((folder / "config.json").read_text())) == (form == "transformers")
    model = huggingface.load(huggingface_source.resolve(str(folder)), None)
    assert (model.height, model.width, model.channels, model.classes) == (64, 64, 3, 10)
    assert model.preprocessing.resize == (73,)  # 64 / 0.875

    images = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    pixels = torch.from_numpy(normalise(images, model.preprocessing, "NCHW"))
    if form == "timm":
        own = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
        with torch.inference_mode():
            np.testing.assert_array_equal(huggingface.predict(model, images), own(pixels).numpy())
    folded = model.handle.reparameterised()
    assert len(list(folded.modules())) < len(list(model.handle.modules()))
    with torch.inference_mode():
        answers = huggingface.predict(model, images)
        np.testing.assert_allclose(folded(pixels).logits, answers, atol=1e-5 * np.abs(answers).max())


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"architecture": "hf-hub:someone/else"}, "has no 'hf-hub:someone/else'"),
        ({"num_classes": 0}, "it gives features, it is no classifier"),
        ({"num_classes": 11}, "cannot load"),
        ({"model_args": {"checkpoint_path": "/tmp/weights.pt"}}, "sets 'checkpoint_path'"),
        ({"model_args": {"in_chans": 4}}, "takes 4 channels"),
    ],
)
def test_what_cannot_be_used_is_one_line(entries: dict[str, object], said: str, tmp_path: Path) -> None:
    folder = timm_checkpoint("resnet18", tmp_path / "resnet")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **entries}))
    with pytest.raises(UsageError, match=said) as caught:
        huggingface.load(huggingface_source.resolve(str(folder)), None)
    assert "\n" not in str(caught.value)
