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


def to_input(values: Any, spec: TensorSpec) -> Any:
    """Cast float32 `values` to the input's dtype; integers are quantised with its scale and zero point."""
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
