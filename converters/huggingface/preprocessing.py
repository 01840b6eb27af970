"""What transformers' image processors do to an image, as a Preprocessing record that needs neither of them.

Read from the processor object, so that its own defaults hold. Processors that do something a record cannot say are
refused, never approximated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgebench.errors import UsageError
from edgebench.records import Preprocessing

PLAIN = (
    "BeitImageProcessor",
    "BitImageProcessor",
    "CLIPImageProcessor",
    "DeiTImageProcessor",
    "MobileNetV1ImageProcessor",
    "MobileNetV2ImageProcessor",
    "PvtImageProcessor",
    "SegformerImageProcessor",
    "SiglipImageProcessor",
    "ViTImageProcessor",
)
"""Resize, centre crop, rescale, normalise, each as its flag says."""
PECULIAR = (
    "ConvNextImageProcessor",
    "EfficientNetImageProcessor",
    "LevitImageProcessor",
    "MobileViTImageProcessor",
    "PoolFormerImageProcessor",
)
RESAMPLE = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")
"""Pillow's filters by their number."""
CONVNEXT_WARPS_FROM = 384
LEVIT_MARGIN = 256 / 224


@dataclass(frozen=True)
class Geometry:
    """How an image reaches the input size: `resize` as in Preprocessing, then a centre crop to height x width."""

    resize: tuple[int, ...]
    height: int
    width: int


def describe(processor: Any, image_size: tuple[int, int] | None, channels: int) -> tuple[Preprocessing, int, int]:
    """Return what `processor` does, and the height and width it gives.

    `image_size` is what the model's own configuration says, used where the processor leaves the size open.
    Raises UsageError where the processor does something a Preprocessing cannot say.
    """
    kind = type(processor).__name__.removesuffix("Pil").removesuffix("Fast")
    if kind not in PLAIN + PECULIAR:
        raise UsageError(f"the image processor {kind} is not one that edgebench knows: say --preprocess instead")
    if getattr(processor, "do_pad", None):
        raise UsageError(f"{kind} pads its images (do_pad), which edgebench does not do: say --preprocess instead")
    geometry = _geometry(kind, processor, image_size)
    scale, mean, std = _numbers(kind, processor)
    flips = kind == "MobileViTImageProcessor" and processor.do_flip_channel_order
    preprocessing = Preprocessing(
        rule="huggingface",
        scale=scale,
        mean=mean,
        std=std,
        channels="L" if channels == 1 else "BGR" if flips else "RGB",
        resize=geometry.resize,
        resample=_resample(kind, processor),
    )
    return preprocessing, geometry.height, geometry.width


def _geometry(kind: str, processor: Any, image_size: tuple[int, int] | None) -> Geometry:
    size, crop = _plain(processor.size), _plain(getattr(processor, "crop_size", None))
    cropped = (crop["height"], crop["width"]) if processor.do_center_crop and "height" in crop else None
    if not processor.do_resize:
        final = cropped or image_size
        if final is None or (cropped and image_size and cropped != image_size):
            raise UsageError(f"{kind} does not resize (do_resize): say --preprocess with a resize instead")
        return Geometry((), *final)
    if kind == "ConvNextImageProcessor" and "shortest_edge" in size:
        edge = size["shortest_edge"]
        resize: tuple[int, ...] = (int(edge / processor.crop_pct),) if edge < CONVNEXT_WARPS_FROM else (edge, edge)
        return _simplified(resize, cropped or (edge, edge))
    resize = _resize(kind, processor, size)
    open_size = image_size if image_size and len(resize) == 1 else (resize[0], resize[-1])
    return _simplified(resize, cropped or open_size)


def _resize(kind: str, processor: Any, size: dict[str, int]) -> tuple[int, ...]:
    """To `(n,)`, the shortest edge, or `(h, w)`."""
    unknown = set(size) - {"shortest_edge", "height", "width"}
    if unknown or not size:
        raise UsageError(f"{kind} resizes to {size}, which edgebench cannot express: say --preprocess instead")
    fraction = getattr(processor, "crop_pct", None) if kind == "PoolFormerImageProcessor" else None
    if "shortest_edge" in size:
        margin = LEVIT_MARGIN if kind == "LevitImageProcessor" else 1
        return (int(size["shortest_edge"] / fraction if fraction else margin * size["shortest_edge"]),)
    if fraction:
        height, width = int(size["height"] / fraction), int(size["width"] / fraction)
        return (height,) if size["height"] == size["width"] else (height, width)
    return (size["height"], size["width"])


def _simplified(resize: tuple[int, ...], final: tuple[int, int]) -> Geometry:
    return Geometry(() if resize == final else resize, *final)


def _numbers(kind: str, processor: Any) -> tuple[float, tuple[float, ...], tuple[float, ...]]:
    """Scale, mean and std of `(x * scale - mean) / std`."""
    scale = float(processor.rescale_factor) if processor.do_rescale else 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    normalises = processor.do_normalize and kind != "MobileViTImageProcessor"  # it has the flag and ignores it
    if normalises:
        mean, std = _tuple(processor.image_mean), _tuple(processor.image_std)
    if kind == "EfficientNetImageProcessor":
        if processor.do_rescale and getattr(processor, "rescale_offset", False):  # x * scale - 1
            mean = tuple(value + 1.0 for value in mean)
        if getattr(processor, "include_top", False):  # divides by image_std once more
            second = _tuple(processor.image_std)
            std = tuple(
                value * second[index % len(second)] for index, value in enumerate(std * (len(second) // len(std)))
            )
    if any(value == 0 for value in std):
        raise UsageError(f"{kind} has image_std 0: every std must be other than zero")
    return scale, mean, std


def _tuple(value: Any) -> tuple[float, ...]:
    return tuple(float(part) for part in value) if isinstance(value, list | tuple) else (float(value),)


def _plain(size: Any) -> dict[str, int]:
    """The set entries of transformers' size, whichever of its types it is."""
    entries = dict(size) if size else {}
    return {str(key): int(value) for key, value in entries.items() if value is not None}


def _resample(kind: str, processor: Any) -> str:
    number = processor.resample
    if not isinstance(number, int) or not 0 <= int(number) < len(RESAMPLE):
        raise UsageError(f"{kind} has resample {number!r}, which is none of Pillow's filters: say --preprocess instead")
    return RESAMPLE[int(number)]
