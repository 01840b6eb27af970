"""The images and labels as a user has them: a folder, a CSV or an NPZ. Nothing is decoded here."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgebench.errors import UsageError

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
SPLITS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
SPLIT = "split"
NO_LABEL = -1


@dataclass(frozen=True)
class Item:
    """One image: a file, or a row of an array, and its index into the classes (-1: none)."""

    name: str
    label: int
    file: Path | None = None
    row: int = 0
    split: str = ""  # train, val or test; empty where the data say nothing about splits


@dataclass(frozen=True)
class Dataset:
    """Images and labels as the user has them; nothing is decoded yet."""

    name: str
    items: tuple[Item, ...]
    classes: tuple[str, ...]  # empty: unlabelled, or labels that are indices already
    array: npt.NDArray[np.uint8] | None = None

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """Class indices, (items,), -1 where there is none."""
        return np.array([item.label for item in self.items], np.int64)

    def subset(self, rows: Iterable[int]) -> Dataset:
        """Return the dataset with just these items, in this order."""
        return replace(self, items=tuple(self.items[row] for row in rows))

    def of_split(self, split: str) -> Dataset:
        """Return the dataset with just the items of one split."""
        return replace(self, items=tuple(item for item in self.items if item.split == split))

    def preferred(self, splits: Sequence[str]) -> Dataset:
        """Return the first of `splits` that has items; all items where the data have no splits."""
        there = {item.split for item in self.items}
        return next((self.of_split(split) for split in splits if split in there), self)


def open_folder(path: Path, labels: Sequence[str] | None) -> Dataset:
    """Read class folders, below train/val/test where there are such, or one flat folder of images without labels.

    The classes are those of all splits together, so that a split in which one has no images keeps every index.
    """
    roots = [(SPLITS[p.name.lower()], p) for p in _folders(path) if p.name.lower() in SPLITS] or [("", path)]
    folders = [(split, folder) for split, root in roots for folder in _folders(root)]
    classes = tuple(labels) if labels else tuple(sorted({folder.name for _, folder in folders}))
    for _, folder in folders:
        if folder.name not in classes:
            raise UsageError(
                f"{folder.parent} has the folder {folder.name!r}, which is not among the labels "
                f"{', '.join(classes[:20])}"
            )
    if folders:
        found = [(split, classes.index(p.name), file) for split, p in folders for file in _image_files(p)]
    else:
        found = [(split, NO_LABEL, file) for split, root in roots for file in _image_files(root)]
    items = [Item(file.relative_to(path).as_posix(), label, file, split=split) for split, label, file in found]
    return Dataset(path.name, tuple(items), classes)


def _folders(path: Path) -> list[Path]:
    return sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))


def _image_files(path: Path) -> Iterator[Path]:
    return (p for p in sorted(path.rglob("*")) if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file())


def open_csv(path: Path, labels: Sequence[str] | None) -> Dataset:
    """Read rows of `path,label,split`, `path,label` or just `path`, relative to the file itself.

    A header is allowed; `split` is train, val or test, and a third column that is none of these needs a header that
    calls it something else.
    """
    with path.open(newline="", encoding="utf-8-sig") as stream:
        rows = [[cell.strip() for cell in row] for row in csv.reader(stream) if row]
    header: list[str] = []
    if rows and not (path.parent / rows[0][0]).exists():
        header, rows = [name.lower() for name in rows[0]], rows[1:]
    names = [row[1] for row in rows if len(row) > 1]
    if names and len(names) != len(rows):
        raise UsageError(
            f"{path}: some rows have a label and some have none; give every row `path,label` or just `path`"
        )
    classes = tuple(labels) if labels else _class_names(names)
    unknown = [name for name in names if name not in classes and not (not classes and name.isdigit())]
    if unknown:
        raise UsageError(f"{path}: label {unknown[0]!r} is not among the labels {', '.join(classes[:20])}")
    index = [classes.index(name) if classes else int(name) for name in names] or [NO_LABEL] * len(rows)
    splits = _split_column(path, header, rows)
    items = [
        Item(row[0], label, path.parent / row[0], split=split)
        for row, label, split in zip(rows, index, splits, strict=True)
    ]
    return Dataset(path.name, tuple(items), classes)


def _split_column(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    column = header.index(SPLIT) if SPLIT in header else 2
    named = SPLIT in header or (len(header) <= column and any(len(row) > column for row in rows))
    if not named:
        return [""] * len(rows)
    found = []
    for row in rows:
        text = row[column] if len(row) > column else ""
        if text.lower() not in SPLITS:
            raise UsageError(f"{path}: the split of {row[0]} is {text!r}, expected train, val or test")
        found.append(SPLITS[text.lower()])
    return found


def _class_names(names: Sequence[str]) -> tuple[str, ...]:
    """Sorted distinct names; none where all are numbers, which are class indices already."""
    return () if all(name.isdigit() for name in names) else tuple(sorted(set(names)))


def open_npz(path: Path, labels: Sequence[str] | None, splits: Sequence[str] | None) -> Dataset:
    """Read uint8 images and whole-number labels from arrays named x/y, images/labels or x_test/y_test.

    Of several splits the first one of `splits` is read, and all of them where `splits` is None.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            parts = [
                _npz_part(path, {name: archive[name] for name in pair if name in archive.files}, pair, split)
                for pair, split in _npz_pairs(archive.files, splits)
            ]
            there = list(archive.files)
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise UsageError(f"cannot read {path}: {error}") from error
    if not parts:
        raise UsageError(f"{path} has the arrays {', '.join(there)}: expected images in `x`, `images` or `x_test`")
    shapes = {images.shape[1:] for images, _, _, _ in parts}
    if len(shapes) > 1:
        raise UsageError(f"{path}: its splits have images of different shapes, {' and '.join(map(str, shapes))}")
    images = parts[0][0] if len(parts) == 1 else np.concatenate([part[0] for part in parts])
    items = [
        Item(f"{name}[{row}]", int(label), split=split)
        for _, index, name, split in parts
        for row, label in enumerate(index)
    ]
    return Dataset(
        path.name, tuple(replace(item, row=row) for row, item in enumerate(items)), tuple(labels or ()), images
    )


def _npz_pairs(there: Sequence[str], splits: Sequence[str] | None) -> list[tuple[tuple[str, str], str]]:
    """Return the names of the arrays to read, images and labels, with their split."""
    plain = [(pair, "") for pair in (("x", "y"), ("images", "labels")) if pair[0] in there][:1]
    named = [((f"x_{name}", f"y_{name}"), SPLITS[name]) for name in SPLITS if f"x_{name}" in there]
    if plain or splits is None:
        return plain or named
    return [pair for split in splits for pair in named if pair[1] == split][:1]


def _npz_part(
    path: Path, arrays: dict[str, npt.NDArray[Any]], names: tuple[str, str], split: str
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[Any], str, str]:
    images = arrays[names[0]]
    if images.ndim == 3:
        images = images[..., None]
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] not in (1, 3, 4):
        raise UsageError(
            f"{path}: `{names[0]}` is {images.dtype} {images.shape}; expected uint8 (images, height, width, 1 or 3)"
        )
    index = arrays[names[1]].reshape(-1) if names[1] in arrays else np.full(len(images), NO_LABEL)
    if len(index) != len(images) or index.dtype.kind not in "iu":
        raise UsageError(f"{path}: `{names[1]}` must hold one whole number for each of the {len(images)} images")
    return images, index, names[0], split
