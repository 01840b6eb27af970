"""A photo at the size that a model takes, by the model's own rule."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from edgebench.errors import UsageError
from edgebench.records import Preprocessing

RESAMPLE = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
    "hamming": Image.Resampling.HAMMING,
}


def resize_image(image: Image.Image, preprocessing: Preprocessing, size: tuple[int, int, int]) -> npt.NDArray[np.uint8]:
    """Return the image as uint8 (height, width, channels) for `size`, resized by the model's own rule.

    Raises UsageError where the rule does not crop and the image does not come out at that size.
    """
    height, width, channels = size
    if preprocessing.upright:
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):  # Pillow clips 16-bit grey at 255 instead of scaling it
        image = Image.fromarray((np.asarray(image) // 256).astype(np.uint8))
    image = image.convert("L" if channels == 1 else "RGB")
    if preprocessing.cut:
        edge = int(preprocessing.cut * min(image.size))
        left, top = (image.width - edge) // 2, (image.height - edge) // 2
        image = image.crop((left, top, left + edge, top + edge))
    given = image.size
    target = _target_size(image.size, preprocessing, (width, height))
    if image.size != target:
        image = image.resize(target, RESAMPLE[preprocessing.resample])
    if image.size != (width, height):
        if preprocessing.crop == "none":
            raise UsageError(
                f"an image of {given[0]}x{given[1]} pixels comes out at {image.width}x{image.height}, and the model "
                f"takes {width}x{height}: its processor does not crop ({preprocessing.rule}); say --preprocess with "
                f"resize={height}x{width}"
            )
        left = _first(image.width - width, preprocessing.crop)
        top = _first(image.height - height, preprocessing.crop)
        image = _cut(image, left, top, width, height, preprocessing.fill)
    pixels = np.asarray(image, np.uint8)
    return pixels if pixels.ndim == 3 else pixels[:, :, None]


def _target_size(size: tuple[int, int], preprocessing: Preprocessing, final: tuple[int, int]) -> tuple[int, int]:
    """Return (width, height) to resize to."""
    width, height = size
    resize, fit = preprocessing.resize, preprocessing.fit
    if fit == "none":
        return size
    if not resize:
        return final
    if len(resize) == 2 and fit == "exact":
        return resize[1], resize[0]
    if len(resize) == 2:
        ratios = height / resize[0], width / resize[1]
        ratio = min(ratios) if fit == "cover" else max(ratios)
        return max(1, round(width / ratio)), max(1, round(height / ratio))
    edge = resize[0]
    return (edge, int(edge * height / width)) if width <= height else (int(edge * width / height), edge)


def _first(extra: int, crop: str) -> int:
    """Return where a centre crop begins that drops `extra` pixels; below zero where it has to add some."""
    if crop == "round":  # torchvision pads the smaller half first, and rounds the cut half to even
        return round(extra / 2) if extra > 0 else -(-extra // 2)
    return extra // 2


def _cut(image: Image.Image, left: int, top: int, width: int, height: int, fill: tuple[int, ...]) -> Image.Image:
    """Return `width` x `height` pixels from (left, top) on, `fill` where the image has none."""
    cut = image.crop((left, top, left + width, top + height))
    if not any(fill) or (left >= 0 and top >= 0):
        return cut
    padded = Image.new(image.mode, (width, height), fill[0] if image.mode == "L" else (fill * 3)[:3])
    padded.paste(image, (-left, -top))
    return padded
