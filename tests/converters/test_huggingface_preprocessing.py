"""Our record of a processor, carried out by Pillow and the runner, against transformers' own processor on photos."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image

from edgebench.errors import UsageError
from edgebench.images.resizing import resize_image
from edgebench.runner.preprocess import normalise

transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.huggingface

IMAGENET = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
SQUARE = {"height": 224, "width": 224}
CASES: dict[str, dict[str, Any]] = {
    "vit": {"image_processor_type": "ViTImageProcessor", "size": SQUARE},
    "vit-old": {"feature_extractor_type": "ViTFeatureExtractor", "size": 224, "resample": 2},
    "deit": {"image_processor_type": "DeiTImageProcessor", "size": {"height": 256, "width": 256}, "crop_size": SQUARE},
    "beit": {"image_processor_type": "BeitImageProcessor", "size": SQUARE, "do_center_crop": False},
    "dinov2": {
        "image_processor_type": "BitImageProcessor",
        "size": {"shortest_edge": 256},
        "crop_size": SQUARE,
        "resample": 3,
        **IMAGENET,
    },
    "convnext-224": {
        "image_processor_type": "ConvNextImageProcessor",
        "size": {"shortest_edge": 224},
        "crop_pct": 0.875,
    },
    "convnext-384": {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 384}, **IMAGENET},
    "resnet": {"feature_extractor_type": "ConvNextFeatureExtractor", "size": 224, "crop_pct": 0.95, "resample": 3},
    "levit": {"feature_extractor_type": "LevitFeatureExtractor", "size": 224, "do_center_crop": True},
    "levit-square": {
        "image_processor_type": "LevitImageProcessor",
        "size": {"height": 200, "width": 240},
        "crop_size": 160,
    },
    "poolformer": {"image_processor_type": "PoolFormerImageProcessor", "crop_pct": 0.9},
    "poolformer-square": {"image_processor_type": "PoolFormerImageProcessor", "size": SQUARE, "crop_pct": 0.95},
    "poolformer-oblong": {
        "image_processor_type": "PoolFormerImageProcessor",
        "size": {"height": 200, "width": 300},
        "crop_pct": 0.9,
    },
    "mobilenet_v1": {"image_processor_type": "MobileNetV1ImageProcessor"},
    "mobilenet_v2": {"image_processor_type": "MobileNetV2ImageProcessor", "size": {"shortest_edge": 256}},
    "mobilevit": {"image_processor_type": "MobileViTImageProcessor", "size": {"shortest_edge": 288}},
    "mobilevit-no-flip": {"image_processor_type": "MobileViTImageProcessor", "do_flip_channel_order": False},
    "efficientnet": {"image_processor_type": "EfficientNetImageProcessor", "size": SQUARE, "resample": 0},
    "efficientnet-offset": {
        "image_processor_type": "EfficientNetImageProcessor",
        "size": SQUARE,
        "rescale_offset": True,
        "rescale_factor": 1 / 127.5,
        "include_top": False,
        "do_normalize": False,
    },
    "padded": {"image_processor_type": "BitImageProcessor", "size": {"shortest_edge": 101}, "crop_size": 224},
    "unresized": {"image_processor_type": "BitImageProcessor", "do_resize": False, "crop_size": 225},
    "unresized-padded": {"image_processor_type": "BitImageProcessor", "do_resize": False, "crop_size": 700},
    "perceiver": {"image_processor_type": "PerceiverImageProcessor"},
    "pp_lcnet": {"image_processor_type": "PPLCNetImageProcessor"},
    "raw": {"image_processor_type": "ViTImageProcessor", "size": SQUARE, "do_rescale": False, "do_normalize": False},
}


@pytest.fixture(scope="module", params=["china.jpg", "flower.jpg", "upright"])
def photo(request: pytest.FixtureRequest) -> Image.Image:
    if request.param == "upright":
        return Image.fromarray(load_sample_image("china.jpg")).rotate(90, expand=True)
    return Image.fromarray(load_sample_image(request.param))


def _describe(folder: Path, settings: dict[str, Any]) -> Any:
    from edgebench.converters.huggingface.checkpoint import Checkpoint
    from edgebench.converters.huggingface.network import read_processor
    from edgebench.converters.huggingface.preprocessing import describe

    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    (folder / "config.json").write_text(json.dumps({"model_type": "vit"}))
    processor = read_processor(Checkpoint(folder, {}, (), False, settings))
    return processor, *describe(processor, (224, 224), 3)


@pytest.mark.parametrize("name", CASES)
def test_pixels_equal_transformers_own_within_one_uint8_step(name: str, photo: Image.Image, tmp_path: Path) -> None:
    processor, preprocessing, height, width = _describe(tmp_path, CASES[name])
    theirs = processor(photo, return_tensors="np")["pixel_values"]

    pixels = resize_image(photo, preprocessing, (height, width, 3))
    ours = normalise(pixels[None], preprocessing, "NCHW")

    assert ours.shape == theirs.shape
    step = preprocessing.scale / min(preprocessing.std)  # what one uint8 step is worth after normalising
    assert np.abs(ours - theirs).max() <= step * 1.0001
    # and nearly every pixel is the very same; PP-LCNet's processor resizes with torchvision, which rounds otherwise
    assert np.mean(np.abs(ours - theirs) > step * 1e-3) < (0.003 if name == "pp_lcnet" else 0.001)


def test_without_a_crop_only_what_comes_out_right_is_taken(tmp_path: Path) -> None:
    """Squashing a photo that the processor leaves oblong was up to 255 levels off, and said nothing."""
    photo = Image.fromarray(load_sample_image("china.jpg"))
    uncropped = {**CASES["dinov2"], "size": {"shortest_edge": 224}, "do_center_crop": False}
    for settings in (uncropped, {**CASES["vit"], "do_resize": False}):
        processor, preprocessing, height, width = _describe(tmp_path, settings)
        square = photo.crop((0, 0, 224, 224))
        theirs = processor(square, return_tensors="np")["pixel_values"]
        ours = normalise(resize_image(square, preprocessing, (height, width, 3))[None], preprocessing, "NCHW")
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
        with pytest.raises(UsageError, match=r"640x427 pixels comes out at .* resize=224x224"):
            resize_image(photo, preprocessing, (height, width, 3))


def test_a_turned_photo_stands_upright_as_transformers_loads_it(tmp_path: Path) -> None:
    from transformers.image_utils import load_image

    photo = Image.fromarray(load_sample_image("china.jpg"))
    exif = photo.getexif()
    exif[274] = 6  # turn by 90 degrees
    photo.save(tmp_path / "turned.png", exif=exif)
    processor, preprocessing, height, width = _describe(tmp_path, CASES["dinov2"])
    theirs = processor(load_image(str(tmp_path / "turned.png")), return_tensors="np")["pixel_values"]
    with Image.open(tmp_path / "turned.png") as turned:
        ours = normalise(resize_image(turned, preprocessing, (height, width, 3))[None], preprocessing, "NCHW")
        lying = dataclasses.replace(preprocessing, upright=False)
        other = normalise(resize_image(turned, lying, (height, width, 3))[None], preprocessing, "NCHW")
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
    assert np.abs(other - theirs).max() > 1


def test_a_mistaken_resample_would_be_noticed(tmp_path: Path) -> None:
    photo = Image.fromarray(load_sample_image("china.jpg"))
    processor, *_ = _describe(tmp_path, CASES["vit"])
    _, preprocessing, height, width = _describe(tmp_path, {**CASES["vit"], "resample": 3})
    theirs = processor(photo, return_tensors="np")["pixel_values"]
    ours = normalise(resize_image(photo, preprocessing, (height, width, 3))[None], preprocessing, "NCHW")
    assert np.abs(ours - theirs).max() > 2 * preprocessing.scale / min(preprocessing.std)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"image_processor_type": "DonutImageProcessor"}, "shrinks and pads each image by its own shape"),
        ({"image_processor_type": "NoSuchProcessor"}, "--preprocess"),
        ({**CASES["vit"], "size": {"shortest_edge": 9, "longest_edge": 99}}, "cannot express"),
        ({**CASES["vit"], "image_std": [0.5, 0, 0.5]}, "every std must be other than zero"),
        ({**CASES["vit"], "resample": 17}, "resample"),
        ({"image_processor_type": "TextNetImageProcessor"}, "gives every image a shape of its own"),
        (
            {
                "image_processor_type": "ConvNextImageProcessor",
                "size": {"shortest_edge": 224},
                "do_center_crop": True,
                "crop_size": 256,
            },
            "pads",
        ),
        ({**CASES["vit"], "do_pad": True, "pad_size": SQUARE}, "do_pad"),
    ],
)
def test_what_a_record_cannot_say_is_refused_by_name(settings: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        _describe(tmp_path, settings)
    assert "\n" not in str(caught.value)
