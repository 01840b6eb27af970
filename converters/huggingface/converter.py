"""Hugging Face checkpoints: the verbs of `converters.base.Converter` on transformers' image classifiers.

The artifacts carry the logits, as the checkpoint gives them. TFLite and SavedModel take NHWC pixels, ONNX takes NCHW,
as each target prefers.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgebench.converters.base import SourceModel
from edgebench.converters.huggingface.checkpoint import PROCESSOR, Checkpoint, open_checkpoint
from edgebench.converters.huggingface.network import (
    Logits,
    for_export,
    labels_of,
    logits,
    quiet,
    read_network,
    read_processor,
)
from edgebench.converters.huggingface.preprocessing import describe
from edgebench.converters.huggingface.source import locate
from edgebench.converters.huggingface.timm_config import describe_timm, is_timm, read_timm
from edgebench.errors import ConversionError, MissingExtraError, UsageError
from edgebench.records import LABEL_LOGITS, LOGITS, Preprocessing, Source
from edgebench.runner.preprocess import normalise

INPUT = "pixel_values"
OUTPUT = "logits"
BATCH = 32
EXTRA = "huggingface"
MULTI_LABEL = "multi_label_classification"  # transformers' own word in config.json


def load(source: Source, preprocessing: Preprocessing | None) -> SourceModel:
    """Load a checkpoint folder or `hf:owner/name[@revision]`; `preprocessing` None asks its processor file.

    Raises UsageError where it is missing, truncated, no image classifier, or would need code of its own.
    """
    checkpoint = open_checkpoint(locate(source.spec))
    network = read_network(checkpoint)
    channels = int(getattr(network.config, "num_channels", None) or 3)
    if channels not in (1, 3):
        raise UsageError(f"{checkpoint.folder} takes {channels} channels: edgebench feeds 1 or 3")
    own, height, width = _input(checkpoint, network, channels, dict(source.options), preprocessing)
    model = SourceModel(
        source=source,
        height=height,
        width=width,
        channels=channels,
        classes=int(network.config.num_labels),
        labels=labels_of(network),
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        preprocessing=own,
        handle=network,
        output_kind=LABEL_LOGITS if getattr(network.config, "problem_type", None) == MULTI_LABEL else LOGITS,
    )
    _check_shapes(model, checkpoint)
    return model


def predict(model: SourceModel, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return torch's logits (images, classes) for uint8 NHWC images."""
    rows = [np.zeros((0, model.classes), np.float32)]
    for start in range(0, len(images), BATCH):
        rows.append(logits(model.handle, normalise(images[start : start + BATCH], model.preprocessing, "NCHW")))
    return np.concatenate(rows)


def to_onnx(model: SourceModel, path: Path) -> None:
    """Write a float32 .onnx, pixel_values (1, channels, height, width) -> logits (1, classes)."""
    try:
        from edgebench.converters.torch_export.onnx import onnx_bytes
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "onnxscript", EXTRA, "torch -> ONNX") from error
    with quiet():
        shape = (1, model.channels, model.height, model.width)
        path.write_bytes(onnx_bytes(Logits(for_export(model.handle)).eval(), shape, INPUT, OUTPUT))


def to_tflite(model: SourceModel, path: Path) -> None:
    """Write a float32 .tflite, (1, height, width, channels) -> logits (1, classes), built-in operators only."""
    try:
        from edgebench.converters.torch_export.tflite import tflite_bytes  # imports litert-torch, for this verb only
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "litert_torch", EXTRA, "torch -> TFLite") from error
    with quiet():
        path.write_bytes(tflite_bytes(Logits(for_export(model.handle), channels_last=True).eval(), _nhwc(model), INPUT))


def to_savedmodel(model: SourceModel, path: Path) -> None:
    """Write a SavedModel folder with one signature, (1, height, width, channels) -> logits (1, classes)."""
    try:
        from edgebench.converters.torch_export.savedmodel import write_savedmodel  # imports TensorFlow
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "tensorflow", EXTRA, "torch -> SavedModel") from error
    with quiet():
        write_savedmodel(Logits(for_export(model.handle), channels_last=True).eval(), _nhwc(model), path)


def _nhwc(model: SourceModel) -> tuple[int, int, int, int]:
    return 1, model.height, model.width, model.channels


def _input(
    checkpoint: Checkpoint,
    network: Any,
    channels: int,
    options: dict[str, str],
    given: Preprocessing | None,
) -> tuple[Preprocessing, int, int]:
    """The preprocessing and input size: what the user says, else the processor file, else the configuration."""
    size = configured_size(getattr(network.config, "image_size", None))
    own: Preprocessing | None = None
    if given is None or checkpoint.processor is not None:
        try:
            own, height, width = own_rule(checkpoint, size, channels)
            size = height, width
        except UsageError:
            if given is None:
                raise
    if "input_size" in options:
        asked = _asked_size(options["input_size"])
        if own is not None and size is not None and asked != size:
            own = dataclasses.replace(own, resize=())  # the processor's margin belongs to the processor's size
        size = asked
    preprocessing = given or own
    if size is None or preprocessing is None:
        raise UsageError(f"{checkpoint.folder} does not say its input size: give --input-size, for example 224x224")
    return preprocessing, size[0], size[1]


def own_rule(checkpoint: Checkpoint, size: tuple[int, int] | None, channels: int) -> tuple[Preprocessing, int, int]:
    """Return what the checkpoint says of its images, and their height and width.

    timm's is in config.json, transformers' in its processor file; `size` is the network's where the file has none.
    """
    if is_timm(checkpoint.config):
        timm = read_timm(checkpoint.config, checkpoint.folder)
        return describe_timm(timm, checkpoint.folder), timm.input_size[1], timm.input_size[2]
    return describe(read_processor(checkpoint), size, channels)


def configured_size(value: object) -> tuple[int, int] | None:
    """Return the (height, width) that a configuration's `image_size` says; None where it says none."""
    if isinstance(value, int):
        return value, value
    if isinstance(value, list | tuple) and len(value) == 2:
        return int(value[0]), int(value[1])
    return None


def _asked_size(text: str) -> tuple[int, int]:
    height, _, width = text.lower().partition("x")
    if not height.isdigit() or not (width or height).isdigit():
        raise UsageError(f"input size {text!r} cannot be read: give 224 or 224x224")
    return int(height), int(width or height)


def _check_shapes(model: SourceModel, checkpoint: Checkpoint) -> None:
    """One forward pass: an input size that the network does not take is found here, not by an exporter."""
    blank = np.zeros((1, model.height, model.width, model.channels), np.uint8)
    try:
        shape = predict(model, blank).shape
    except Exception as error:  # networks raise whatever a size they were not built for leads to
        raise UsageError(
            f"{checkpoint.folder} does not take {model.height}x{model.width} images "
            f"({' '.join(str(error).split())[:200]}): give --input-size, or mend its {PROCESSOR}"
        ) from error
    if shape != (1, model.classes):
        raise ConversionError(f"{checkpoint.folder} gives outputs {shape} for one image, expected (1, {model.classes})")
