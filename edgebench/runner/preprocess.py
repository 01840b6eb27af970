"""From uint8 pixels to a model's input, and from its output to real numbers. The same code on every device."""

from __future__ import annotations

from typing import Any

import numpy as np

from edgebench.records import Preprocessing, TensorSpec


def normalise(images: Any, preprocessing: Preprocessing, layout: str = "NHWC") -> Any:
    """Return float32 inputs for uint8 NHWC `images`: `(x * scale - mean) / std`, in `layout` (NHWC or NCHW)."""
    pixels: Any = np.asarray(images, dtype=np.float32)
    if preprocessing.channels == "BGR":
        pixels = pixels[..., ::-1]
    if preprocessing.scale != 1.0:
        pixels = pixels * np.float32(preprocessing.scale)
    if any(preprocessing.mean):
        pixels = pixels - np.asarray(preprocessing.mean, np.float32)
    if any(value != 1.0 for value in preprocessing.std):
        pixels = pixels / np.asarray(preprocessing.std, np.float32)
    if layout == "NCHW":
        pixels = pixels.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(pixels)


ALMOST = 2.0**-13
"""What arithmetic puts so close below a half counts as one, in steps of the input; float32 itself errs by 1e-5."""


def model_input(images: Any, preprocessing: Preprocessing, spec: TensorSpec, layout: str = "NHWC") -> Any:
    """Return the input for uint8 NHWC `images`: normalised, in `layout`, as `spec`'s dtype.

    An integer input is looked up in a table of the pixel values, so that no last bit of a float decides it: with a mean
    and a standard deviation of 0.5 every one of them lies halfway between two steps.
    """
    if np.dtype(spec.dtype).kind == "f":
        return to_input(normalise(images, preprocessing, layout), spec)
    pixels: Any = np.asarray(images)
    if preprocessing.channels == "BGR":
        pixels = pixels[..., ::-1]
    channels = np.arange(pixels.shape[-1])
    values = input_table(preprocessing, spec, len(channels))[pixels, channels]
    return np.ascontiguousarray(values.transpose(0, 3, 1, 2) if layout == "NCHW" else values)


def input_table(preprocessing: Preprocessing, spec: TensorSpec, channels: int) -> Any:
    """Return what an integer input of `spec` is for each value of a pixel, (256, channels): exact, and halves go up."""
    bounds = np.iinfo(np.dtype(spec.dtype))
    steps = np.floor(input_steps(preprocessing, spec, channels) + (0.5 + ALMOST))
    return np.clip(steps, bounds.min, bounds.max).astype(spec.dtype)


def input_steps(preprocessing: Preprocessing, spec: TensorSpec, channels: int) -> Any:
    """Return the values of a pixel in steps of the input, before they are rounded: float64 (256, channels)."""
    values = np.arange(256.0)[:, None] * preprocessing.scale - np.asarray(preprocessing.mean, np.float64)
    values = values / np.asarray(preprocessing.std, np.float64)
    if spec.scale > 0:
        values = values / spec.scale + spec.zero_point
    return np.broadcast_to(values, (256, channels))


def halves(preprocessing: Preprocessing, spec: TensorSpec, channels: int) -> int:
    """Return how many values of a pixel, of 256 a channel, lie halfway between two steps of an integer input."""
    bounds = np.iinfo(np.dtype(spec.dtype))
    steps = input_steps(preprocessing, spec, channels)
    inside = (steps > bounds.min) & (steps < bounds.max)
    return int((inside & (np.abs(steps - np.floor(steps) - 0.5) < ALMOST)).sum())


def to_input(values: Any, spec: TensorSpec) -> Any:
    """Cast float32 `values` to the input's dtype; integers are quantised with its scale and zero point.

    Where there are pixels, `model_input` does this exactly.
    """
    dtype = np.dtype(spec.dtype)
    if dtype.kind == "f":
        return values.astype(dtype, copy=False)
    if spec.scale > 0:
        values = values / np.float32(spec.scale) + np.float32(spec.zero_point)
    bounds = np.iinfo(dtype)
    return np.clip(np.rint(values), bounds.min, bounds.max).astype(dtype)


def to_real(outputs: Any, spec: TensorSpec) -> Any:
    """Return outputs as float32, dequantised where the output is an integer tensor with a scale."""
    values = np.asarray(outputs, dtype=np.float32)
    if spec.scale > 0:
        values = (values - np.float32(spec.zero_point)) * np.float32(spec.scale)
    return values.reshape(values.shape[0], -1)


def guess_layout(shape: tuple[int, ...]) -> str:
    """Return NCHW where the second dimension alone can be the colours, else NHWC (a file without a manifest)."""
    return "NCHW" if len(shape) == 4 and shape[1] in (1, 3) and shape[3] not in (1, 3) else "NHWC"
