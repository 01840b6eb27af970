"""What a training starts from: a Keras Application, a Hugging Face checkpoint, or a small net by its widths."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl

from edgebench.converters.huggingface import source as huggingface_source
from edgebench.converters.keras import applications
from edgebench.converters.keras.applications import Application
from edgebench.errors import UsageError

KNOWN = "keras:NAME?weights=imagenet, cnn:32-64-128?dense=256, hf:owner/name or a checkpoint folder"
CNN, KERAS, HUGGINGFACE = "cnn", "keras", "huggingface"
CNN_KEYS = ("dense", "input_size", "channels")
CNN_PIXELS = 64


@dataclass(frozen=True)
class Cnn:
    """`cnn:32-64-128?dense=256`: blocks of convolution, batch normalisation, ReLU and pooling, then dense layers."""

    widths: tuple[int, ...]
    dense: tuple[int, ...] = ()
    input_size: int = CNN_PIXELS
    channels: int = 3


@dataclass(frozen=True)
class Base:
    """A base, checked; of `application`, `cnn` and `checkpoint` the one of its `kind` is set."""

    kind: str
    text: str
    pretrained: bool
    application: Application | None = None
    cnn: Cnn | None = None
    checkpoint: str = ""  # hf:owner/name or a folder

    @property
    def name(self) -> str:
        """A short name, safe as a file name."""
        if self.application:
            alpha = f"-{self.application.alpha:g}" if self.application.alpha != 1 else ""
            text = f"{self.application.name}{alpha}-{self.application.input_size}"
        elif self.cnn:
            text = self.text.partition("?")[0].replace(":", "-")
        else:
            text = self.checkpoint.removeprefix("hf:").split("@")[0].rstrip("/").rpartition("/")[2]
        return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip(".-").lower() or "model"


def parse_base(text: str) -> Base:
    """Read what a user typed after `edgebench train`. Raises UsageError naming what is wrong, and the nearest name."""
    if text.startswith("cnn:"):
        return Base(CNN, text, pretrained=False, cnn=_cnn(text))
    if text.startswith("keras:"):
        application = applications.parse(text)
        if application.classes != applications.Application.classes:
            raise UsageError(f"{text}: the images say how many classes there are: leave classes out")
        return Base(KERAS, text, application.weights != "none", application=application)
    place, _, query = text.partition("?")
    if text.startswith("hf:") or huggingface_source.looks_like(Path(place).expanduser()):
        options = dict(parse_qsl(query, keep_blank_values=True))
        if set(options) - {"weights"} or options.get("weights", "none") != "none":
            raise UsageError(f"{text}: after a checkpoint only ?weights=none may stand, to train it from scratch")
        return Base(HUGGINGFACE, text, "weights" not in options, checkpoint=place)
    if Path(text).exists():
        raise UsageError(f"{text} is no base to train from: give {KNOWN}")
    near = applications.nearest(text)
    raise UsageError(f"there is no {text}: {f'did you mean keras:{near}? ' if near else ''}A base is {KNOWN}")


def _cnn(text: str) -> Cnn:
    widths, _, query = text.removeprefix("cnn:").partition("?")
    if not re.fullmatch(r"[1-9]\d{0,3}(-[1-9]\d{0,3}){0,7}", widths):
        raise UsageError(f"{text}: expected one to eight widths such as cnn:32-64-128")
    options = dict(parse_qsl(query, keep_blank_values=True))
    for key, value in options.items():
        if key not in CNN_KEYS:
            raise UsageError(f"{text}: unknown key {key!r}, known are {', '.join(CNN_KEYS)}")
        if not re.fullmatch(r"[1-9]\d{0,3}(-[1-9]\d{0,3})*" if key == "dense" else r"[1-9]\d{0,3}", value):
            raise UsageError(f"{text}: {key} is {value!r}, expected a whole number")
    found = Cnn(
        _numbers(widths),
        _numbers(options.get("dense", "")),
        int(options.get("input_size", CNN_PIXELS)),
        int(options.get("channels", 3)),
    )
    if found.channels not in (1, 3):
        raise UsageError(f"{text}: channels is {found.channels}, expected 1 (grey) or 3")
    if found.input_size < 2 ** len(found.widths):
        raise UsageError(f"{text}: {len(found.widths)} blocks halve {found.input_size} pixels to nothing: use fewer")
    return found


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("-") if part)
