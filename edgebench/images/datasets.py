"""The images and labels as a user has them: a folder, a CSV or an NPZ. Nothing is decoded here."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgebench.errors import UsageError
from edgebench.files import exists, read_text, shown

IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
SPLITS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
SPLIT = "split"
NO_LABEL = -1
SEPARATORS = "|;"  # between the labels of one image
MOST_CLASSES = 1_000_000  # a label beyond is a hash or a mistake


@dataclass(frozen=True)
class Item:
    """One image: a file, or a row of an array, and its index into the classes (-1: none).

    `labels` are all of them where images carry sets of labels; `label` is then the first.
    """

    name: str
    label: int
    file: Path | None = None
    row: int = 0
    split: str = ""  # train, val or test; empty where the data say nothing about splits
    labels: tuple[int, ...] = ()


@dataclass(frozen=True)
class Dataset:
    """Images and labels as the user has them; nothing is decoded yet."""

    name: str
    items: tuple[Item, ...]
    classes: tuple[str, ...]  # empty: unlabelled, or labels that are indices already
    array: npt.NDArray[np.uint8] | None = None
    multi_label: bool = False  # every item has a set of labels: none, one or several
    ordered: bool = False  # the classes are in the order that the user or an array's columns gave, not sorted names

    def label_of(self, item: Item) -> str:
        """Return the label of an item as text; its number where the data only have numbers."""
        labels = item.labels if self.multi_label else (item.label,)
        known = len(self.classes)
        return SEPARATORS[0].join(self.classes[at] if 0 <= at < known else str(at) for at in labels)

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
    classes = tuple(labels) if labels else tuple(sorted({shown(folder.name) for _, folder in folders}))
    for _, folder in folders:
        if shown(folder.name) not in classes:
            raise UsageError(
                f"{shown(folder.parent)} has the folder {shown(folder.name)!r}, which is not among the labels "
                f"{', '.join(classes[:20])}"
            )
    if folders:
        found = [(split, classes.index(shown(p.name)), file) for split, p in folders for file in _image_files(p)]
    else:
        found = [(split, NO_LABEL, file) for split, root in roots for file in _image_files(root)]
    items = [Item(shown(file.relative_to(path)), label, file, split=split) for split, label, file in found]
    return Dataset(shown(path.name), tuple(items), classes)


def _folders(path: Path) -> list[Path]:
    return sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))


def _image_files(path: Path) -> Iterator[Path]:
    return (p for p in sorted(path.rglob("*")) if p.suffix.lower() in IMAGE_SUFFIXES and p.is_file())


def open_csv(path: Path, labels: Sequence[str] | None) -> Dataset:
    """Read rows of `path,label,split`, `path,label` or just `path`, relative to the file itself.

    Labels with `|` or `;` between them are several: then every image carries a set of them, an empty one where the
    cell is empty.

    A header is allowed; `split` is train, val or test, and a third column that is none of these needs a header that
    calls it something else.
    """
    try:
        table = csv.reader(io.StringIO(read_text(path), newline=""))
        rows = [[cell.strip() for cell in row] for row in table if row]
    except csv.Error as error:
        raise UsageError(f"cannot read {shown(path)} as a CSV of path,label: {error}") from error
    header: list[str] = []
    if _has_header(path, rows):
        header, rows = [name.lower() for name in rows[0]], rows[1:]
    names = [row[1] for row in rows if len(row) > 1]
    if names and len(names) != len(rows):
        raise UsageError(
            f"{path}: some rows have a label and some have none; give every row `path,label` or just `path`"
        )
    sets = _label_sets(names, labels)
    single = [name for one in sets for name in one] if sets else names
    classes = tuple(labels) if labels else _class_names(single)
    unknown = [name for name in single if name not in classes and (classes or not _is_index(name))]
    if unknown:
        among = f"among the labels {', '.join(classes[:20])}" if classes else f"a class index below {MOST_CLASSES}"
        raise UsageError(f"{path}: label {unknown[0][:80]!r} is not {among}")
    place = {name: at for at, name in reversed(list(enumerate(classes)))}
    index = [tuple(sorted({place[name] if classes else int(name) for name in one})) for one in sets or zip(names)]
    index = index or [(NO_LABEL,)] * len(rows)
    splits = _split_column(path, header, rows)
    items = [
        Item(shown(row[0]), (*own, NO_LABEL)[0], path.parent / row[0], split=split, labels=own if sets else ())
        for row, own, split in zip(rows, index, splits, strict=True)
    ]
    return Dataset(shown(path.name), tuple(items), classes, multi_label=bool(sets), ordered=bool(labels))


def _label_sets(names: Sequence[str], labels: Sequence[str] | None) -> list[list[str]]:
    """Return the labels of every row where one has several; empty where each has one, as a name or an index."""
    whole = set(labels or ())
    if not any(mark in name for name in set(names) - whole for mark in SEPARATORS):
        return []
    cells = ([name] if name in whole else name.replace(";", "|").split("|") for name in names)
    return [[label.strip() for label in cell if label.strip()] for cell in cells]


def _has_header(path: Path, rows: Sequence[Sequence[str]]) -> bool:
    """Tell a header from a first image that is missing, which must be counted and not lost.

    A header names no file, and no image by its ending, while the row below it does.
    """

    def names_image(row: Sequence[str]) -> bool:
        return Path(row[0]).suffix.lower() in IMAGE_SUFFIXES or exists(path.parent / row[0])

    return bool(rows) and not names_image(rows[0]) and (len(rows) == 1 or names_image(rows[1]))


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
    return () if all(_is_number(name) for name in names) else tuple(sorted(set(names)))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _is_index(text: str) -> bool:
    return _is_number(text) and len(text) < 20 and int(text) < MOST_CLASSES
