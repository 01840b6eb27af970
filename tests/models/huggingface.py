"""kB-size Hugging Face checkpoints with random weights whose logits depend on the image and have unit-ish variance."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import transformers

import edgebench.converters.huggingface.torchvision_operators  # noqa: F401 (before transformers loads a model)

CLASSES = 10
TRANSFORMER = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
CONVOLUTIONAL = {"embedding_size": 8, "hidden_sizes": [16, 24, 32], "depths": [1, 1, 1]}
LEVIT = {
    "hidden_sizes": [16, 24, 32],
    "num_attention_heads": [2, 2, 2],
    "depths": [1, 1, 1],
    "key_dim": [8, 8, 8],
}


@dataclass(frozen=True)
class Architecture:
    """A transformers classifier and the small configuration it is built with."""

    name: str
    model: str
    options: dict[str, Any] = field(default_factory=dict)
    size: int = 32

    def network(self) -> Any:
        """Build it, seeded, in evaluation mode."""
        cls = getattr(transformers, self.model)
        options = {"image_size": self.size, "num_channels": 3, "num_labels": CLASSES, **self.options}
        torch.manual_seed(0)
        return enliven(cls(cls.config_class(**options)), self.size)


ARCHITECTURES = {
    each.name: each
    for each in (
        Architecture("vit", "ViTForImageClassification", {"patch_size": 8, **TRANSFORMER}),
        Architecture("deit", "DeiTForImageClassification", {"patch_size": 8, **TRANSFORMER}),
        Architecture("deit-teacher", "DeiTForImageClassificationWithTeacher", {"patch_size": 8, **TRANSFORMER}),
        Architecture(
            "beit",
            "BeitForImageClassification",
            {"patch_size": 8, "use_relative_position_bias": True, "use_mean_pooling": True, **TRANSFORMER},
        ),
        Architecture(
            "dinov2",
            "Dinov2ForImageClassification",
            {"patch_size": 8, "mlp_ratio": 2, **{k: v for k, v in TRANSFORMER.items() if k != "intermediate_size"}},
        ),
        Architecture(
            "swin",
            "SwinForImageClassification",
            {"patch_size": 2, "embed_dim": 16, "depths": [2, 2], "num_heads": [2, 4], "window_size": 4},
        ),
        Architecture(
            "convnext",
            "ConvNextForImageClassification",
            {"patch_size": 2, "hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 2, 1]},
        ),
        Architecture("resnet", "ResNetForImageClassification", CONVOLUTIONAL),
        Architecture("regnet", "RegNetForImageClassification", {"groups_width": 8, **CONVOLUTIONAL}),
        Architecture("mobilenet_v1", "MobileNetV1ForImageClassification", {"depth_multiplier": 0.25}),
        Architecture("mobilenet_v2", "MobileNetV2ForImageClassification", {"depth_multiplier": 0.25}),
        Architecture(
            "mobilevit",
            "MobileViTForImageClassification",
            {
                "hidden_sizes": [16, 24, 32],
                "neck_hidden_sizes": [8, 8, 16, 16, 24, 32, 64],
                "num_attention_heads": 2,
            },
        ),
        Architecture(
            "efficientnet",
            "EfficientNetForImageClassification",
            {
                "width_coefficient": 0.5,
                "depth_coefficient": 0.5,
                "hidden_dim": 640,
                "kernel_sizes": [3, 5, 3],
                "in_channels": [32, 16, 24],
                "out_channels": [16, 24, 40],
                "strides": [1, 2, 2],
                "num_block_repeats": [1, 2, 1],
                "expand_ratios": [1, 6, 6],
            },
        ),
        Architecture("levit", "LevitForImageClassification", LEVIT, size=64),
        Architecture("levit-teacher", "LevitForImageClassificationWithTeacher", LEVIT, size=64),
        Architecture(
            "poolformer",
            "PoolFormerForImageClassification",
            {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1]},
        ),
    )
}


def enliven(network: Any, size: int) -> Any:
    """Redraw every weight so that signals keep their variance to the end: as built, many such nets give 1e-30.

    Batch norms take their statistics from random images; the heads are scaled to logits of unit variance.
    """
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(32, 3, size, size, generator=generator)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            noise = torch.randn(weight.shape, generator=generator)
            if name.endswith(("token", "embeddings")):
                weight.copy_(0.5 * noise)
            elif weight.ndim >= 2:
                weight.copy_(1.3 * noise * weight[0].numel() ** -0.5)
            else:
                weight.copy_(0.1 * noise if name.endswith("bias") else 1 + 0.2 * noise)
        for module in network.modules():
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                module.momentum = None  # the plain average of what it sees
        network.train()(images)
        network.eval()
        spread = network(images).logits.std(0).mean()
        for module in network.modules():
            if isinstance(module, torch.nn.Linear) and module.out_features == CLASSES:
                module.weight.div_(spread)
    return network


def save(network: Any, folder: Path, size: int, **processor: Any) -> Path:
    """Write a checkpoint folder with a plain image processor (or the entries given) beside the weights."""
    network.save_pretrained(folder)
    settings = {
        "image_processor_type": "ViTImageProcessor",
        "size": {"height": size, "width": size},
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.25, 0.25, 0.25],
        **processor,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    return folder


def checkpoint(name: str, folder: Path) -> Path:
    """Write the checkpoint of one of ARCHITECTURES into `folder`."""
    architecture = ARCHITECTURES[name]
    return save(architecture.network(), folder, architecture.size)
