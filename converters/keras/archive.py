"""What a `.keras` file says of itself, read without Keras: its architecture, the code in it, what it was made from."""

from __future__ import annotations

import json
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgebench.converters.keras import applications as keras_applications
from edgebench.errors import UsageError
from edgebench.files import shown
from edgebench.records import Source

MAX_CONFIG_BYTES = 64 * 1024 * 1024
BROKEN_ARCHIVE = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, KeyError, ValueError, EOFError, RuntimeError, OverflowError,
    struct.error,
)  # fmt: skip
"""What zipfile and json raise for archives that are cut short, encrypted, of an unknown method or nested too deep."""


def looks_like(source: Source) -> str:
    """Guess, for a question only, which Keras Application a file was made from; empty where nothing tells."""
    hint = _looks_like(read_config(Path(source.spec))) if source.spec.endswith(".keras") else None
    return f"{hint[0]}: --preprocess keras:{hint[1]}" if hint else ""


def read_config(path: Path) -> dict[str, object]:
    """Return the architecture stored in a `.keras` file, without Keras. Raises UsageError where it is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo("config.json").file_size > MAX_CONFIG_BYTES:
                raise UsageError(f"{shown(path)} is refused: its config.json is too large to be an architecture")
            config = json.loads(archive.read("config.json"))
            archive.getinfo("model.weights.h5")
    except OSError as error:
        raise UsageError(f"cannot read {shown(path)}: {error.strerror or error}") from error
    except BROKEN_ARCHIVE as error:
        said = "encrypted" if "encrypted" in str(error) else str(error).splitlines()[0][:200] if str(error) else "empty"
        raise UsageError(
            f"{shown(path)} is not a whole .keras file ({said}): was it cut short? Save it again"
        ) from error
    if not isinstance(config, dict):
        raise UsageError(f"{shown(path)} is not a .keras file: its config.json holds no model")
    return config


def contains_lambda(config: Any) -> bool:
    """Tell whether a Keras architecture has a Lambda layer (Python code inside the file) at any depth."""
    return any(name in ("Lambda", "__lambda__") for name in _class_names(config))


def layer_of_another_framework(config: Any) -> str:
    """Return the first layer that wraps a network of PyTorch or JAX, empty where there is none."""
    return next((name for name in _class_names(config) if name in ("TorchModuleWrapper", "JaxLayer", "FlaxLayer")), "")


def _class_names(config: Any) -> Iterator[str]:
    waiting = [config]
    while waiting:  # a file may nest deeper than Python recurses
        value = waiting.pop()
        if isinstance(value, dict):
            if isinstance(value.get("class_name"), str):
                yield value["class_name"]
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _looks_like(config: dict[str, object]) -> tuple[str, str] | None:
    """Guess, for the question only, which Keras Application a file was made from, by the names inside."""
    text = re.sub(r"[^a-z0-9]", "", json.dumps(config).lower()[:20_000])
    matches = [
        (name, module)
        for name, (module, _, _) in keras_applications.APPLICATIONS.items()
        if name.lower() in text and module not in ("efficientnet", "efficientnet_v2", "convnext", "mobilenet_v3")
    ]
    return max(matches, key=lambda match: len(match[0]), default=None)
