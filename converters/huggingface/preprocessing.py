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
    "PPLCNetImageProcessor",
    "PerceiverImageProcessor",
    "PoolFormerImageProcessor",
)
VARYING = {
    "DonutImageProcessor": "shrinks and pads each image by its own shape",
    "ImageGPTImageProcessor": "gives numbers of colour clusters, no pixels",
    "Siglip2ImageProcessor": "gives as many patches as the image's shape asks for",
    "TextNetImageProcessor": "gives every image a shape of its own",
}
"""What a Preprocessing cannot say, in words."""
RESAMPLE = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")
"""Pillow's filters by their number."""
CONVNEXT_WARPS_FROM = 384
LEVIT_MARGIN = 256 / 224


@dataclass(frozen=True)
class Geometry:
    """How an image reaches the input size height x width; the rest as in Preprocessing."""

    resize: tuple[int, ...]
    height: int
    width: int
    fit: str = "exact"
    crop: str = "floor"
    cut: float = 0.0


def describe(processor: Any, image_size: tuple[int, int] | None, channels: int) -> tuple[Preprocessing, int, int]:
    """Return what `processor` does, and the height and width it gives.

    `image_size` is what the model's own configuration says, used where the processor leaves the size open.
    Raises UsageError where the processor does something a Preprocessing cannot say.
    """
    kind = type(processor).__name__.removesuffix("Pil").removesuffix("Fast")
    try:
        return _describe(kind, processor, image_size, channels)
    except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError, IndexError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UsageError(f"{kind} has a setting of the wrong kind ({reason}): mend it, or say --preprocess") from error


def _describe(
    kind: str, processor: Any, image_size: tuple[int, int] | None, channels: int
) -> tuple[Preprocessing, int, int]:
    if kind in VARYING:
        raise UsageError(f"{kind} {VARYING[kind]}, and an artifact takes one shape: say --preprocess instead")
    if kind not in PLAIN + PECULIAR:
        raise UsageError(f"the image processor {kind} is not one that edgebench knows: say --preprocess instead")
    if getattr(processor, "do_pad", None):
        raise UsageError(f"{kind} pads its images (do_pad), which edgebench does not do: say --preprocess instead")
    geometry = _geometry(kind, processor, image_size)
    scale, mean, std = _numbers(kind, processor)
    if kind == "PPLCNetImageProcessor":  # normalises in the photo's own order and swaps the channels afterwards
        flips, mean, std = True, mean[::-1], std[::-1]
    else:
        flips = kind == "MobileViTImageProcessor" and processor.do_flip_channel_order
    preprocessing = Preprocessing(
        rule="huggingface",
        scale=scale,
        mean=mean,
        std=std,
        channels="L" if channels == 1 else "BGR" if flips else "RGB",
        resize=geometry.resize,
        resample=_resample(kind, processor),
        fit=geometry.fit,
        crop=geometry.crop,
        cut=geometry.cut,
        upright=True,  # as transformers' own load_image, its pipelines and the datasets library do
    )
    return preprocessing, geometry.height, geometry.width


def _geometry(kind: str, processor: Any, image_size: tuple[int, int] | None) -> Geometry:
    size, crop = _plain(processor.size), _plain(getattr(processor, "crop_size", None))
    cropped = (crop["height"], crop["width"]) if processor.do_center_crop and {"height", "width"} <= set(crop) else None
    if processor.do_center_crop and cropped is None and kind != "ConvNextImageProcessor":
        raise UsageError(f"{kind} crops to {crop or None}, expected a height and a width: mend its crop_size")
    if kind == "PerceiverImageProcessor":
        return _cut_first(processor, size, cropped)
    if not processor.do_resize:
        final = cropped or image_size
        if final is None:
            raise UsageError(f"{kind} does not resize (do_resize): say --preprocess with a resize instead")
        return Geometry((), *final, fit="none", crop="floor" if cropped else "none")
    if kind == "PPLCNetImageProcessor":
        return _rounded(kind, processor, size, cropped)
    if kind == "ConvNextImageProcessor" and "shortest_edge" in size:
        edge = size["shortest_edge"]
        if edge >= CONVNEXT_WARPS_FROM:
            return _simplified((edge, edge), cropped or (edge, edge), "floor")
        if cropped and (cropped[0] > edge or cropped[1] > edge):
            raise UsageError(f"{kind} crops to {edge} and pads to {cropped} again: say --preprocess instead")
        if cropped and ((edge - cropped[0]) % 2 or (edge - cropped[1]) % 2):
            raise UsageError(f"{kind} crops twice, to {edge} and to {cropped}: say --preprocess instead")
        return _simplified((int(edge / processor.crop_pct),), cropped or (edge, edge), "floor")
    resize = _resize(kind, processor, size)
    if cropped:
        return _simplified(resize, cropped, "floor")
    if len(resize) == 1:  # the longer edge follows the image: only what comes out at the input size can be taken
        return Geometry(resize, *(image_size or (resize[0], resize[0])), crop="none")
    return _simplified(resize, (resize[0], resize[1]), "floor")


def _cut_first(processor: Any, size: dict[str, int], cropped: tuple[int, int] | None) -> Geometry:
    """Perceiver cuts out the middle square before it resizes."""
    height, width = size.get("height", 0), size.get("width", 0)
    square = height == width and (cropped is None or cropped[0] == cropped[1])
    if not height or not square or not processor.do_resize:
        raise UsageError("PerceiverImageProcessor without one square size: say --preprocess instead")
    return Geometry((), height, width, cut=height / cropped[0] if cropped else 0.0)


def _rounded(kind: str, processor: Any, size: dict[str, int], cropped: tuple[int, int] | None) -> Geometry:
    """PP-LCNet resizes the shortest edge, rounds where others cut off, and crops as torchvision does."""
    if processor.resize_short is None:
        return _simplified(_resize(kind, processor, size), cropped or (size["height"], size["width"]), "round")
    if processor.size_divisor not in (None, 1) or cropped is None:
        raise UsageError(f"{kind} gives every image a shape of its own: say --preprocess instead")
    edge = int(processor.resize_short)
    return Geometry((edge, edge), *cropped, fit="cover", crop="round")


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


def _simplified(resize: tuple[int, ...], final: tuple[int, int], crop: str) -> Geometry:
    return Geometry(() if resize == final else resize, *final, crop=crop)


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
