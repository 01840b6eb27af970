"""What turns a decoded image into the model's input: the user's `--preprocess` text, or the rule a model came with.

The Keras Applications know theirs (`KERAS_RULES`); a model that rescales by itself takes the rule `none`.
"""

from __future__ import annotations

import dataclasses
import re
from fractions import Fraction
from typing import Any

from edgebench.errors import UsageError
from edgebench.records import Preprocessing

RESAMPLES = ("nearest", "bilinear", "bicubic", "lanczos", "box", "hamming")
CHANNELS = ("RGB", "BGR", "L")
LARGEST = 1e12  # of a number of the rule: far beyond any sense, far inside float32
_NUMBER = r"[+-]?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})(e[+-]?\d{1,2})?"
NUMBERS = rf"(?ai)\s*{_NUMBER}(/\d{{1,20}})?\s*(,\s*{_NUMBER}(/\d{{1,20}})?\s*){{0,9}}"
EXAMPLE = "--preprocess keras:mobilenet_v2, --preprocess none, or --preprocess 'scale=1/255,mean=0.5,std=0.5'"

# What `keras.applications.imagenet_utils.preprocess_input` calls caffe, tf and torch.
_CAFFE = Preprocessing(rule="", mean=(103.939, 116.779, 123.68), channels="BGR")
_TF = Preprocessing(rule="", scale=1 / 127.5, mean=(1.0,))
_TORCH = Preprocessing(rule="", scale=1 / 255, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
_IN_MODEL = Preprocessing(rule="")

KERAS_RULES: dict[str, Preprocessing] = {
    "convnext": _IN_MODEL,
    "densenet": _TORCH,
    "efficientnet": _IN_MODEL,
    "efficientnet_v2": _IN_MODEL,
    "inception_resnet_v2": _TF,
    "inception_v3": _TF,
    "mobilenet": _TF,
    "mobilenet_v2": _TF,
    "mobilenet_v3": _IN_MODEL,
    "nasnet": _TF,
    "resnet": _CAFFE,
    "resnet_v2": _TF,
    "vgg16": _CAFFE,
    "vgg19": _CAFFE,
    "xception": _TF,
}
"""Module of `keras.applications` -> what its `preprocess_input` does. The empty rule: the rescaling is in the model."""


def keras_rule(module: str) -> Preprocessing:
    """Return the rule of one `keras.applications` module, for example `mobilenet_v2`."""
    key = module.strip().lower()
    if key not in KERAS_RULES:
        squeezed = {name.replace("_", ""): name for name in KERAS_RULES}
        key = squeezed.get(re.sub(r"[^a-z0-9]", "", key), "")
    if not key:
        raise UsageError(f"unknown preprocessing keras:{module}: known are {', '.join(KERAS_RULES)}")
    return dataclasses.replace(KERAS_RULES[key], rule=f"keras:{key}")


def parse(text: str) -> Preprocessing:
    """Read `keras:NAME`, `none` or `key=value,..`, where `key=value` pairs may follow the first two as well.

    Keys: scale, mean, std (one number or one a channel, fractions such as 1/255 allowed), channels (RGB, BGR, L),
    resize (n for the shortest edge, or HxW), resample. Raises UsageError naming the part that is wrong.
    """
    head, pairs = _split(text)
    if head == "none":
        base = Preprocessing(rule=text)
    elif head.startswith("keras:"):
        base = keras_rule(head.removeprefix("keras:"))
    elif head:
        raise UsageError(f"cannot read --preprocess {text!r} at {head!r}: use {EXAMPLE}")
    else:
        base = Preprocessing(rule=text)
    changes = {key: _value(key, value, text) for key, value in pairs.items()}
    rule = base.rule if not changes else text
    result = dataclasses.replace(base, rule=rule, **changes)
    check_numbers(result, f"--preprocess {text!r}")
    return result


def check_numbers(rule: Preprocessing, where: str) -> None:
    """Raise UsageError for numbers that make no input of a pixel, whoever wrote them; `where` names the writer."""
    for key, values in (("scale", (rule.scale,)), ("mean", rule.mean), ("std", rule.std)):
        if len(values) not in (1, 3) or not all(abs(value) <= LARGEST for value in values):
            raise UsageError(f"{where}: {key} is {values}, expected 1 or 3 numbers")
    if any(abs(value) < 1 / LARGEST for value in (rule.scale, *rule.std)):
        key = "scale" if abs(rule.scale) < 1 / LARGEST else "std"
        raise UsageError(f"{where} has {key} 0: it must be other than zero")
    if rule.channels not in CHANNELS or rule.resample not in RESAMPLES:
        raise UsageError(f"{where}: channels {rule.channels!r} or resample {rule.resample!r} is none of those known")
    if len(rule.resize) > 2 or not all(0 < edge < 100_000 for edge in rule.resize):
        raise UsageError(f"{where}: resize is {rule.resize}, expected one or two numbers of pixels")


def _split(text: str) -> tuple[str, dict[str, str]]:
    """Split `head,key=a,b,key=c` into its head and its pairs; a part without `=` continues the value before it."""
    head, pairs, key = "", {}, ""
    for index, part in enumerate(piece.strip() for piece in text.split(",")):
        if "=" in part:
            key, _, value = part.partition("=")
            key = key.strip()
            if key in pairs:
                raise UsageError(f"--preprocess {text!r} has {key} twice: use {EXAMPLE}")
            pairs[key] = value.strip()
        elif key:
            pairs[key] += f",{part}"
        elif index == 0:
            head = part
        else:
            raise UsageError(f"cannot read --preprocess {text!r} at {part!r}: use {EXAMPLE}")
    if not head and not pairs:
        raise UsageError(f"--preprocess is empty: use {EXAMPLE}")
    return head, pairs


def _value(key: str, value: str, text: str) -> Any:
    if key == "scale":
        numbers = _numbers(value, text)
        if len(numbers) != 1:
            raise UsageError(f"--preprocess {text!r}: scale is one number, got {len(numbers)}")
        return numbers[0]
    if key in ("mean", "std"):
        numbers = _numbers(value, text)
        if len(numbers) not in (1, 3):
            raise UsageError(f"--preprocess {text!r}: {key} needs 1 or 3 numbers, got {len(numbers)}")
        return numbers
    if key == "resize":
        if not re.fullmatch(r"(?a)[1-9]\d{0,4}(x[1-9]\d{0,4})?", value):
            raise UsageError(f"--preprocess {text!r}: resize is {value!r}, expected 256 (shortest edge) or 256x256")
        return tuple(int(edge) for edge in value.split("x"))
    choices = {"channels": CHANNELS, "resample": RESAMPLES}.get(key)
    if choices is None:
        raise UsageError(
            f"--preprocess {text!r}: unknown key {key!r}, known are scale, mean, std, channels, resize, resample"
        )
    if value not in choices:
        raise UsageError(f"--preprocess {text!r}: {key} is {value!r}, known are {', '.join(choices)}")
    return value


def _numbers(value: str, text: str) -> tuple[float, ...]:
    try:
        if not re.fullmatch(NUMBERS, value):  # Fraction alone would try to write out 1e999999999
            raise ValueError(value)
        return tuple(float(Fraction(part.strip())) for part in value.split(","))
    except (ValueError, ZeroDivisionError, OverflowError) as error:
        raise UsageError(f"--preprocess {text!r}: {value!r} is not a number or a fraction such as 1/255") from error
