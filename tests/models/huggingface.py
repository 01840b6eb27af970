"""kB-size Hugging Face checkpoints with random weights whose logits depend on the image and have unit-ish variance."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import transformers

import edgebench.converters.huggingface.torchvision_operators  # noqa: F401 (before transformers loads a model)
from edgebench.converters.huggingface.network import Logits
from tests.models.timm_models import TIMM, timm_checkpoint

CLASSES = 10
TRANSFORMER = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
WITHOUT_WIDTH = {key: value for key, value in TRANSFORMER.items() if key != "intermediate_size"}
VISION = {"image_size": 32, "patch_size": 8, **TRANSFORMER}
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
            {"patch_size": 8, "mlp_ratio": 2, **WITHOUT_WIDTH},
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


MORE = {
    each.name: each
    for each in (
        Architecture(
            "convnextv2",
            "ConvNextV2ForImageClassification",
            {"patch_size": 2, "hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 2, 1]},
        ),
        Architecture(
            "swinv2",
            "Swinv2ForImageClassification",
            {"patch_size": 2, "embed_dim": 16, "depths": [2, 2], "num_heads": [2, 4], "window_size": 4},
        ),
        Architecture(
            "dinov2-registers",
            "Dinov2WithRegistersForImageClassification",
            {
                "patch_size": 8,
                "mlp_ratio": 2,
                "num_register_tokens": 2,
                **WITHOUT_WIDTH,
            },
        ),
        Architecture("siglip", "SiglipForImageClassification", {"vision_config": VISION}),
        Architecture("clip", "CLIPForImageClassification", {"vision_config": VISION}),
        Architecture("metaclip2", "MetaClip2ForImageClassification", {"vision_config": VISION}),
        Architecture(
            "segformer",
            "SegformerForImageClassification",
            {
                "hidden_sizes": [8, 16, 24, 32],
                "depths": [1, 1, 1, 1],
                "num_attention_heads": [1, 1, 2, 2],
                "decoder_hidden_size": 16,
            },
        ),
        Architecture(
            "focalnet",
            "FocalNetForImageClassification",
            {
                "patch_size": 2,
                "embed_dim": 8,
                "depths": [1, 1],
                "focal_levels": [2, 2],
                "focal_windows": [3, 3],
                "hidden_sizes": [8, 16],
            },
        ),
        Architecture(
            "hgnet_v2",
            "HGNetV2ForImageClassification",
            {
                "embedding_size": 8,
                "hidden_sizes": [16, 24, 32, 40],
                "depths": [1, 1, 1, 1],
                "stem_channels": [3, 8, 8],
                "stage_in_channels": [8, 16, 24, 32],
                "stage_mid_channels": [8, 8, 16, 16],
                "stage_out_channels": [16, 24, 32, 40],
                "stage_num_blocks": [1, 1, 1, 1],
                "stage_numb_of_layers": [2, 2, 2, 2],
                "stage_downsample": [False, True, True, True],
                "stage_light_block": [False, False, True, True],
                "stage_kernel_size": [3, 3, 5, 5],
            },
        ),
        Architecture(
            "pvt",
            "PvtForImageClassification",
            {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1], "num_attention_heads": [1, 1, 2, 2]},
            size=64,
        ),
        Architecture(
            "pvt_v2",
            "PvtV2ForImageClassification",
            {"hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 1, 1], "num_attention_heads": [1, 1, 2, 2]},
            size=64,
        ),
        Architecture(
            "hiera",
            "HieraForImageClassification",
            {"image_size": [64, 64], "embed_dim": 16, "depths": [1, 1, 2, 1], "num_heads": [1, 2, 2, 4]},
            size=64,
        ),
        Architecture(
            "swiftformer",
            "SwiftFormerForImageClassification",
            {"depths": [1, 1, 1, 1], "embed_dims": [16, 24, 32, 48]},
            size=64,
        ),
        Architecture("vit_msn", "ViTMSNForImageClassification", {"patch_size": 8, **TRANSFORMER}),
        Architecture("data2vec", "Data2VecVisionForImageClassification", {"patch_size": 8, **TRANSFORMER}),
        Architecture(
            "bit",
            "BitForImageClassification",
            {"embedding_size": 32, "hidden_sizes": [32, 64], "depths": [1, 1], "num_groups": 8},
        ),
        Architecture(
            "textnet",
            "TextNetForImageClassification",
            {
                "stem_out_channels": 8,
                "conv_layer_kernel_sizes": [[[3, 3]], [[3, 3]], [[3, 1]], [[1, 3]]],
                "conv_layer_strides": [[1], [2], [2], [2]],
                "hidden_sizes": [8, 8, 16, 24, 32],
            },
            size=64,
        ),
        Architecture(
            "perceiver",
            "PerceiverForImageClassificationLearned",
            {
                "num_latents": 8,
                "d_latents": 32,
                "d_model": 32,
                "num_blocks": 1,
                "num_self_attends_per_block": 1,
                "num_self_attention_heads": 2,
                "num_cross_attention_heads": 1,
            },
        ),
        Architecture(
            "mobilevitv2",
            "MobileViTV2ForImageClassification",
            {"width_multiplier": 0.25, "n_attn_blocks": [1, 1, 1]},
            size=64,
        ),
        Architecture(
            "cvt",
            "CvtForImageClassification",
            {"embed_dim": [8, 16, 32], "num_heads": [1, 2, 2], "depth": [1, 2, 3]},
            size=64,
        ),
        Architecture("pp_lcnet", "PPLCNetForImageClassification", {"scale": 0.25}, size=64),
        Architecture("ijepa", "IJepaForImageClassification", {"patch_size": 8, **TRANSFORMER}),
        Architecture(
            "donut-swin",
            "DonutSwinForImageClassification",
            {"patch_size": 2, "embed_dim": 16, "depths": [2, 2], "num_heads": [2, 4], "window_size": 4},
        ),
    )
}
"""Rows of the table of architectures that the tests do not convert one by one."""

REFUSED = {
    "siglip2": (
        "Siglip2ForImageClassification",
        {"vision_config": {**TRANSFORMER, "patch_size": 8, "num_patches": 16}},
        {"image_processor_type": "Siglip2ImageProcessor", "patch_size": 8, "max_num_patches": 16},
    ),
    "imagegpt": (
        "ImageGPTForImageClassification",
        {"vocab_size": 17, "n_positions": 64, "n_embd": 32, "n_layer": 1, "n_head": 2},
        {"image_processor_type": "ImageGPTImageProcessor", "clusters": [[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]},
    ),
}
"""name -> class, configuration and processor of what takes no picture as its input; rows of the table with a reason."""


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
        spread = Logits(network)(images).std(0).mean()
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
    """Write the checkpoint of one of ARCHITECTURES, MORE, TIMM or REFUSED into `folder`."""
    if name in TIMM:
        return timm_checkpoint(name, folder)
    if name in REFUSED:
        model, options, processor = REFUSED[name]
        cls = getattr(transformers, model)
        return save(cls(cls.config_class(num_labels=CLASSES, **options)), folder, 32, **processor)
    architecture = {**ARCHITECTURES, **MORE}[name]
    return save(architecture.network(), folder, architecture.size)
