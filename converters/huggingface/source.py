"""From a checkpoint folder or `hf:owner/name[@revision]` to a `Source`, without torch or transformers."""

from __future__ import annotations

import hashlib
from pathlib import Path

from edgebench.converters.huggingface.checkpoint import (
    ADAPTER,
    CONFIG,
    NESTED_PROCESSOR,
    PICKLED,
    PROCESSOR,
    SAFETENSORS,
    open_checkpoint,
    trainer_checkpoints,
)
from edgebench.files import exists, sha256_file
from edgebench.records import Source

HUB = "hf:"
_FRAMEWORK = ("torch", "transformers", "timm")
TOOLS = {
    "savedmodel": (*_FRAMEWORK, "litert-torch", "tensorflow"),
    "tflite": (*_FRAMEWORK, "litert-torch", "ai-edge-quantizer", "ai-edge-litert"),
    "onnx": (*_FRAMEWORK, "onnxscript", "onnx", "onnxruntime", "onnxconverter-common"),
}


def resolve(text: str, options: tuple[tuple[str, str], ...] = ()) -> Source:
    """Return the Source of a checkpoint; its hash covers the configuration, the processor file and the weights.

    Raises UsageError where the checkpoint is missing, truncated, or neither cached nor reachable.
    """
    checkpoint = open_checkpoint(locate(text))
    folder = checkpoint.folder
    processor = [checkpoint.processor_file] if checkpoint.processor_file else []
    files = [folder / CONFIG, *processor, *checkpoint.weights]
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.name}\0{sha256_file(file)}\n".encode())
    spec = text if text.startswith(HUB) else str(folder.resolve())
    return Source(converter="huggingface", spec=spec, sha256=digest.hexdigest(), options=options)


def looks_like(folder: Path) -> bool:
    """Whether the folder is meant as a Hugging Face checkpoint, whole or not."""
    names = (CONFIG, PROCESSOR, NESTED_PROCESSOR, SAFETENSORS, PICKLED, ADAPTER)
    return exists(folder) and (any((folder / name).is_file() for name in names) or bool(trainer_checkpoints(folder)))


def locate(spec: str) -> Path:
    """Return the checkpoint folder behind a path or `hf:owner/name[@revision]`."""
    if not spec.startswith(HUB):
        return Path(spec).expanduser()
    from edgebench.converters.huggingface.hub import folder_of  # a local folder does not need the hub's client

    return folder_of(spec)
