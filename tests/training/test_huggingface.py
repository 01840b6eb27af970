"""Real trainings of a tiny vision transformer: head, then all of it; stopped and typed again; two heads."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from safetensors.numpy import load_file  # noqa: E402

from edgebench.converters.huggingface.checkpoint import open_checkpoint  # noqa: E402
from edgebench.converters.huggingface.converter import own_rule  # noqa: E402
from edgebench.errors import UsageError  # noqa: E402
from edgebench.training.huggingface_augmentation import augmented  # noqa: E402
from edgebench.training.settings import AUGMENTATIONS, Training, check  # noqa: E402
from tests.models.huggingface import checkpoint  # noqa: E402
from tests.models.timm_models import timm_checkpoint  # noqa: E402

SETTINGS = {"epochs": 2, "batch": 8, "learning_rate": 0.01, "device": "cpu", "patience": 0}


def test_head_then_all_of_it_and_stopped_on_the_way_it_ends_alike(loose, trains, tmp_path):
    base = checkpoint("vit", tmp_path / "vit")
    settings = {**SETTINGS, "base": str(base), "data": str(loose), "fine_tune": "all", "fine_tune_rate": 1e-3}
    training = Training(**settings, mixed_precision=True)
    notes = []
    whole = trains(training, tmp_path / "whole", lambda event: notes.append(getattr(event, "text", "")))
    assert any("float32 alone: no mixed precision" in note for note in notes)
    head, rest = whole.record.phases
    assert (head.name, rest.name, head.parameters_trainable) == ("head", "fine-tune", 3 * 33)
    assert head.features_seconds and rest.features_seconds is None
    assert rest.parameters_trainable == whole.record.parameters
    assert head.optimizer_bytes == 4 * (2 * 3 * 33 + 2)  # Adam's two moments, and the step of weights and biases
    assert len(whole.record.history) == 4 and whole.record.history[-1].loss < whole.record.history[0].loss
    config = json.loads((whole.path / "config.json").read_text())
    assert config["id2label"] == {"0": "0-zero", "1": "1-one", "2": "4-four"}
    name = "preprocessor_config.json"
    assert (whole.path / name).read_bytes() == (base / name).read_bytes()

    interrupted = trains(training, tmp_path / "stopped", stop=(2, 1))
    assert interrupted.record.stopped == "interrupted" and len(interrupted.record.history) == 1
    again = trains(training, tmp_path / "stopped")
    assert not again.before and again.record.stopped == "epochs"
    ones, others = (load_file(each.path / "model.safetensors") for each in (whole, again))
    assert ones.keys() == others.keys() and all(np.array_equal(ones[name], others[name]) for name in ones)


def test_cached_features_give_the_head_of_the_plain_way(loose, trains, tmp_path):
    base = checkpoint("vit", tmp_path / "vit")
    settings = {**SETTINGS, "base": str(base), "data": str(loose)}
    cached = trains(Training(**settings), tmp_path / "cached")
    plain = trains(Training(**settings, cache_features=False), tmp_path / "plain")
    ones, others, before = (load_file(f / "model.safetensors") for f in (cached.path, plain.path, base))
    assert max(np.abs(ones[name] - others[name]).max() for name in ones) < 1e-3
    assert {name for name in ones if not np.array_equal(ones[name], before[name])} == {
        "classifier.weight",
        "classifier.bias",
    }


def test_augmentation_changes_what_is_learned_from_and_can_be_resumed(loose, trains, tmp_path):
    base = checkpoint("vit", tmp_path / "vit")
    settings = {**SETTINGS, "base": str(base), "data": str(loose)}
    plain = trains(Training(**settings), tmp_path / "plain")
    whole = trains(Training(**settings, augment=AUGMENTATIONS), tmp_path / "whole")
    assert whole.record.phases[0].features_seconds is None
    assert whole.record.history[0].loss != plain.record.history[0].loss
    trains(Training(**settings, augment=AUGMENTATIONS), tmp_path / "stopped", stop=(2, 3))
    again = trains(Training(**settings, augment=AUGMENTATIONS), tmp_path / "stopped")
    ones, others = (load_file(each.path / "model.safetensors") for each in (whole, again))
    assert all(np.array_equal(ones[name], others[name]) for name in ones)


def test_each_stage_does_to_pixels_what_its_name_says():
    ramp = torch.arange(12 * 24, dtype=torch.float32).reshape(1, 12, 24) * 0.5
    seen = dict.fromkeys("lr", False)
    for seed in range(8):
        flipped = augmented(ramp, ("flip",), np.random.default_rng(seed))
        side = "l" if torch.allclose(flipped, ramp.flip(2), atol=1e-3) else "r"
        assert side == "l" or torch.allclose(flipped, ramp, atol=1e-3)
        seen[side] = True
    assert all(seen.values())
    shifted = augmented(ramp, ("shift",), np.random.default_rng(0))
    generator = np.random.default_rng(0)
    down, right = 12 * generator.uniform(-1 / 12, 1 / 12), 24 * generator.uniform(-1 / 12, 1 / 12)
    assert shifted[0, 6, 12] == pytest.approx(float(ramp[0, 6, 12]) + 0.5 * (24 * down + right), abs=1e-2)
    disc = (((torch.arange(65) - 32) ** 2)[:, None] + ((torch.arange(33) - 16) ** 2)[None, :] < 100).float()[None]
    turned = augmented(disc, ("rotation",), np.random.default_rng(3))
    assert float((turned - disc).abs().mean()) < 0.02  # a disc stays one, in a picture that is no square, too
    grey = torch.full((3, 8, 8), 100.0)
    assert torch.allclose(augmented(grey, ("contrast",), np.random.default_rng(1)), grey)
    brighter = augmented(grey, ("brightness",), np.random.default_rng(1))
    assert float(brighter[0, 0, 0]) == pytest.approx(100 + 255 * np.random.default_rng(1).uniform(-0.2, 0.2), abs=1e-3)
    assert 5 < float(augmented(grey, ("noise",), np.random.default_rng(1)).std()) < 7


def test_a_network_with_a_teacher_has_both_heads_trained(loose, trains, tmp_path):
    base = checkpoint("deit-teacher", tmp_path / "deit")
    trained = trains(Training(**{**SETTINGS, "epochs": 1}, base=str(base), data=str(loose)), tmp_path / "out")
    assert trained.record.phases[0].parameters_trainable == 2 * 3 * 33
    after, before = load_file(trained.path / "model.safetensors"), load_file(base / "model.safetensors")
    changed = {name for name in after if not np.array_equal(after[name], before[name])}
    assert changed == {f"{head}_classifier.{part}" for head in ("cls", "distillation") for part in ("weight", "bias")}


def test_a_timm_checkpoint_gets_a_head_in_timms_own_form(loose, trains, tmp_path):
    base = timm_checkpoint("mobilenetv4_conv_small", tmp_path / "timm", transformers_form=True)
    settings = {**SETTINGS, "epochs": 1, "base": str(base), "data": str(loose)}
    cached = trains(Training(**settings), tmp_path / "cached")
    plain = trains(Training(**settings, cache_features=False), tmp_path / "plain")
    before, after, other = open_checkpoint(base), open_checkpoint(cached.path), load(plain.path)
    assert own_rule(after, None, 3) == own_rule(before, None, 3)
    assert after.config["label_names"] == ["0-zero", "1-one", "4-four"] and "model_type" not in after.config
    ones, zeros = load(cached.path), load(base, "timm_model.")
    assert {n for n in zeros if not np.array_equal(ones[n], zeros[n])} == {"classifier.weight", "classifier.bias"}
    assert ones["classifier.bias"].shape == (3,) and max(np.abs(ones[n] - other[n]).max() for n in ones) < 1e-3


def load(folder, prefix=""):
    return {n.removeprefix(prefix): value for n, value in load_file(folder / "model.safetensors").items()}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"head": (8,)}, "--head does not go with a checkpoint, whose format fixes its last layer: leave it out"),
        ({"dropout": 0.5}, "--dropout does not go with a checkpoint, whose config.json says its own"),
        ({"fine_tune": "3"}, "by its head alone or whole: say all"),
        ({"copies": 2}, "--copies counts augmented copies of each image: say what changes them with --augment"),
        ({"copies": 2, "augment": ("flip",)}, "this training augments each image anew in every epoch: leave it out"),
        ({"weight_decay": 0.1}, "with adam is what adamw does: say --optimizer adamw"),
    ],
)
def test_what_a_checkpoint_cannot_take_is_said(changes, message):
    with pytest.raises(UsageError, match=message):
        check(Training("hf:owner/name", "x", **changes))
