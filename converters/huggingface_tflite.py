"""torch -> TFLite through litert-torch, with tensor names cut to what a reader needs."""

from __future__ import annotations

import os
from typing import Any

import torch
from ai_edge_litert.tools import flatbuffer_utils

os.environ.setdefault("LITERT_TORCH_SHOW_PROGRESS", "n")

import litert_torch

ENDS = "serving_default_"
"""What the names of a signature's inputs and outputs begin with; they stay."""


def tflite_bytes(module: torch.nn.Module, shape: tuple[int, ...], input_name: str) -> bytes:
    """Return `module`, traced on one input of `shape`, its argument `input_name`, as a float32 .tflite."""
    content = litert_torch.convert(module, sample_kwargs={input_name: torch.zeros(shape)}).model_content()
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    for graph in model.subgraphs:
        _shorten(graph.tensors)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _shorten(tensors: list[Any]) -> None:
    """Each name is the whole chain of Python classes, several times: a sixth of a small file. Names stay unique."""
    used: set[str] = set()
    for tensor in tensors:
        name = tensor.name.decode(errors="replace")
        if not name.startswith(ENDS):
            name = short_name(name)
        unique, count = name, 1
        while unique in used:
            count += 1
            unique = f"{name}:{count}"
        used.add(unique)
        tensor.name = unique.encode()


def short_name(name: str) -> str:
    """`a.b.Logits/c.d.ViTModel_vit/e.f.Linear_fc1;..` -> `vit.fc1`: the module's own path, as torch names it."""
    parts = [segment.rpartition(".")[2].partition("_")[2] for segment in name.partition(";")[0].split("/")[1:]]
    return ".".join(part for part in parts if part) or name[:40]
