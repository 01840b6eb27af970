"""A timm checkpoint to train: timm's own way to give it a new head, and its own form of writing it down."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from edgebench.converters.huggingface.checkpoint import Checkpoint
from edgebench.converters.huggingface.timm_config import read_timm
from edgebench.converters.huggingface.timm_network import TimmClassifier, read_timm_network

import timm.models  # isort: skip  # after timm_network, which makes torchvision loadable and names the missing extra


def build_timm(checkpoint: Checkpoint, classes: int, fresh: bool) -> TimmClassifier:
    """Build the model with a new head for so many classes, all else from the checkpoint or `fresh` at random."""
    network = read_timm_network(checkpoint, read_timm(checkpoint.config, checkpoint.folder), fresh)
    network.model.reset_classifier(classes)
    return network


def timm_heads(network: TimmClassifier) -> dict[str, Any]:
    """Return the classifiers at the end by the names of their weights; one that learned from a teacher has two."""
    found = network.model.get_classifier()
    heads = found if isinstance(found, tuple) else (found,)
    return {name: module for name, module in network.named_modules() if any(module is head for head in heads)}


def save_timm(network: TimmClassifier, classes: tuple[str, ...], folder: Path) -> None:
    """Write the checkpoint in timm's own form, its preprocessing in config.json as it was."""
    timm.models.save_for_hf(
        network.model, str(folder), model_config={"label_names": list(classes)}, safe_serialization=True
    )
