"""The files of a Hugging Face checkpoint: found and checked without torch or transformers.

A checkpoint is a folder with `config.json`, weights as safetensors (`.bin` only where no safetensors exists) and
`preprocessor_config.json`. Everything in it is input: only JSON and tensor headers are read here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgebench.errors import UsageError
from edgebench.files import read_json

CONFIG = "config.json"
PROCESSOR = "preprocessor_config.json"
NESTED_PROCESSOR = "processor_config.json"
"""Newer transformers keep the image processor in here, under `image_processor`; it wins where both are."""
ADAPTER = "adapter_config.json"
SAFETENSORS = "model.safetensors"
PICKLED = "pytorch_model.bin"
MAX_JSON_BYTES = 16 * 1024 * 1024
MAX_HEADER_BYTES = 100_000_000
"""The largest header that the safetensors library itself accepts."""


@dataclass(frozen=True)
class Checkpoint:
    """A checked checkpoint folder. `weights` are all shards; `pickled` where they are `.bin` files."""

    folder: Path
    config: dict[str, Any]
    weights: tuple[Path, ...]
    pickled: bool
    processor: dict[str, Any] | None
    processor_file: Path | None = None


def open_checkpoint(folder: Path) -> Checkpoint:
    """Check the files of a checkpoint folder.

    Raises UsageError where a file is missing, truncated or no JSON, where only the download of a large file is there
    (a Git LFS pointer), or where the model is code in the checkpoint.
    """
    if not folder.is_dir():
        raise UsageError(f"no checkpoint at {folder}: expected a folder with {CONFIG} and {SAFETENSORS}")
    if not (folder / CONFIG).is_file():
        raise UsageError(_no_config(folder))
    config = read_config(folder / CONFIG)
    _check_float(config, folder)
    weights, pickled = _weights(folder)
    for file in weights:
        _check_whole(file, pickled)
    return Checkpoint(folder, config, weights, pickled, *_processor(folder))


def trainer_checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoint-N folders that transformers' Trainer left in its output folder, the last one first."""
    found = [p for p in folder.glob("checkpoint-*") if p.name.rpartition("-")[2].isdecimal() and (p / CONFIG).is_file()]
    return sorted(found, key=lambda p: int(p.name.rpartition("-")[2]), reverse=True)


def _no_config(folder: Path) -> str:
    if (folder / ADAPTER).is_file():
        return (
            f"{folder} is a PEFT adapter without its base model: merge the two (model.merge_and_unload()), save the "
            "whole with save_pretrained, and give that folder"
        )
    if steps := trainer_checkpoints(folder):
        return f"{folder} is a Trainer's output folder with {len(steps)} checkpoints: give one, for example {steps[0]}"
    return f"{folder} has no {CONFIG}: a Hugging Face checkpoint is what save_pretrained writes"


def _check_float(config: dict[str, Any], folder: Path) -> None:
    """Refuse weights that are quantised already; every precision here is made from the float model."""
    scheme = config.get("quantization_config")
    if scheme:
        kind = scheme.get("quant_method", "") if isinstance(scheme, dict) else ""
        raise UsageError(
            f"{folder} is quantised already ({kind or 'quantization_config'} in {CONFIG}): give the float checkpoint "
            "that it was made from, and edgebench makes the smaller ones"
        )
    named = config.get("architectures")
    if named is not None and not (isinstance(named, list) and all(isinstance(name, str) for name in named)):
        raise UsageError(
            f"{folder}: architectures in {CONFIG} is {str(named)[:80]!r}, expected a list such as "
            '["ViTForImageClassification"]: mend the file'
        )


def _processor(folder: Path) -> tuple[dict[str, Any] | None, Path | None]:
    """The image processor's settings and their file, as transformers finds them."""
    nested = folder / NESTED_PROCESSOR
    if nested.is_file():
        inner = read_config(nested).get("image_processor")
        if inner is not None and not isinstance(inner, dict):
            raise UsageError(f"{nested}: image_processor is no object: save the processor again")
        if inner is not None:
            return inner, nested
    plain = folder / PROCESSOR
    return (read_config(plain), plain) if plain.is_file() else (None, None)


def _weights(folder: Path) -> tuple[tuple[Path, ...], bool]:
    for name, pickled in ((SAFETENSORS, False), (PICKLED, True)):
        index = folder / f"{name}.index.json"
        if (folder / name).is_file():
            return (folder / name,), pickled
        if index.is_file():
            return _shards(index), pickled
    raise UsageError(f"{folder} has no weights: expected {SAFETENSORS} (or {PICKLED}) beside {CONFIG}")


def shards_of(index: Path) -> list[str]:
    """Return the file names in a weights index. Raises UsageError where it names none, or a file elsewhere."""
    named = read_config(index).get("weight_map")
    if not isinstance(named, dict) or not named or not all(isinstance(name, str) for name in named.values()):
        raise UsageError(f"{index} names no shards: expected a weight_map of tensor -> file; download it again")
    names = sorted(set(named.values()))
    for name in names:
        if name in ("", ".", "..") or "/" in name or "\\" in name or "\0" in name:
            raise UsageError(f"{index} names {name!r}, a file outside the checkpoint: not read")
    return names


def _shards(index: Path) -> tuple[Path, ...]:
    shards = tuple(index.parent / name for name in shards_of(index))
    for shard in shards:
        if not shard.is_file():
            raise UsageError(f"{shard} is missing, and {index.name} names it: download the checkpoint again")
    return shards


def _check_whole(file: Path, pickled: bool) -> None:
    """A safetensors file begins with the length of its JSON header (8 bytes), which gives the length of the rest."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        start = stream.read(8)
        if start == b"version ":
            raise UsageError(f"{file} is a Git LFS pointer, not the weights: run 'git lfs pull' in the checkpoint")
        if pickled:
            if size == 0:
                raise UsageError(f"{file} is empty: download it again")
            return
        length = int.from_bytes(start, "little")
        if len(start) < 8 or length > MAX_HEADER_BYTES or 8 + length > size:
            raise UsageError(f"{file} ({size} bytes) is truncated or no safetensors file: download it again")
        try:
            header = json.loads(stream.read(length))
            ends = [int(entry["data_offsets"][1]) for name, entry in header.items() if name != "__metadata__"]
            expected = 8 + length + max(ends, default=0)
        except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError, OverflowError) as error:
            raise UsageError(f"{file} is no safetensors file ({error}): download it again") from error
    if size != expected:
        raise UsageError(f"{file} is truncated: it has {size} bytes and its header promises {expected}; download again")


def read_config(file: Path) -> dict[str, Any]:
    """Read one of a checkpoint's JSON files. Raises UsageError where it is too large, damaged or no object."""
    return read_json(file, "download the checkpoint again", MAX_JSON_BYTES)
