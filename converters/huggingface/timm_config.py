"""timm's `config.json`, in timm's own form and in transformers', read without timm: its model and its preprocessing.

A timm repository has no `model_type` and no `preprocessor_config.json`: `architecture` names the network,
`pretrained_cfg` says how images are prepared. transformers' TimmWrapper writes the same entries and a `model_type`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgebench.errors import UsageError
from edgebench.records import Preprocessing

WRAPPER = "timm_wrapper"
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
FILTERS = ("nearest", "bilinear", "bicubic", "lanczos", "box", "hamming")
CROPS = ("center", "squash", "border")
DEFAULT_CROP = 0.875
MAX_PIXELS = 4096
REFUSED_ARGUMENTS = ("features_only", "out_indices", "checkpoint_path", "cache_dir", "pretrained")
"""How the names of those `model_args` begin that make no classifier, or read files that the checkpoint names."""


@dataclass(frozen=True)
class TimmConfig:
    """What a timm `config.json` says. `input_size` is (channels, height, width)."""

    architecture: str
    classes: int
    arguments: dict[str, Any]
    pretrained: dict[str, Any]
    input_size: tuple[int, int, int]
    labels: tuple[str, ...]


def is_timm(config: dict[str, Any]) -> bool:
    """Whether a `config.json` is timm's, in either form."""
    kind = config.get("model_type")
    return kind == WRAPPER or (kind is None and isinstance(config.get("architecture"), str))


def read_timm(config: dict[str, Any], folder: Path) -> TimmConfig:
    """Read timm's `config.json`. Raises UsageError where an entry is missing or of another kind than timm writes."""
    architecture = config.get("architecture")
    if not isinstance(architecture, str) or not architecture or not architecture.isascii():
        raise UsageError(f"{folder} is a timm model without `architecture` in its config.json: export it again")
    pretrained = config.get("pretrained_cfg", config)
    if not isinstance(pretrained, dict):
        raise UsageError(f"{folder}: pretrained_cfg in config.json is no object: export the model again from timm")
    arguments = config.get("model_args") or {}
    if not isinstance(arguments, dict):
        raise UsageError(f"{folder}: model_args in config.json is no object: export the model again from timm")
    for name in arguments:
        if name.startswith(REFUSED_ARGUMENTS):
            raise UsageError(
                f"{folder}: model_args in config.json sets {name!r}, which would read other files or make no "
                "classifier: export the model again from timm"
            )
    classes = config.get("num_classes", pretrained.get("num_classes"))
    if not isinstance(classes, int) or isinstance(classes, bool) or classes < 0:
        raise UsageError(f"{folder}: num_classes in config.json is {classes!r}, expected a number of classes")
    if classes == 0:
        raise UsageError(f"{folder} has no classes (num_classes 0): it gives features, it is no classifier")
    size = _input_size(pretrained, arguments, folder)
    return TimmConfig(architecture, classes, arguments, pretrained, size, _labels(config, pretrained, classes))


def describe_timm(timm: TimmConfig, folder: Path) -> Preprocessing:
    """Return what timm's evaluation transform does (`timm.data.create_transform` of `resolve_data_config`).

    Raises UsageError where `pretrained_cfg` asks for what timm does not have either.
    """
    channels, height, width = timm.input_size
    mean = _floats(timm.pretrained.get("mean") or IMAGENET_MEAN, "mean", folder)
    std = _floats(timm.pretrained.get("std") or IMAGENET_STD, "std", folder)
    if 0 in std:
        raise UsageError(f"{folder}: std in pretrained_cfg holds 0: every std must be other than zero")
    for name, values in (("mean", mean), ("std", std)):
        if len(values) not in (1, channels):
            raise UsageError(f"{folder}: {name} in pretrained_cfg has {len(values)} numbers for {channels} channels")
    resample = _one_of(timm.pretrained.get("interpolation") or "bicubic", FILTERS, "interpolation", folder)
    mode = _one_of(timm.pretrained.get("crop_mode") or "center", CROPS, "crop_mode", folder)
    part = timm.pretrained.get("crop_pct") or DEFAULT_CROP
    if not isinstance(part, int | float) or not 0.05 <= part <= 2:
        raise UsageError(f"{folder}: crop_pct in pretrained_cfg is {part!r}, expected a fraction such as 0.875")
    scaled = math.floor(height / part), math.floor(width / part)
    simple = mode == "center" and scaled[0] == scaled[1]
    return Preprocessing(
        rule="timm",
        scale=1 / 255,
        mean=mean,
        std=std,
        channels="L" if channels == 1 else "RGB",
        resize=scaled[:1] if simple else scaled,
        resample=resample,
        fit="exact" if simple else {"center": "cover", "squash": "exact", "border": "contain"}[mode],
        crop="round",
        fill=tuple(round(255 * value) for value in mean) if mode == "border" else (0,),
    )


def _input_size(pretrained: dict[str, Any], arguments: dict[str, Any], folder: Path) -> tuple[int, int, int]:
    size = pretrained.get("input_size") or [3, 224, 224]
    whole = isinstance(size, list | tuple) and all(isinstance(edge, int) for edge in size)
    if not whole or len(size) != 3 or not all(0 < edge <= MAX_PIXELS for edge in size):
        raise UsageError(f"{folder}: input_size in pretrained_cfg is {size!r}, expected [channels, height, width]")
    channels = arguments.get("in_chans") or size[0]
    if channels not in (1, 3):
        raise UsageError(f"{folder} takes {channels} channels: edgebench feeds 1 (grey) or 3 (colour)")
    return channels, size[1], size[2]


def _labels(config: dict[str, Any], pretrained: dict[str, Any], classes: int) -> tuple[str, ...]:
    """The class names in output order; empty where the file has none, or one a class is missing."""
    names = config.get("label_names") or pretrained.get("label_names") or ()
    if isinstance(names, dict):
        names = [names.get(str(index)) for index in range(classes)]
    if not isinstance(names, list | tuple) or len(names) != classes or not all(isinstance(n, str) for n in names):
        return ()
    return tuple(names)


def _floats(value: Any, name: str, folder: Path) -> tuple[float, ...]:
    """Several numbers, or one; finite all of them."""
    values = value if isinstance(value, list | tuple) else [value]
    if not all(isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v) for v in values):
        raise UsageError(f"{folder}: {name} in pretrained_cfg is {value!r}, expected numbers")
    return tuple(float(v) for v in values)


def _one_of(value: Any, known: tuple[str, ...], name: str, folder: Path) -> str:
    if value not in known:
        raise UsageError(
            f"{folder}: {name} in pretrained_cfg is {value!r}, known are {', '.join(known)}: say --preprocess instead"
        )
    return str(value)
