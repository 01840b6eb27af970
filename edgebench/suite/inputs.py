"""What a step depends on, as one hash: the content of images and models, and what was asked, wherever the files lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgebench import __version__
from edgebench.errors import UsageError
from edgebench.files import sha256_file, sha256_json
from edgebench.images.datasets import Dataset

PLACES = ("data", "labels", "out", "as_json", "force", "fresh", "only_failed", "margin", "devices", "imports")
"""Parameters whose content counts instead, or that change nothing that is measured."""


def key_of(kind: str, params: Mapping[str, Any], *more: object) -> str:
    """Hash of a step's parameters without those that name places, and of what counts in their stead."""
    asked = {name: value for name, value in params.items() if name not in PLACES}
    return sha256_json([kind, __version__, _plain(asked), _plain(more)])[:32]


def images_hash(dataset: Dataset, path: Path, split: bool = False) -> str:
    """Hash of the images and labels of an opened data set; with `split` also of which image is in which split.

    Raises UsageError where a file cannot be read.
    """
    try:
        whole = sha256_file(path) if path.is_file() else ""
        items = [
            [
                item.name,
                item.label,
                item.labels,
                item.row,
                sha256_file(item.file) if item.file else "",
                item.split if split else "",
            ]
            for item in dataset.items
        ]
    except OSError as error:
        raise UsageError(f"cannot read {error.filename}: {error.strerror}") from error
    table = "" if path.suffix.lower() == ".csv" else whole  # a CSV counts by what it says of each image
    return sha256_json([dataset.name, dataset.classes, dataset.multi_label, dataset.ordered, table, items])


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(inner) for inner in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)
