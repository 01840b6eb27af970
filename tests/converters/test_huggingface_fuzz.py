"""Every reader of a Hugging Face checkpoint on files that were changed at random: one clear line, never a traceback.

The seeds are the numbers of the inputs: `mutate(text, 17)` gives input 17 again.
"""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from edgebench.converters.huggingface.checkpoint import Checkpoint, open_checkpoint
from edgebench.converters.huggingface.timm_config import describe_timm, is_timm, read_timm
from edgebench.errors import UsageError

pytest.importorskip("transformers")
pytestmark = pytest.mark.huggingface

ODD: tuple[Any, ...] = (None, True, -1, 0, 1e308, float("nan"), 2**70, "", "../..", "é\0", [], {}, [[]], {"a": []}, "9")
TIMM = {
    "architecture": "resnet18",
    "num_classes": 10,
    "label_names": [str(index) for index in range(10)],
    "model_args": {"in_chans": 3, "img_size": 64},
    "pretrained_cfg": {
        "input_size": [3, 64, 64],
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
        "crop_pct": 0.9,
        "crop_mode": "center",
        "interpolation": "bicubic",
    },
}
PROCESSOR = {
    "image_processor_type": "BitImageProcessor",
    "size": {"shortest_edge": 64},
    "crop_size": {"height": 32, "width": 32},
    "do_resize": True,
    "do_center_crop": True,
    "resample": 3,
    "rescale_factor": 0.5,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}


def mutate(value: Any, seed: int) -> bytes:
    """Return JSON with one to three entries replaced or removed; every fourth time bytes of it are changed as well."""
    generator = random.Random(seed)
    copy = json.loads(json.dumps(value))
    for _ in range(generator.randint(1, 3)):
        place, key = copy, None
        while isinstance(place, dict | list) and place and (key is None or generator.random() < 0.6):
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = generator.choice(keys)
            if not isinstance(place[key], dict | list) or not place[key] or generator.random() < 0.4:
                place[key] = generator.choice(ODD)
                break
            place = place[key]
    content = bytearray(json.dumps(copy).encode())
    if seed % 4 == 0:
        for _ in range(generator.randint(1, 4)):
            content[generator.randrange(len(content))] = generator.randrange(256)
        content = content[: generator.randint(1, len(content))]
    return bytes(content)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    header = b'{"classifier.bias":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}'
    (tmp_path / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "bit", "architectures": ["BitForX"]}))
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(PROCESSOR))
    return tmp_path


def _clear(call: Any) -> bool:
    """Whether the call went through; a UsageError of one line is as good, anything else fails the test."""
    try:
        call()
    except UsageError as error:
        assert "\n" not in str(error)
        return False
    return True


def test_timm_configurations(folder: Path) -> None:
    def read() -> None:
        checkpoint = open_checkpoint(folder)
        if is_timm(checkpoint.config):
            describe_timm(read_timm(checkpoint.config, folder), folder)

    went = 0
    for seed in range(800):
        (folder / "config.json").write_bytes(mutate(TIMM, seed))
        went += _clear(read)
    assert 50 < went < 700  # neither all refused nor all swallowed


def test_indexes_and_headers(folder: Path) -> None:
    index = {"metadata": {"total_size": 1}, "weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    header = {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}, "__metadata__": {"format": "pt"}}
    for seed in range(400):
        content = mutate(header, seed)
        (folder / "model.safetensors").write_bytes(len(content).to_bytes(8, "little") + content + b"\0" * 4)
        _clear(lambda: open_checkpoint(folder))
    (folder / "model.safetensors").unlink()
    for seed in range(400):
        (folder / "model.safetensors.index.json").write_bytes(mutate(index, seed))
        _clear(lambda: open_checkpoint(folder))


def test_processors(folder: Path) -> None:
    from edgebench.converters.huggingface.network import read_processor
    from edgebench.converters.huggingface.preprocessing import describe

    def read() -> None:
        checkpoint = open_checkpoint(folder)
        describe(read_processor(checkpoint), (32, 32), 3)

    went = 0
    for seed in range(500):
        (folder / "preprocessor_config.json").write_bytes(mutate(PROCESSOR, seed))
        went += _clear(read)
    assert 20 < went < 450


def test_configurations_all_the_way_into_the_network(tmp_path: Path) -> None:
    from edgebench.converters.huggingface.network import read_network
    from tests.models.huggingface import checkpoint as write

    folder = write("vit", tmp_path / "vit")
    whole = json.loads((folder / "config.json").read_text())
    went = 0
    for seed in range(150):
        (folder / "config.json").write_bytes(mutate(whole, seed))
        went += _clear(lambda: read_network(open_checkpoint(folder)))
    assert went
    shutil.rmtree(folder)
    assert not _clear(lambda: read_network(Checkpoint(folder, whole, (), False, None)))
