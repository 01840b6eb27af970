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

CONFIG = "config.json"
PROCESSOR = "preprocessor_config.json"
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


def open_checkpoint(folder: Path) -> Checkpoint:
    """Check the files of a checkpoint folder.

    Raises UsageError where a file is missing, truncated or no JSON, where only the download of a large file is there
    (a Git LFS pointer), or where the model is code in the checkpoint.
    """
    if not folder.is_dir():
        raise UsageError(f"no checkpoint at {folder}: expected a folder with {CONFIG} and {SAFETENSORS}")
    if not (folder / CONFIG).is_file():
        raise UsageError(f"{folder} has no {CONFIG}: a Hugging Face checkpoint is what save_pretrained writes")
    config = _read_json(folder / CONFIG)
    weights, pickled = _weights(folder)
    for file in weights:
        _check_whole(file, pickled)
    processor = folder / PROCESSOR
    return Checkpoint(folder, config, weights, pickled, _read_json(processor) if processor.is_file() else None)


def _weights(folder: Path) -> tuple[tuple[Path, ...], bool]:
    for name, pickled in ((SAFETENSORS, False), (PICKLED, True)):
        index = folder / f"{name}.index.json"
        if (folder / name).is_file():
            return (folder / name,), pickled
        if index.is_file():
            return _shards(index), pickled
    raise UsageError(f"{folder} has no weights: expected {SAFETENSORS} (or {PICKLED}) beside {CONFIG}")


def _shards(index: Path) -> tuple[Path, ...]:
    named = _read_json(index).get("weight_map")
    if not isinstance(named, dict) or not all(isinstance(name, str) for name in named.values()):
        raise UsageError(f"{index} names no shards: expected a weight_map of tensor -> file; download it again")
    shards = tuple(index.parent / name for name in sorted(set(named.values())))
    for shard in shards:
        if shard.parent != index.parent or shard.name in ("", ".."):
            raise UsageError(f"{index} names {str(shard)!r}, a file outside the checkpoint: not read")
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
            ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
            expected = 8 + length + max(ends, default=0)
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            raise UsageError(f"{file} is no safetensors file ({error}): download it again") from error
    if size != expected:
        raise UsageError(f"{file} is truncated: it has {size} bytes and its header promises {expected}; download again")


def _read_json(file: Path) -> dict[str, Any]:
    try:
        if file.stat().st_size > MAX_JSON_BYTES:
            raise UsageError(f"{file} is larger than {MAX_JSON_BYTES} bytes: is it the right file?")
        value = json.loads(file.read_bytes())
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{file} is not valid JSON ({error}): download it again") from error
    if not isinstance(value, dict):
        raise UsageError(f"{file} holds no JSON object: expected the file that save_pretrained writes")
    return value
