"""The images of a training: split, decoded once to disk, with what is wrong with them in words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgebench.errors import UsageError
from edgebench.files import sha256_json
from edgebench.images.datasets import Dataset
from edgebench.images.duplicates import across, looks
from edgebench.images.evaluation import EvaluationImages, evaluation_set, open_whole
from edgebench.images.splits import TEST, TRAIN, VAL, Splits, class_name, make_splits, split_file, write_split
from edgebench.images.stored import StoredRows
from edgebench.records import Preprocessing
from edgebench.training.events import Note, Progress, Tell
from edgebench.training.settings import Training

SHOWN = 5


@dataclass(frozen=True)
class Part:
    """One split on disk: `images` is a .npy of uint8 (n, height, width, channels)."""

    images: Path
    labels: npt.NDArray[np.int64]
    names: tuple[str, ...]


@dataclass(frozen=True)
class Data:
    """Everything a training sees. `test` is None where the data have no test images."""

    classes: tuple[str, ...]
    train: Part
    val: Part
    test: Part | None
    split: str
    sha256: str
    unreadable: tuple[str, ...]
    duplicates: tuple[str, ...]

    @property
    def judged_on(self) -> str:
        """The split whose accuracy the model is judged by."""
        return TEST if self.test else VAL

    @property
    def counts(self) -> dict[str, int]:
        """Images of each split."""
        parts = {TRAIN: self.train, VAL: self.val, TEST: self.test}
        return {name: len(part.labels) for name, part in parts.items() if part}


def open_splits(training: Training, folder: Path, tell: Tell) -> Splits:
    """Open the data and fix their split; one that is drawn here is written down beside them.

    Where they cannot be written beside, the split goes into `folder`, and the user is told to name it.
    """
    path = Path(training.data)
    splits = make_splits(open_whole(path, training.labels or None), training.seed)
    if splits.to_write is not None:
        file = split_file(path)
        try:
            write_split(splits.to_write, file)
        except OSError as error:
            if not path.is_dir():
                raise UsageError(f"cannot write the split to {file} ({error.strerror}): copy the data") from error
            elsewhere = folder / "split.csv"
            write_split(splits.to_write, elsewhere, path.resolve())
            tell(Note(f"{path} cannot be written to: say --data {elsewhere} from now on, or test images calibrate"))
        else:
            tell(Note(f"split {splits.how}: written to {file}, which convert and profile keep to"))
    return splits


def prepare(splits: Splits, preprocessing: Preprocessing, size: tuple[int, int, int], cache: Path, tell: Tell) -> Data:
    """Decode every split for a model of input `size`; name what cannot be read and what lies in two splits."""
    parts: dict[str, Part] = {}
    hashes: list[list[str]] = []
    unreadable: list[str] = []
    for name, dataset in ((TRAIN, splits.train), (VAL, splits.val), (TEST, splits.test)):
        if dataset is None:
            continue
        what = f"decoding {name}"
        found = evaluation_set(
            dataset,
            preprocessing,
            size,
            cache,
            lambda done, total, what=what: tell(Progress(what, done, total)),  # type: ignore[misc]
        )
        parts[name] = Part(found.images, found.labels, _names_read(dataset, found))
        hashes.append([found.record.sha256, found.record.pixels_sha256])
        unreadable += found.record.skipped
    _say(tell, unreadable, "images cannot be read and are left out")
    classes = splits.train.classes or tuple(str(label) for label in range(int(parts[TRAIN].labels.max()) + 1))
    _check_read(parts, splits)
    duplicates = _duplicates(parts)
    _say(tell, duplicates, "images are in two splits at once, which makes the accuracy look better than it is")
    return Data(
        classes,
        parts[TRAIN],
        parts[VAL],
        parts.get(TEST),
        splits.how,
        sha256_json([hashes, classes]),
        tuple(unreadable),
        tuple(duplicates),
    )


def _names_read(dataset: Dataset, found: EvaluationImages) -> tuple[str, ...]:
    """Return the names of the images that could be read; `skipped` names the others in the same order."""
    skipped = list(found.record.skipped)
    names = []
    for item in dataset.items:
        if skipped and skipped[0].startswith(f"{item.name}: "):
            skipped.pop(0)
        else:
            names.append(item.name)
    return tuple(names)


def _check_read(parts: dict[str, Part], splits: Splits) -> None:
    lost = set(splits.train.labels.tolist()) - set(parts[TRAIN].labels.tolist())
    if lost:
        raise UsageError(
            f"of the class {class_name(splits.train, min(lost))!r} not one image in train can be read: remove it"
        )


def _duplicates(parts: dict[str, Part]) -> list[str]:
    seen = {}
    for name, part in parts.items():
        with StoredRows(part.images) as rows:
            seen[name] = looks(rows)
    found = []
    for second, first in ((VAL, TRAIN), (TEST, TRAIN), (TEST, VAL)):
        if second in parts:
            found += [
                f"{parts[second].names[pair.second]} ({second}) is {parts[first].names[pair.first]} ({first})"
                for pair in across(seen[first], seen[second])
            ]
    return found


def _say(tell: Tell, lines: list[str], what: str) -> None:
    if lines:
        more = f", and {len(lines) - SHOWN} more in training.json" if len(lines) > SHOWN else ""
        tell(Note(f"{len(lines)} {what}: {'; '.join(lines[:SHOWN])}{more}"))
