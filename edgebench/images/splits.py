"""Which images train, stop and test: splits that the data bring, and one drawn by seed that is written down.

`split.csv` lies in the folder of images (beside a .csv or .npz: `<name>.split.csv`) and has one line an image,
`path,label,split`. Whoever opens the data from then on keeps to it: what tests never trains, stops or calibrates.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgebench.errors import UsageError
from edgebench.files import exists, read_text, write_bytes
from edgebench.images.datasets import NO_LABEL, SPLITS, Dataset

TRAIN, VAL, TEST = "train", "val", "test"
SHARES = {TRAIN: 0.7, VAL: 0.2, TEST: 0.1}
LEAST_IMAGES = 3
"""Of each class, to have one in every split."""


@dataclass(frozen=True)
class Splits:
    """The three parts of one data set; `test` is None where the data bring train and val alone."""

    train: Dataset
    val: Dataset
    test: Dataset | None
    how: str  # where the split came from, in words
    to_write: Dataset | None = None  # a split drawn here, that must be written down before it is used


def split_file(path: Path) -> Path:
    """Return where the split of the data at `path` is written down."""
    return path / "split.csv" if path.is_dir() else path.with_name(f"{path.stem}.split.csv")


def class_name(dataset: Dataset, label: int) -> str:
    """Return the name of a class; its number where the data only have numbers."""
    return dataset.classes[label] if dataset.classes and 0 <= label < len(dataset.classes) else str(label)


def with_split_file(dataset: Dataset, path: Path) -> Dataset:
    """Return the dataset with the splits of its split.csv, as it is where there is none.

    Raises UsageError where the file and the images no longer fit: images it does not name, or under another label.
    """
    file = split_file(path)
    if not exists(file):
        return dataset
    if any(item.split for item in dataset.items):
        raise UsageError(f"{path} has splits of its own, and {file} says others: remove one of the two")
    written = _read(file)
    unknown = [item.name for item in dataset.items if item.name not in written]
    if unknown:
        raise UsageError(
            f"{file} does not name {len(unknown)} of the images ({unknown[0]}, ..): they came after the split was "
            f"made. Add their lines, or remove {file.name} and train again"
        )
    for item in dataset.items:
        label, said = written[item.name][0], dataset.label_of(item)
        if (item.label != NO_LABEL or dataset.multi_label) and label != said:
            raise UsageError(
                f"{file} calls {item.name} {label!r} and it lies under {said!r}: mend the file or move the image"
            )
    return replace(dataset, items=tuple(replace(item, split=written[item.name][1]) for item in dataset.items))


def write_split(dataset: Dataset, file: Path, parent: Path | None = None) -> None:
    """Write one line an image, atomically; `parent` puts a folder before each path, for a file that lies elsewhere."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("path", "label", "split"))
    for item in dataset.items:
        name = item.name if parent is None else str(parent / item.name)
        writer.writerow((name, dataset.label_of(item), item.split))
    write_bytes(file, text.getvalue().encode())


def make_splits(dataset: Dataset, seed: int) -> Splits:
    """Return the parts to train, stop and test on, as the data say, or drawn by `seed`: 70:20:10, class by class.

    Where the data have train and test alone, an eighth of train is drawn for val. Raises UsageError where images have
    no labels, where a class is too small, and where a split has a class that train has not.
    """
    _check_labels(dataset)
    there = {item.split for item in dataset.items}
    if there == {TRAIN, VAL, TEST} or there == {TRAIN, VAL}:
        parts = Splits(
            dataset.of_split(TRAIN),
            dataset.of_split(VAL),
            dataset.of_split(TEST) if TEST in there else None,
            "as the data say",
        )
    elif there == {TRAIN, TEST}:
        drawn = _drawn(dataset.of_split(TRAIN), {TRAIN: 0.875, VAL: 0.125}, seed)
        how = f"test as the data say; val is an eighth of train, drawn by seed {seed}"
        parts = Splits(drawn.of_split(TRAIN), drawn.of_split(VAL), dataset.of_split(TEST), how)
    elif there == {""}:
        drawn = _drawn(dataset, SHARES, seed)
        how = f"70:20:10, class by class, drawn by seed {seed}"
        parts = Splits(drawn.of_split(TRAIN), drawn.of_split(VAL), drawn.of_split(TEST), how, to_write=drawn)
    else:
        only = " and ".join(sorted(there))
        raise UsageError(
            f"{dataset.name} has the split {only} alone: training needs train, and val or test beside it, or images "
            "without splits, which are then drawn"
        )
    _check_classes(parts)
    return parts


def _drawn(dataset: Dataset, shares: dict[str, float], seed: int) -> Dataset:
    """Give every item a split: each class is shuffled and cut, and every part has one image of it at least."""
    labels = dataset.labels
    generator = np.random.default_rng(seed)
    splits = np.full(len(labels), TRAIN, dtype=object)
    for label in np.unique(labels):
        rows = generator.permutation(np.flatnonzero(labels == label))
        if len(rows) < max(len(shares), LEAST_IMAGES):
            raise UsageError(
                f"the class {class_name(dataset, int(label))!r} of {dataset.name} has {len(rows)} images: a split into "
                f"{', '.join(shares)} needs {LEAST_IMAGES} of each class at least"
            )
        start = 0
        for split, share in reversed(shares.items()):  # what rounding leaves goes to train, which comes last
            count = len(rows) - start if split == TRAIN else max(1, round(share * len(rows)))
            splits[rows[start : start + count]] = split
            start += count
    return replace(
        dataset, items=tuple(replace(item, split=str(s)) for item, s in zip(dataset.items, splits, strict=True))
    )


def _check_labels(dataset: Dataset) -> None:
    if dataset.multi_label:
        raise UsageError(
            f"the images of {dataset.name} carry several labels: edgebench trains classifiers of one class an image"
        )
    if any(item.label == NO_LABEL for item in dataset.items):
        raise UsageError(
            f"the images of {dataset.name} have no labels: put them into one folder a class, or give a CSV of "
            "path,label"
        )
    counts = Counter(item.label for item in dataset.items)
    empty = [name for label, name in enumerate(dataset.classes) if not counts[label]]
    if empty:
        raise UsageError(f"the class {empty[0]!r} of {dataset.name} has no images: remove it or add some")
    if len(counts) < 2:
        only = class_name(dataset, next(iter(counts)))
        raise UsageError(f"{dataset.name} has one class, {only!r}: a classifier needs two at least")
    if not dataset.classes and sorted(counts) != list(range(len(counts))):
        lacking = next(label for label in range(max(counts) + 1) if label not in counts)
        raise UsageError(
            f"{dataset.name} has labels up to {max(counts)} and none is {lacking}: number them from 0, or give names"
        )


def _check_classes(parts: Splits) -> None:
    trained = set(parts.train.labels.tolist())
    for part, name in ((parts.val, VAL), (parts.test, TEST)):
        for label in sorted(set(part.labels.tolist()) - trained) if part else ():
            raise UsageError(
                f"the class {class_name(parts.train, label)!r} is in {name} and not in train: the labels of the "
                "splits do not match"
            )
    if len(trained) < len(parts.train.classes):
        lacking = next(name for label, name in enumerate(parts.train.classes) if label not in trained)
        raise UsageError(f"the class {lacking!r} has no images in train: add some, or leave it out")


def _read(file: Path) -> dict[str, tuple[str, str]]:
    """Read name -> (label, split)."""
    found = {}
    try:
        rows = list(csv.reader(io.StringIO(read_text(file), newline="")))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"cannot read {file}: {error}") from error
    for number, row in enumerate(rows[1:], 2):
        if not row:
            continue
        if len(row) != 3 or row[2] not in SPLITS:
            raise UsageError(f"{file}, line {number}: expected path,label,split with train, val or test")
        found[row[0]] = (row[1], SPLITS[row[2]])
    return found


def counts(dataset: Dataset) -> npt.NDArray[np.int64]:
    """Return the images of each class, in the order of the classes."""
    return np.bincount(dataset.labels, minlength=len(dataset.classes))
