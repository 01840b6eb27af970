"""The images and labels as a user has them: a folder, a CSV or an NPZ. Nothing is decoded here."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgebench.errors import UsageError

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
SPLITS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
NO_LABEL = -1


@dataclass(frozen=True)
class Item:
    """One image: a file, or a row of an array, and its index into the classes (-1: none)."""

    name: str
    label: int
    file: Path | None = None
    row: int = 0


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


def open_folder(path: Path, labels: Sequence[str] | None, splits: Sequence[str]) -> Dataset:
    """Read class folders, or one flat folder of images without labels."""
    found = {SPLITS[p.name.lower()]: p for p in _folders(path) if p.name.lower() in SPLITS}
    root = next((found[split] for split in splits if split in found), path)
    folders = _folders(root)
    classes = tuple(labels) if labels else tuple(p.name for p in folders)
    unknown = [p.name for p in folders if p.name not in classes]
    if unknown:
        raise UsageError(
            f"{root} has the folder {unknown[0]!r}, which is not among the labels {', '.join(classes[:20])}"
        )
    items = [Item(str(f.relative_to(path)), classes.index(p.name), f) for p in folders for f in _image_files(p)]
    if not folders:
        items = [Item(str(f.relative_to(path)), NO_LABEL, f) for f in _image_files(root)]
    return Dataset(path.name, tuple(items), classes)


def _folders(path: Path) -> list[Path]:
    return sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))


def _image_files(path: Path) -> Iterator[Path]:
    return (p for p in sorted(path.rglob("*")) if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file())


def open_csv(path: Path, labels: Sequence[str] | None) -> Dataset:
    """Read rows of `path,label` or just `path`, relative to the file itself; a header is allowed."""
    with path.open(newline="", encoding="utf-8-sig") as stream:
        rows = [row for row in csv.reader(stream) if row]
    if rows and not (path.parent / rows[0][0]).exists():
        rows = rows[1:]  # a header
    names = [row[1].strip() for row in rows if len(row) > 1]
    if names and len(names) != len(rows):
        raise UsageError(
            f"{path}: some rows have a label and some have none; give every row `path,label` or just `path`"
        )
    classes = tuple(labels) if labels else _class_names(names)
    unknown = [name for name in names if name not in classes and not (not classes and name.isdigit())]
    if unknown:
        raise UsageError(f"{path}: label {unknown[0]!r} is not among the labels {', '.join(classes[:20])}")
    index = [classes.index(name) if classes else int(name) for name in names] or [NO_LABEL] * len(rows)
    items = [Item(row[0], label, path.parent / row[0]) for row, label in zip(rows, index, strict=True)]
    return Dataset(path.name, tuple(items), classes)


def _class_names(names: Sequence[str]) -> tuple[str, ...]:
    """Sorted distinct names; none where all are numbers, which are class indices already."""
    return () if all(name.isdigit() for name in names) else tuple(sorted(set(names)))


def open_npz(path: Path, labels: Sequence[str] | None, splits: Sequence[str]) -> Dataset:
    """Read uint8 images and whole-number labels from arrays named x/y, images/labels or x_test/y_test."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (ValueError, OSError) as error:
        raise UsageError(f"cannot read {path}: {error}") from error
    pairs = [("x", "y"), ("images", "labels"), *((f"x_{split}", f"y_{split}") for split in splits)]
    names = next((pair for pair in pairs if pair[0] in arrays), None)
    if names is None:
        raise UsageError(f"{path} has the arrays {', '.join(arrays)}: expected images in `x`, `images` or `x_test`")
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
    items = [Item(f"{names[0]}[{row}]", int(label), row=row) for row, label in enumerate(index)]
    return Dataset(path.name, tuple(items), tuple(labels or ()), images)
