"""Our record of a timm `pretrained_cfg`, carried out by Pillow and the runner, against timm's own transform."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image

from edgebench.converters.huggingface.timm_config import describe_timm, read_timm
from edgebench.images.resizing import resize_image
from edgebench.runner.preprocess import normalise

pytest.importorskip("torch")
import edgebench.converters.huggingface.torchvision_operators  # noqa: F401 (before timm)

pytest.importorskip("timm")
pytestmark = pytest.mark.huggingface

CASES: dict[str, dict[str, Any]] = {
    "usual": {"input_size": [3, 224, 224], "interpolation": "bicubic", "crop_pct": 0.875, "crop_mode": "center"},
    "odd": {"input_size": [3, 225, 225], "interpolation": "bilinear", "crop_pct": 0.9},
    "defaults": {"num_classes": 10},
    "oblong": {"input_size": [3, 192, 256], "crop_pct": 0.95, "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]},
    "squash": {"input_size": [3, 240, 240], "crop_pct": 1.0, "crop_mode": "squash"},
    "squash-cropped": {
        "input_size": [3, 240, 200],
        "crop_pct": 0.93,
        "crop_mode": "squash",
        "interpolation": "lanczos",
    },
    "border": {"input_size": [3, 224, 224], "crop_pct": 1.0, "crop_mode": "border"},
    "border-cropped": {"input_size": [3, 221, 224], "crop_pct": 0.9, "crop_mode": "border", "mean": [0.1, 0.4, 0.9]},
    "padded": {"input_size": [3, 225, 224], "crop_pct": 1.5},
    "grey": {"input_size": [1, 96, 96], "mean": [0.5], "std": [0.25]},
}


@pytest.fixture(scope="module", params=["china.jpg", "flower.jpg", "upright"])
def photo(request: pytest.FixtureRequest) -> Image.Image:
    name = "china.jpg" if request.param == "upright" else request.param
    picture = Image.fromarray(load_sample_image(name))
    return picture.rotate(90, expand=True) if request.param == "upright" else picture


@pytest.mark.parametrize("name", CASES)
def test_pixels_equal_timms_own_within_one_uint8_step(name: str, photo: Image.Image) -> None:
    from timm.data import create_transform, resolve_data_config

    config = read_timm({"architecture": "resnet18", "num_classes": 10, "pretrained_cfg": CASES[name]}, Path("folder"))
    preprocessing = describe_timm(config, Path("folder"))
    channels, height, width = config.input_size
    transform = create_transform(**resolve_data_config({}, pretrained_cfg=CASES[name]), is_training=False)
    theirs = transform(photo.convert("L" if channels == 1 else "RGB"))[None].numpy()

    ours = normalise(resize_image(photo, preprocessing, (height, width, channels))[None], preprocessing, "NCHW")

    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() < 0.1 * preprocessing.scale / max(preprocessing.std)  # not a single level
