"""An NPZ of images and labels -> data set."""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgebench.errors import UsageError
from edgebench.files import shown
from edgebench.images.datasets import MOST_CLASSES, NO_LABEL, SPLITS, Dataset, Item

UNREADABLE = (
    ValueError, OSError, EOFError, KeyError, TypeError, AttributeError, SyntaxError, RuntimeError, OverflowError,
    MemoryError, zipfile.BadZipFile, zlib.error, tokenize.TokenError,
)  # fmt: skip
"""What numpy and zipfile raise for archives that are cut short, encrypted, renamed or made up."""


def open_npz(path: Path, labels: Sequence[str] | None, splits: Sequence[str] | None) -> Dataset:
    """Read uint8 images and whole-number labels from arrays named x/y, images/labels or x_test/y_test.

    Labels of several columns, 0 or 1 each, are sets of labels, and one class an image where every row has just one.

    Of several splits the first one of `splits` is read, and all of them where `splits` is None. Raises UsageError
    where a label is no class index, so that one mistake does not cost the labels of the whole set.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            there = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
            arrays = [
                ({name: _array(archive, name) for name in pair if name in there}, pair, split)
                for pair, split in _pairs(there, splits)
            ]
    except UNREADABLE as error:
        said = str(error) or type(error).__name__
        raise UsageError(f"cannot read {shown(path)} as an .npz of arrays: {said[:200]}") from error
    if not arrays:
        found = ", ".join(there[:10]) or "none"
        raise UsageError(f"{shown(path)} has the arrays {found}: expected images in `x`, `images` or `x_test`")
    parts = [_part(path, *part, labels) for part in arrays]
    shapes = {images.shape[1:] for images, _, _, _ in parts}
    if len(shapes) > 1:
        raise UsageError(f"{shown(path)}: its splits have images of different shapes, {' and '.join(map(str, shapes))}")
    images = parts[0][0] if len(parts) == 1 else np.concatenate([part[0] for part in parts])
    columns = {index.shape[1:] for _, index, _, _ in parts}
    if len(columns) > 1:
        raise UsageError(f"{shown(path)}: the labels of its splits have different shapes")
    names = tuple(labels or ())
    if columns == {()}:
        items = [Item(f"{x}[{at}]", int(label), split=s) for _, y, x, s in parts for at, label in enumerate(y)]
    else:
        items = [_of_columns(f"{x}[{at}]", row, s) for _, y, x, s in parts for at, row in enumerate(y)]
        names = names or tuple(str(at) for at in range(parts[0][1].shape[1]))
    several = any(len(item.labels) != 1 for item in items) and columns != {()}
    items = [replace(item, row=row, labels=item.labels if several else ()) for row, item in enumerate(items)]
    return Dataset(shown(path.name), tuple(items), names, images, several, ordered=True)


def _of_columns(name: str, row: npt.NDArray[Any], split: str) -> Item:
    labels = tuple(int(at) for at in np.flatnonzero(row))
    return Item(name, (*labels, NO_LABEL)[0], split=split, labels=labels)


def _pairs(there: Sequence[str], splits: Sequence[str] | None) -> list[tuple[tuple[str, str], str]]:
    """Return the names of the arrays to read, images and labels, with their split."""
    plain = [(pair, "") for pair in (("x", "y"), ("images", "labels")) if pair[0] in there][:1]
    named = [((f"x_{name}", f"y_{name}"), SPLITS[name]) for name in SPLITS if f"x_{name}" in there]
    if plain or splits is None:
        return plain or named
    return [pair for split in splits for pair in named if pair[1] == split][:1]


def _array(archive: zipfile.ZipFile, name: str) -> npt.NDArray[Any]:
    with archive.open(f"{name}.npy") as stream:
        array: npt.NDArray[Any] = np.lib.format.read_array(stream, allow_pickle=False)
    return array


def _part(
    path: Path, arrays: dict[str, npt.NDArray[Any]], names: tuple[str, str], split: str, labels: Sequence[str] | None
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[Any], str, str]:
    images = arrays[names[0]]
    if images.ndim == 3:
        images = images[..., None]
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] not in (1, 3, 4) or 0 in images.shape[1:]:
        raise UsageError(
            f"{shown(path)}: `{names[0]}` is {images.dtype} {images.shape}; "
            "expected uint8 (images, height, width, 1 or 3)"
        )
    index = arrays.get(names[1], np.full(len(images), NO_LABEL))
    if index.ndim == 2 and index.shape[1] > 1:
        _check_columns(path, index, len(images), names[1])
        if labels and index.shape[1] != len(labels):
            raise UsageError(
                f"{shown(path)}: `{names[1]}` has {index.shape[1]} columns, but --labels has {len(labels)} names"
            )
        return images, index, names[0], split
    index = index.reshape(-1)
    _check_labels(path, index, len(images), names[1])
    if labels and len(index) and int(index.max()) >= len(labels):
        raise UsageError(f"{shown(path)}: `{names[1]}` goes up to {index.max()}, but --labels has {len(labels)} names")
    return images, index, names[0], split


def _check_columns(path: Path, index: npt.NDArray[Any], images: int, name: str) -> None:
    """Raise UsageError unless every image has a row of zeros and ones."""
    if len(index) != images or index.dtype.kind not in "iubf" or not np.isin(index, (0, 1)).all():
        raise UsageError(
            f"{shown(path)}: `{name}` is {index.dtype} {index.shape}; expected one whole number for each of the "
            f"{images} images, or a row of 0 and 1 for each"
        )


def _check_labels(path: Path, index: npt.NDArray[Any], images: int, name: str) -> None:
    """Raise UsageError unless there is a class index for every image, or -1 (no label) for every one."""
    if len(index) != images or index.dtype.kind not in "iu":
        raise UsageError(f"{shown(path)}: `{name}` must hold one whole number for each of the {images} images")
    outside = np.flatnonzero((index.astype(np.int64) < 0) | (index > MOST_CLASSES))
    if len(outside) and not (index == NO_LABEL).all():
        raise UsageError(
            f"{shown(path)}: `{name}` is {index[outside[0]]} at row {outside[0]} ({len(outside)} of {images} rows "
            "are no class index): take these images out, or leave the labels out altogether"
        )
