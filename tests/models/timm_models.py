"""timm models with random weights whose logits depend on the image, saved as the hub's repositories are."""

from __future__ import annotations

import json
from pathlib import Path

import torch
import transformers

import edgebench.converters.huggingface.torchvision_operators  # noqa: F401 (before timm)

CLASSES = 10
TIMM = {
    "mobilenetv4_conv_small": 64,
    "vit_tiny_patch16_224": 64,
    "efficientnet_b0": 64,
    "repvgg_a0": 64,
    "fastvit_t8": 64,
    "edgenext_xx_small": 64,
    "convnext_atto": 64,
    "mobileone_s0": 64,
    "regnety_002": 64,
    "ghostnet_100": 64,
    "resnet18": 64,
}
"""timm's models and the size that they are built for."""


def timm_checkpoint(name: str, folder: Path, transformers_form: bool = False) -> Path:
    """Write one of TIMM as timm's own `save_for_hf` does, or as transformers' TimmWrapper."""
    import timm
    from timm.models import save_for_hf

    torch.manual_seed(0)
    size = TIMM[name]
    arguments = {"img_size": size} if name.startswith("vit") else {}
    network = timm.create_model(name, num_classes=CLASSES, **arguments)
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(16, 3, size, size, generator=generator)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                module.momentum = None
        network.train()(images)
        network.eval()
        spread = network(images).std(0).mean()
        network.get_classifier().weight.div_(spread)
    save_for_hf(network, str(folder), safe_serialization=True, data_config={"input_size": (3, size, size)})
    if transformers_form:
        config = json.loads((folder / "config.json").read_text())
        del config["model_args"]["num_classes"]  # transformers gives it once more and stumbles
        (folder / "config.json").write_text(json.dumps(config))
        wrapped = transformers.TimmWrapperForImageClassification.from_pretrained(folder)
        wrapped.save_pretrained(folder)
    return folder
