"""A checkpoint as a torch module from pixels to logits: native transformers classes only, eager attention, float32."""

from __future__ import annotations

import contextlib
import logging
import pickle
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from edgebench.converters.huggingface import torchvision_operators  # noqa: F401 (before transformers)
from edgebench.converters.huggingface.checkpoint import CONFIG, PROCESSOR, Checkpoint
from edgebench.converters.huggingface.timm_config import is_timm, read_timm
from edgebench.errors import MissingExtraError, UsageError

try:
    import torch
    import transformers
    from transformers.masking_utils import AttentionMaskInterface, eager_mask
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES
except ModuleNotFoundError as error:
    raise MissingExtraError(error.name or "torch", "huggingface", "a Hugging Face checkpoint") from error


TORCHVISION_ONLY = ("PPLCNetImageProcessor", "PPLCNetImageProcessorFast")


class Logits(torch.nn.Module):  # type: ignore[misc]  # torch carries no types here
    """Float32 pixels (batch, channels, height, width) -> logits (batch, classes), both heads averaged where two are.

    `channels_last` takes (batch, height, width, channels) instead, for targets that prefer it.
    """

    def __init__(self, network: torch.nn.Module, channels_last: bool = False) -> None:
        super().__init__()
        self.network = network
        self.channels_last = channels_last

    def forward(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """Return the logits."""
        if self.channels_last:
            pixel_values = pixel_values.permute(0, 3, 1, 2)
        made = self.network(pixel_values=pixel_values)
        logits = getattr(made, "logits", None)
        return made.last_hidden_state if logits is None else logits  # what PP-LCNet calls its logits


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence what transformers and torch say about themselves; their errors still raise."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    transformers.utils.logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


def read_network(checkpoint: Checkpoint) -> torch.nn.Module:
    """Build the classifier that the checkpoint describes and load its weights.

    Raises UsageError where it is no image classifier, asks for code of its own, or its weights do not fit.
    """
    if is_timm(checkpoint.config):
        return _timm(checkpoint)
    cls = _classifier(checkpoint)
    try:
        with quiet():
            network, report = cls.from_pretrained(
                checkpoint.folder,
                dtype=torch.float32,
                attn_implementation="eager",
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=not checkpoint.pickled,
                weights_only=True,
                output_loading_info=True,
            )
    except pickle.UnpicklingError as error:
        raise UsageError(
            f"{checkpoint.weights[0]} holds more than tensors, and loading it could run code: ask for safetensors"
        ) from error
    except Exception as error:  # transformers' classes raise whatever a wrong configuration leads to
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        if "ignore_mismatched_sizes" in str(error) or "size mismatch" in str(error):
            reason = f"the weights have other shapes than {CONFIG} says (num_labels, sizes): use its own {CONFIG}"
        raise UsageError(f"cannot load {checkpoint.folder} as {cls.__name__}: {reason}") from error
    _check_complete(checkpoint, network, report)
    AttentionMaskInterface.register("eager", _mask_unless_empty)
    _pool_globally(network)
    return network.eval()


def _timm(checkpoint: Checkpoint) -> torch.nn.Module:
    from edgebench.converters.huggingface.timm_network import read_timm_network  # timm is an extra of its own

    with quiet():
        return read_timm_network(checkpoint, read_timm(checkpoint.config, checkpoint.folder))


def for_export(network: torch.nn.Module) -> torch.nn.Module:
    """Return the network as it is converted: where branches only serve training, a copy with them folded."""
    return network.reparameterised() if hasattr(network, "reparameterised") else network


def logits(network: torch.nn.Module, pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the logits (images, classes) of float32 NCHW `pixels`."""
    with torch.inference_mode():
        return np.asarray(Logits(network).eval()(torch.from_numpy(pixels)).numpy(), np.float32)


def labels_of(network: torch.nn.Module) -> tuple[str, ...]:
    """Return the class names in output order; empty where the checkpoint only has placeholders (LABEL_0, ..)."""
    found = network.config.id2label or {}
    if not all(str(index).isdecimal() for index in found):
        return ()
    names = {int(index): str(name) for index, name in found.items()}
    if sorted(names) != list(range(network.config.num_labels)):
        return ()
    ordered = tuple(names[index] for index in range(len(names)))
    return () if all(name == f"LABEL_{index}" for index, name in enumerate(ordered)) else ordered


def read_processor(checkpoint: Checkpoint) -> Any:
    """Return transformers' own image processor for the checkpoint, its defaults filled in, Pillow only.

    Raises UsageError where there is none, or none that transformers has itself.
    """
    if checkpoint.processor is None:
        raise UsageError(f"{checkpoint.folder} has no {PROCESSOR}: copy it there, or say --preprocess")
    try:
        with quiet():
            kind = checkpoint.processor.get("image_processor_type")
            backend = "torchvision" if kind in TORCHVISION_ONLY else "pil"
            return transformers.AutoImageProcessor.from_pretrained(
                checkpoint.folder, backend=backend, local_files_only=True, trust_remote_code=False
            )
    except Exception as error:  # processors raise whatever a wrong setting leads to
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UsageError(f"cannot use {checkpoint.folder / PROCESSOR}: {reason}; say --preprocess instead") from error


def _classifier(checkpoint: Checkpoint) -> Any:
    """The transformers class of the checkpoint; never one from the checkpoint itself."""
    config, folder = checkpoint.config, checkpoint.folder
    kind = str(config.get("model_type", ""))
    if kind not in CONFIG_MAPPING_NAMES:
        if config.get("auto_map"):
            raise UsageError(
                f"{folder} brings code of its own (auto_map) for model_type {kind!r}, which edgebench never runs: "
                "use a checkpoint of an architecture that transformers has itself"
            )
        raise UsageError(f"{folder}: transformers {transformers.__version__} has no model_type {kind!r}")
    native = MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES.get(kind, ())
    native = (native,) if isinstance(native, str) else tuple(native)
    named = config.get("architectures") or []
    name = next((entry for entry in named if entry in native), None)
    if name is None:
        expected = f"expected {' or '.join(native)}" if native else f"{kind} has no image classifier in transformers"
        if config.get("auto_map"):
            expected += "; edgebench never runs the checkpoint's own code (auto_map)"
        raise UsageError(
            f"{folder} is {', '.join(map(str, named)) or 'without architectures'}, no image classifier: {expected}"
        )
    return getattr(transformers, name)


def _mask_unless_empty(*args: Any, **kwargs: Any) -> torch.Tensor | None:
    """Return eager attention's mask; None where every patch sees every other, and nothing would be added.

    So does transformers itself, except while a graph is exported: then a sum with zeros is left in every layer, and
    with it two operators that neither XNNPACK nor LiteRT's GPU takes.
    """
    if kwargs.get("allow_is_bidirectional_skip") and kwargs.get("attention_mask") is None:
        return None
    return eager_mask(*args, **kwargs)


def _pool_globally(network: torch.nn.Module) -> None:
    """EfficientNet averages over a window as wide as its channels: all there is, yet nothing is left of it in int8."""
    size = getattr(network.config, "image_size", None)
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            whole = isinstance(child, torch.nn.AvgPool2d) and child.ceil_mode and isinstance(child.kernel_size, int)
            if whole and isinstance(size, int) and child.kernel_size >= size:
                setattr(parent, name, torch.nn.AdaptiveAvgPool2d(1))


def _check_complete(checkpoint: Checkpoint, network: torch.nn.Module, report: dict[str, Any]) -> None:
    """Weights that the file lacks would be random numbers."""
    parameters = {name for name, _ in network.named_parameters()}
    lacking = sorted(parameters & ({str(key) for key in report["missing_keys"]} | _mismatched(report)))
    if lacking:
        raise UsageError(
            f"{checkpoint.weights[0]} lacks {len(lacking)} of {len(parameters)} weights ({lacking[0]}, ..): it is no "
            f"trained {type(network).__name__}"
        )


def _mismatched(report: dict[str, Any]) -> set[str]:
    return {str(key[0] if isinstance(key, tuple) else key) for key in report["mismatched_keys"]}
