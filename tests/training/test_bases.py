"""What a user may type, and what is said about what cannot be trained."""

import pytest

from edgebench.errors import UsageError
from edgebench.training.bases import Cnn, parse_base
from edgebench.training.settings import Training, check


def test_small_nets_by_their_widths():
    assert parse_base("cnn:32-64-128?dense=256").cnn == Cnn((32, 64, 128), (256,), 64, 3)
    assert parse_base("cnn:8?input_size=16&channels=1").cnn == Cnn((8,), (), 16, 1)
    assert parse_base("cnn:32-64-128?dense=256").name == "cnn-32-64-128"
    assert not parse_base("cnn:8").pretrained


def test_applications_are_pretrained_unless_weights_none_is_typed():
    assert parse_base("keras:MobileNetV2").pretrained
    assert not parse_base("keras:MobileNetV2?weights=none").pretrained
    assert parse_base("keras:mobilenetv2?alpha=0.35&input_size=96").name == "mobilenetv2-0.35-96"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("keras:MobilNetV2", "did you mean MobileNetV2"),
        ("MobilNetV2", "did you mean keras:MobileNetV2"),
        ("keras:MobileNetV2?weights=none&classes=7", "leave classes out"),
        ("cnn:32-x", "expected one to eight widths"),
        ("cnn:8-8-8-8?input_size=8", "halve 8 pixels to nothing"),
        ("cnn:8?deep=3", "unknown key 'deep'"),
        ("nowhere/at/all", "there is no nowhere/at/all"),
        ("hf:owner/name?weights=imagenet", r"only \?weights=none may stand"),
    ],
)
def test_a_base_that_is_none_is_one_clear_line(text, message):
    with pytest.raises(UsageError, match=message) as error:
        parse_base(text)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fine_tune": "many"}, "expected a number of layers such as 15, or all"),
        ({"base": "cnn:8", "fine_tune": "all"}, "from scratch every layer is free"),
        ({"augment": ("flip", "mixup")}, "--augment mixup: known are flip"),
        ({"optimizer": "lion"}, "known are adam"),
        ({"learning_rate": 0.0}, "expected a number above 0"),
        ({"dropout": 1.0}, "less than 1"),
        ({"head": (0,)}, "expected widths"),
        ({"epochs": 0}, "expected 1 or more"),
    ],
)
def test_settings_that_cannot_be_used_are_named(changes, message):
    with pytest.raises(UsageError, match=message):
        check(Training(**{"base": "keras:MobileNetV2", "data": "x", **changes}))
