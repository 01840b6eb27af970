"""A tiny vision transformer trained on the digits with transformers, saved as any Hugging Face checkpoint is.

What `edgebench demo --huggingface` takes the whole way beside the Keras models; needs the `huggingface` extra.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgebench.demo.models import NAMES, SEED, Report, digits, resized, shifted
from edgebench.errors import MissingExtraError
from edgebench.records import Preprocessing
from edgebench.runner.preprocess import normalise

NAME = "digits-vit"
PIXELS = 32
EPOCHS = 40
BATCH = 64
LEARNING_RATE = 1e-3
PROCESSOR = {
    "image_processor_type": "ViTImageProcessor",
    "do_resize": True,
    "size": {"height": PIXELS, "width": PIXELS},
    "resample": 2,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}
RULE = Preprocessing("huggingface", scale=1 / 255, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


def train(directory: Path, report: Report = lambda _: None, epochs: int = EPOCHS) -> Path:
    """Train the network, about a minute on two cores, and return its checkpoint folder in `directory`."""
    try:
        import torch

        from edgebench.converters.huggingface import torchvision_operators  # noqa: F401 (before transformers)

        import transformers  # isort: skip
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or "torch", "huggingface", "the demo's Hugging Face model") from error

    transformers.utils.logging.disable_progress_bar()
    torch.manual_seed(SEED)
    torch.set_num_threads(1)  # as fast for so small a net, and it does not spin on a busy machine
    train_images, train_labels, test_images, test_labels = digits()
    shape = (PIXELS, PIXELS, 3)
    inputs, tests = resized(train_images, shape), resized(test_images, shape)
    network = build()
    count = sum(parameter.numel() for parameter in network.parameters())
    report(f"training {NAME}: {count:,} parameters, {len(inputs)} images, {epochs} epochs")
    _fit(network, inputs, train_labels, epochs, report)
    with torch.inference_mode():
        logits = network(torch.from_numpy(normalise(tests, RULE, "NCHW"))).logits.numpy()
    report(f"  {np.mean(logits.argmax(1) == test_labels):.1%} of {len(tests)} test images right")
    return save(network, directory / NAME)


def build() -> Any:
    """The untrained network: 16 patches of 8x8 pixels, two layers of width 160."""
    from transformers import ViTConfig, ViTForImageClassification

    names = [f"{index}-{name}" for index, name in enumerate(NAMES)]
    return ViTForImageClassification(
        ViTConfig(
            image_size=PIXELS,
            patch_size=8,
            hidden_size=160,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=640,
            id2label=dict(enumerate(names)),
            label2id={name: index for index, name in enumerate(names)},
        )
    )


def save(network: Any, folder: Path) -> Path:
    """Write config.json, model.safetensors and preprocessor_config.json."""
    network.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(PROCESSOR, indent=1) + "\n")
    return folder


def _fit(
    network: Any, images: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64], epochs: int, report: Report
) -> None:
    import torch

    steps = epochs * -(-len(images) // BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), LEARNING_RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps, pct_start=0.1)
    generator = np.random.default_rng(SEED)
    targets = torch.from_numpy(labels)
    for epoch in range(epochs):
        network.train()
        moved = shifted(images, generator)
        for rows in np.array_split(generator.permutation(len(images)), steps // epochs):
            pixels = torch.from_numpy(normalise(moved[rows], RULE, "NCHW"))
            loss = torch.nn.functional.cross_entropy(network(pixels).logits, targets[rows], label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        if (epoch + 1) % 10 == 0:
            report(f"  epoch {epoch + 1} of {epochs}")
    network.eval()
