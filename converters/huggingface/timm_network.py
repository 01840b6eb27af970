"""A timm checkpoint as a torch module: timm's own factory and weight filters, attention that every exporter takes."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

from edgebench.converters.huggingface import torchvision_operators  # noqa: F401 (before timm)
from edgebench.converters.huggingface.checkpoint import Checkpoint
from edgebench.converters.huggingface.timm_config import TimmConfig
from edgebench.errors import MissingExtraError, UsageError

try:
    import timm
    import torch
    from safetensors.torch import load_file
    from timm.models import PretrainedCfg
    from timm.models import reparameterize_model as _reparameterize
except ModuleNotFoundError as error:
    raise MissingExtraError(error.name or "timm", "timm", "a timm checkpoint") from error

WRAPPED = "timm_model."
"""What transformers puts before the names of a timm model's weights."""
ELSEWHERE = ("url", "file", "state_dict", "hf_hub_id", "hf_hub_filename", "source", "custom_load")
"""Entries of `pretrained_cfg` that say where weights come from: never followed."""


class TimmClassifier(torch.nn.Module):  # type: ignore[misc]  # torch carries no types here
    """A timm model behind the two things that a transformers classifier has: `config` and `.logits`."""

    def __init__(self, model: torch.nn.Module, config: TimmConfig) -> None:
        super().__init__()
        self.model = model
        channels, height, width = config.input_size
        self.config = SimpleNamespace(
            num_channels=channels,
            num_labels=config.classes,
            image_size=(height, width),
            id2label=dict(enumerate(config.labels)),
        )

    @property
    def device(self) -> torch.device:
        """Where the weights are, as transformers' models say it."""
        return next(self.parameters()).device

    def forward(self, pixel_values: torch.Tensor) -> SimpleNamespace:
        """Return the logits as transformers does."""
        return SimpleNamespace(logits=self.model(pixel_values))

    def reparameterised(self) -> TimmClassifier:
        """Return a copy whose training-time branches are folded (RepVGG, FastViT, MobileOne): the same function."""
        copy = TimmClassifier.__new__(TimmClassifier)
        torch.nn.Module.__init__(copy)
        copy.model, copy.config = _reparameterize(self.model), self.config
        copy.eval()
        return copy


def read_timm_network(checkpoint: Checkpoint, config: TimmConfig, fresh: bool = False) -> TimmClassifier:
    """Build the model and load its weights, or leave it with `fresh` random ones.

    Raises UsageError where timm does not know it, or the weights do not fit it one by one.
    """
    if not timm.is_model(config.architecture.split(".")[0]):
        near = timm.list_models(f"*{config.architecture.split('_')[0]}*")[:5]
        hint = f"; it has {', '.join(near)}, .." if near else ""
        raise UsageError(f"{checkpoint.folder}: timm {timm.__version__} has no {config.architecture!r}{hint}")
    timm.layers.set_fused_attn(False)
    known = {field.name for field in dataclasses.fields(PretrainedCfg)}.difference(ELSEWHERE)
    pretrained = {name: value for name, value in config.pretrained.items() if name in known}
    pretrained |= {"num_classes": config.classes, "input_size": config.input_size, "custom_load": False}
    arguments = {**config.arguments, "num_classes": config.classes}
    if config.input_size[0] != 3:
        arguments["in_chans"] = config.input_size[0]
    try:
        if not fresh:
            pretrained["state_dict"] = _weights(checkpoint)
        model = timm.create_model(
            config.architecture, pretrained=not fresh, pretrained_cfg=pretrained, exportable=True, **arguments
        )
    except UsageError:
        raise
    except Exception as error:  # timm's factories raise whatever a wrong argument leads to
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise UsageError(f"cannot load {checkpoint.folder} as timm's {config.architecture}: {reason}") from error
    network = TimmClassifier(model, config)
    network.eval()
    return network


def _weights(checkpoint: Checkpoint) -> dict[str, object]:
    tensors: dict[str, object] = {}
    for file in checkpoint.weights:
        tensors |= (
            torch.load(file, map_location="cpu", weights_only=True) if checkpoint.pickled else load_file(str(file))
        )
    if not tensors:
        raise UsageError(f"{checkpoint.weights[0]} holds no weights: download it again")
    return {name.removeprefix(WRAPPED): tensor for name, tensor in tensors.items()}
