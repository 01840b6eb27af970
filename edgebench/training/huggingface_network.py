"""A Hugging Face classifier to train: its weights or fresh ones, its head or heads, and it as a checkpoint again."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from edgebench.converters.huggingface.checkpoint import CONFIG, PROCESSOR, open_checkpoint
from edgebench.converters.huggingface.source import locate
from edgebench.converters.huggingface.timm_config import is_timm
from edgebench.errors import MissingExtraError, UsageError
from edgebench.training.job import Job

try:
    from edgebench.converters.huggingface import torchvision_operators  # noqa: F401  # isort: skip (before transformers)
    import torch
    import transformers

    from edgebench.converters.huggingface.network import quiet
except ModuleNotFoundError as error:
    raise MissingExtraError(error.name or "torch", "huggingface", "training a Hugging Face checkpoint") from error

HEADS = (
    ("classifier", "classifier_distill"),
    ("cls_classifier", "distillation_classifier"),
    ("classifier",),
    ("head",),
    ("fc",),
)
"""Names of the last layers of a network; one that learned from a teacher has two, whose logits it averages."""


class Head(torch.nn.Module):  # type: ignore[misc]
    """The head alone, on cached features."""

    def __init__(self, head: Any) -> None:
        super().__init__()
        self.head = head

    def forward(self, pixel_values: Any, labels: Any = None) -> dict[str, torch.Tensor]:
        """Return logits; the loss is the Trainer's."""
        del labels
        return {"logits": self.head(pixel_values)}


class Whole(torch.nn.Module):  # type: ignore[misc]
    """The whole network; where its base is frozen all but the head stays in evaluation mode."""

    def __init__(self, network: Any, frozen: bool, keeps_statistics: bool = True) -> None:
        super().__init__()
        self.network, self.frozen, self.keeps_statistics = network, frozen, keeps_statistics

    def forward(self, pixel_values: Any, labels: Any = None) -> dict[str, torch.Tensor]:
        """Return logits; the loss is the Trainer's."""
        del labels
        return {"logits": self.network(pixel_values=pixel_values).logits}

    def train(self, mode: bool = True) -> Any:
        """Batch normalisations learn no new statistics where the weights were pretrained."""
        super().train(mode and not self.frozen)
        if mode and self.frozen:
            for part in heads_of(self.network).values():
                part.train(mode)
        if self.keeps_statistics:
            for module in self.network.modules():
                if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                    module.eval()
        return self


def heads_of(network: Any) -> dict[str, torch.nn.Module]:
    """Return the classifiers at the end of a network by their names. Raises UsageError where none is known."""
    if hasattr(network, "reparameterised"):
        return dict(_timm().timm_heads(network))
    for names in HEADS:
        found = {name: getattr(network, name, None) for name in names}
        if all(isinstance(module, torch.nn.Module) for module in found.values()):
            return found
    known = ", ".join(name for name, _ in network.named_children())
    raise UsageError(f"{type(network).__name__} has no head that edgebench knows (its parts: {known})")


def build(job: Job) -> Any:
    """Build the classifier with a new head, and load the checkpoint's weights where they are wanted."""
    folder = locate(job.base.checkpoint)
    classes = job.data.classes
    labels = {
        "num_labels": len(classes),
        "id2label": dict(enumerate(classes)),
        "label2id": {name: index for index, name in enumerate(classes)},
    }
    torch.manual_seed(job.training.seed)
    try:
        network = _build(folder, labels, not job.base.pretrained)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UsageError(f"cannot train {folder}: {reason}") from error
    heads = heads_of(network)
    if job.base.pretrained:  # a head for as many classes must begin afresh, too
        torch.manual_seed(job.training.seed)
        for module in (module for head in heads.values() for module in head.modules()):
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
    return network


def _build(folder: Path, labels: dict[str, object], fresh: bool) -> Any:
    checkpoint = open_checkpoint(folder)
    if is_timm(checkpoint.config):
        return _timm().build_timm(checkpoint, labels["num_labels"], fresh)
    return _fresh(folder, labels) if fresh else _pretrained(folder, labels)


def _timm() -> Any:
    from edgebench.training import timm_network  # timm is an extra of its own

    return timm_network


def _fresh(folder: Path, labels: dict[str, object]) -> Any:
    config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    config.update(labels)
    return transformers.AutoModelForImageClassification.from_config(config, attn_implementation="eager")


def _pretrained(folder: Path, labels: dict[str, object]) -> Any:
    return transformers.AutoModelForImageClassification.from_pretrained(
        folder,
        ignore_mismatched_sizes=True,
        dtype=torch.float32,
        attn_implementation="eager",
        local_files_only=True,
        trust_remote_code=False,
        use_safetensors=not open_checkpoint(folder).pickled,
        weights_only=True,
        **labels,
    )


def save(network: Any, job: Job, folder: Path) -> None:
    """Write the checkpoint with its base's processor, beside it first, then moved file by file."""
    source, temporary = open_checkpoint(locate(job.base.checkpoint)), folder / ".checkpoint.tmp"
    try:
        if is_timm(source.config):
            _timm().save_timm(network, job.data.classes, temporary)
        else:
            with quiet():
                network.save_pretrained(temporary)
            shutil.copyfile(source.folder / PROCESSOR, temporary / PROCESSOR)
        for file in sorted(temporary.iterdir(), key=lambda file: file.name == CONFIG):
            file.replace(folder / file.name)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
