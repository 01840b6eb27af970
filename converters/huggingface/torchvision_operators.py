"""Lets a torchvision be imported whose compiled operators do not fit this torch. Import it before transformers or timm.

The usual torchvision is built for CUDA. Beside a CPU build of torch its operators cannot be loaded; its import then
fails where it describes two of them, and takes timm and transformers' models and processors with it. Nothing here calls
those operators: declared without any implementation they let the import through, and a call of one would say so.
"""

from __future__ import annotations

import importlib.util

from edgebench.errors import MissingExtraError

try:
    import torch
except ModuleNotFoundError as error:
    raise MissingExtraError(error.name or "torch", "huggingface", "a Hugging Face checkpoint") from error

DESCRIBED = ("nms", "qnms")
"""What `torchvision/_meta_registrations.py` describes whether its operators are there or not."""


def _declare() -> torch.library.Library | None:
    if importlib.util.find_spec("torchvision") is None:
        return None
    try:
        import torchvision  # noqa: F401
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
    else:
        return None
    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in DESCRIBED:
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library


DECLARED = _declare()
"""Kept: the declarations go with the object."""
