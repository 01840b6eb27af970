"""Hugging Face checkpoints as a user has them: whole, damaged, dangerous, or no classifier at all."""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgebench.errors import UsageError
from edgebench.records import Preprocessing

pytest.importorskip("transformers")
pytestmark = pytest.mark.huggingface

import torch  # noqa: E402
import transformers  # noqa: E402

from edgebench.converters.huggingface import converter as huggingface  # noqa: E402
from edgebench.converters.huggingface import source as huggingface_source  # noqa: E402
from tests.models.huggingface import checkpoint as write_checkpoint  # noqa: E402

RESNET = transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8, 8], depths=[1, 1], num_labels=3)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint("vit", tmp_path_factory.mktemp("whole") / "tiny vit")


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "tiny vit"))


def load(folder: Path, preprocessing: Preprocessing | None = None, **options: str) -> Any:
    return huggingface.load(huggingface_source.resolve(str(folder), tuple(options.items())), preprocessing)


def change(file: Path, **entries: Any) -> None:
    content = {**json.loads(file.read_text()), **entries}
    file.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


def test_a_checkpoint_says_what_it_is(folder: Path) -> None:
    names = {str(index): f"class {index}" for index in range(10)}
    change(folder / "config.json", id2label=names, label2id={name: int(index) for index, name in names.items()})
    model = load(folder)
    assert (model.height, model.width, model.channels, model.classes) == (32, 32, 3, 10)
    assert model.labels == tuple(names.values())
    assert model.parameters == 24234
    assert model.preprocessing == Preprocessing(
        "huggingface", scale=1 / 255, mean=(0.5,) * 3, std=(0.25,) * 3, resample="bilinear", upright=True
    )
    assert {type(module).__name__ for module in model.handle.modules()} & {"ViTSelfAttention", "ViTAttention"}
    assert model.handle.config._attn_implementation == "eager"


@pytest.mark.parametrize(
    ("problem", "kind"), [("multi_label_classification", "label logits"), ("single_label_classification", "logits")]
)
def test_the_problem_says_what_the_outputs_are(folder: Path, problem: str, kind: str) -> None:
    change(folder / "config.json", problem_type=problem)
    assert load(folder).output_kind == kind


def test_placeholder_labels_are_no_labels(folder: Path) -> None:
    assert load(folder).labels == ()


def test_the_hash_follows_weights_and_processor_and_nothing_else(folder: Path) -> None:
    first = huggingface_source.resolve(str(folder)).sha256
    (folder / "README.md").write_text("a model card")
    assert huggingface_source.resolve(str(folder)).sha256 == first
    change(folder / "preprocessor_config.json", image_mean=[0.1, 0.1, 0.1])
    assert huggingface_source.resolve(str(folder)).sha256 != first


def test_predict_is_the_network_on_the_processors_pixels(folder: Path) -> None:
    model = load(folder)
    images = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
    processor = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")
    network = transformers.AutoModelForImageClassification.from_pretrained(folder)
    with torch.inference_mode():
        theirs = network(**processor(list(images), return_tensors="pt")).logits.numpy()
    np.testing.assert_allclose(huggingface.predict(model, images), theirs, atol=1e-5)
    assert huggingface.predict(model, images[:0]).shape == (0, 10)


def test_pickled_weights_load_only_where_no_safetensors_exists(folder: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    expected = huggingface.predict(load(folder), images)
    weights = load(folder).handle.state_dict()
    torch.save({name: torch.zeros_like(tensor) for name, tensor in weights.items()}, folder / "pytorch_model.bin")
    np.testing.assert_array_equal(huggingface.predict(load(folder), images), expected)

    (folder / "model.safetensors").unlink()
    torch.save(weights, folder / "pytorch_model.bin")
    np.testing.assert_array_equal(huggingface.predict(load(folder), images), expected)


def test_sharded_weights_and_half_precision(folder: Path) -> None:
    network = load(folder).handle
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    expected = huggingface.predict(load(folder), images)
    (folder / "model.safetensors").unlink()
    network.save_pretrained(folder, max_shard_size="30KB")
    assert len(list(folder.glob("model-*.safetensors"))) > 2
    np.testing.assert_array_equal(huggingface.predict(load(folder), images), expected)

    for file in folder.glob("model*safetensors*"):
        file.unlink()
    network.to(torch.float16).save_pretrained(folder)
    model = load(folder)
    assert {parameter.dtype for parameter in model.handle.parameters()} == {torch.float32}
    np.testing.assert_allclose(huggingface.predict(model, images), expected, atol=0.05)


def test_a_users_rule_replaces_a_missing_processor(folder: Path) -> None:
    (folder / "preprocessor_config.json").unlink()
    rule = Preprocessing("scale=1/255", scale=1 / 255)
    model = load(folder, rule)
    assert model.preprocessing == rule
    assert (model.height, model.width) == (32, 32)


def test_a_convolutional_net_takes_the_size_that_is_asked(tmp_path: Path) -> None:
    transformers.ResNetForImageClassification(RESNET).save_pretrained(tmp_path)
    rule = Preprocessing("scale=1/255", scale=1 / 255)
    with pytest.raises(UsageError, match="--input-size"):
        load(tmp_path, rule)
    assert (load(tmp_path, rule, input_size="48x64").width, load(tmp_path, rule, input_size="48x64").height) == (64, 48)


def _truncate(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1000])


def _truncate_header(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:100])


def _lfs_pointer(folder: Path) -> None:
    text = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 346293852\n"
    (folder / "model.safetensors").write_text(text)


def _malicious_pickle(folder: Path) -> None:
    class Runs:
        def __reduce__(self) -> Any:
            return (os.mkdir, (str(folder / "it-ran"),))

    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Runs(), protocol=2))


def _escaping_index(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder.parent / "outside.safetensors")
    index = {"weight_map": {"vit.embeddings.cls_token": "../outside.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def _missing_shard(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    index = {"weight_map": {"vit.embeddings.cls_token": "model-00001-of-00002.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def _without_head(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    kept = {name: tensor for name, tensor in weights.items() if not name.startswith("classifier")}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})


def _adapter_only(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()
    (folder / "adapter_config.json").write_text('{"peft_type": "LORA"}')


def _trainer_output(folder: Path) -> None:
    for step in (500, 1500):
        (folder / f"checkpoint-{step}").mkdir()
        shutil.copy(folder / "config.json", folder / f"checkpoint-{step}")
    (folder / "config.json").unlink()


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no folder": (shutil.rmtree, "no checkpoint at"),
    "no config": (lambda f: (f / "config.json").unlink(), "has no config.json"),
    "config is no JSON": (lambda f: (f / "config.json").write_text("{"), "not valid JSON"),
    "config is a list": (lambda f: (f / "config.json").write_text("[]"), "no JSON object"),
    "no processor": (lambda f: (f / "preprocessor_config.json").unlink(), "no preprocessor_config.json"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "has no weights"),
    "truncated": (_truncate, "model.safetensors is truncated: it has"),
    "truncated header": (_truncate_header, "truncated or no safetensors"),
    "empty weights": (lambda f: (f / "model.safetensors").write_bytes(b""), "truncated or no safetensors"),
    "lfs pointer": (_lfs_pointer, "git lfs pull"),
    "code in a pickle": (_malicious_pickle, "could run code"),
    "shard outside": (_escaping_index, "outside the checkpoint"),
    "missing shard": (_missing_shard, "model-00001-of-00002.safetensors is missing"),
    "no head in the weights": (_without_head, "lacks 2 of"),
    "unknown type": (lambda f: change(f / "config.json", model_type="brandnew"), "has no model_type 'brandnew'"),
    "remote code": (
        lambda f: change(
            f / "config.json", model_type="theirs", auto_map={"AutoConfig": "configuration_theirs.TheirConfig"}
        ),
        "brings code of its own",
    ),
    "remote head": (
        lambda f: change(
            f / "config.json",
            architectures=["TheirClassifier"],
            auto_map={"AutoModelForImageClassification": "modeling_theirs.TheirClassifier"},
        ),
        "never runs the checkpoint's own code",
    ),
    "no classifier": (lambda f: change(f / "config.json", architectures=["ViTModel"]), "is ViTModel, no image class"),
    "a language model": (
        lambda f: change(f / "config.json", architectures=["BertForSequenceClassification"], model_type="bert"),
        "bert has no image classifier",
    ),
    "size the network refuses": (
        lambda f: change(f / "preprocessor_config.json", size={"height": 64, "width": 64}),
        "does not take 64x64 images",
    ),
    "another width": (lambda f: change(f / "config.json", hidden_size=48), "cannot load"),
    "four channels": (lambda f: change(f / "config.json", num_channels=4), "other shapes than config.json says"),
    "other classes": (
        lambda f: change(f / "config.json", id2label={"0": "a", "1": "b"}, label2id={"a": 0, "b": 1}),
        "other shapes than config.json says (num_labels, sizes)",
    ),
    "quantised already": (
        lambda f: change(f / "config.json", quantization_config={"quant_method": "bitsandbytes"}),
        "is quantised already (bitsandbytes in config.json): give the float checkpoint",
    ),
    "architectures as text": (
        lambda f: change(f / "config.json", architectures="ViTForImageClassification"),
        "expected a list such as",
    ),
    "an adapter alone": (_adapter_only, "PEFT adapter without its base model: merge the two"),
    "a Trainer's output": (_trainer_output, "with 2 checkpoints: give one, for example .*checkpoint-1500"),
    "seven channels": (lambda f: change(f / "config.json", num_channels=7), "num_channels|7 channels|cannot load"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_one_clear_line(damage: str, folder: Path) -> None:
    apply, said = DAMAGES[damage]
    apply(folder)
    with pytest.raises(UsageError, match=re.sub(r"[()]", r"\\\g<0>", said)) as caught:
        load(folder)
    assert "\n" not in str(caught.value)
    assert str(caught.value).isprintable()
    assert not (folder / "it-ran").exists()


def test_a_nested_processor_wins_as_in_transformers(folder: Path) -> None:
    nested = {**json.loads((folder / "preprocessor_config.json").read_text()), "image_mean": [0.1, 0.2, 0.3]}
    (folder / "processor_config.json").write_text(json.dumps({"image_processor": nested, "processor_class": "X"}))
    plain = huggingface_source.resolve(str(folder)).sha256
    assert load(folder).preprocessing.mean == (0.1, 0.2, 0.3)
    (folder / "preprocessor_config.json").unlink()
    assert load(folder).preprocessing.mean == (0.1, 0.2, 0.3)
    assert huggingface_source.resolve(str(folder)).sha256 == plain
    change(folder / "processor_config.json", image_processor={**nested, "image_std": [0.5, 0.5, 0.5]})
    assert huggingface_source.resolve(str(folder)).sha256 != plain
