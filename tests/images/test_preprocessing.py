"""The --preprocess grammar, and the rules against Keras' own preprocess_input."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

from edgebench.errors import UsageError
from edgebench.images.preprocessing import KERAS_RULES, keras_rule, parse
from edgebench.records import Preprocessing
from edgebench.runner.preprocess import normalise


@pytest.mark.parametrize("name", sorted(KERAS_RULES))
def test_rules_are_what_keras_does(name: str) -> None:
    pytest.importorskip("keras")
    module = importlib.import_module(f"keras.applications.{name}")
    images = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3), np.uint8)
    expected = module.preprocess_input(images.astype(np.float32))
    np.testing.assert_allclose(normalise(images, keras_rule(name)), expected, atol=2e-5)


def test_names_may_be_the_models_own() -> None:
    assert keras_rule("MobileNetV2") == keras_rule("mobilenet_v2")
    assert keras_rule("mobilenet_v2").rule == "keras:mobilenet_v2"


def test_a_rule_in_full() -> None:
    text = "scale=1/255,mean=0.485,0.456,0.406,std=0.229,0.224,0.225,channels=BGR,resize=256,resample=bicubic"
    assert parse(text) == Preprocessing(
        rule=text,
        scale=1 / 255,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        channels="BGR",
        resize=(256,),
        resample="bicubic",
    )


def test_named_rules_take_changes() -> None:
    assert parse("none") == Preprocessing("none")
    changed = parse("keras:resnet,resize=256x232")
    assert (changed.channels, changed.resize, changed.rule) == ("BGR", (256, 232), "keras:resnet,resize=256x232")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("imagenet", "at 'imagenet'"),
        ("keras:vgg", "unknown preprocessing keras:vgg: known are"),
        ("mean=1,2", "mean needs 1 or 3 numbers, got 2"),
        ("mean=a", "'a' is not a number"),
        ("scale=1/0", "'1/0' is not a number"),
        ("std=0", "has std 0"),
        ("colour=RGB", "unknown key 'colour'"),
        ("channels=YUV", "channels is 'YUV', known are RGB, BGR, L"),
        ("resize=0", "resize is '0'"),
        ("none,resample=best", "resample is 'best'"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse(text)
