"""Folder, CSV or NPZ -> evaluation set: decoded and resized once, on the host, to uint8 NHWC, with a hash.

So a difference in decoding can never pass for drift. What cannot be read is named and counted, never dropped in
silence.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, UnidentifiedImageError

from edgebench.errors import UsageError
from edgebench.files import atomic_path, exists, sha256_json, shown, write_json
from edgebench.images.arrays import open_npz
from edgebench.images.datasets import IMAGE_SUFFIXES, NO_LABEL, Dataset, Item, open_csv, open_folder
from edgebench.images.resizing import resize_image
from edgebench.images.splits import with_split_file
from edgebench.records import EvaluationSet, Preprocessing

FOR_EVALUATION = ("test", "val", "train")
FOR_CALIBRATION = ("train", "val", "test")
PIECE = 64  # images that are decoded before they are written
Ticker = Callable[[int, int], None]
"""Called with (done, total) while images are decoded."""


@dataclass(frozen=True)
class EvaluationImages:
    """Decoded images on disk: `images` is a .npy of uint8 (n, height, width, channels), `labels` (n,) int64."""

    record: EvaluationSet
    images: Path
    labels: npt.NDArray[np.int64]
    classes: tuple[str, ...]
    names: tuple[str, ...] = ()  # of each image, as its data set names it
    sets: tuple[tuple[int, ...], ...] = ()  # all labels of each image, where images carry sets of them


def open_dataset(path: Path, labels: Sequence[str] | None = None, splits: Sequence[str] = FOR_EVALUATION) -> Dataset:
    """Read a folder of class folders, a CSV of paths and labels, or an NPZ of arrays.

    `labels` gives the class names in the model's order; without it folder names are sorted as Keras and torchvision
    sort them. `splits` says which split to prefer where the data have train/val/test: by folders, by a column of the
    CSV, by the names of arrays, or by a split.csv that `edgebench train` wrote beside them.
    Raises UsageError where there is no image to be found.
    """
    return open_whole(path, labels, splits).preferred(splits)


def open_whole(path: Path, labels: Sequence[str] | None = None, splits: Sequence[str] | None = None) -> Dataset:
    """Read every split there is, each item with the name of its own; of an NPZ only the first of `splits`, if given."""
    if not exists(path):
        raise UsageError(f"no images at {shown(path)}: --data takes a folder of class folders, a .csv or an .npz")
    if path.is_dir():
        try:
            dataset = open_folder(path, labels)
        except OSError as error:
            raise UsageError(f"cannot read the folder {shown(error.filename or path)}: {error.strerror}") from error
    elif path.suffix.lower() == ".csv":
        dataset = open_csv(path, labels)
    elif path.suffix.lower() == ".npz":
        dataset = open_npz(path, labels, splits)
    else:
        raise UsageError(f"{shown(path)} is no data set: --data takes a folder of class folders, a .csv or an .npz")
    if not dataset.items:
        endings = ", ".join(sorted(IMAGE_SUFFIXES))
        raise UsageError(f"no images found in {shown(path)}: expected files ending in {endings}")
    return with_split_file(dataset, path)


def stratified(labels: npt.NDArray[np.int64], count: int, seed: int) -> list[int]:
    """Choose `count` rows, the classes in turn and seeded within each; sorted. All rows where there are fewer."""
    generator = np.random.default_rng(seed)
    queues = [list(generator.permutation(np.flatnonzero(labels == label))) for label in np.unique(labels)]
    chosen: list[int] = []
    while len(chosen) < min(count, len(labels)):
        for queue in queues:
            if queue and len(chosen) < count:
                chosen.append(int(queue.pop()))
    return sorted(chosen)


def evaluation_set(
    dataset: Dataset,
    preprocessing: Preprocessing,
    size: tuple[int, int, int],
    cache: Path,
    tick: Ticker | None = None,
) -> EvaluationImages:
    """Decode `dataset` for a model of input `size` (height, width, channels), or find it in the folder `cache`.

    Raises UsageError where not one image can be read.
    """
    folder = cache / _key(dataset, preprocessing, size)[:16]
    if not (folder / "set.json").exists():
        _decode_all(dataset, preprocessing, size, folder, tick)
    facts = json.loads((folder / "set.json").read_text())
    return EvaluationImages(
        record=EvaluationSet(**{**facts["record"], "skipped": tuple(facts["record"]["skipped"])}),
        images=folder / "images.npy",
        labels=np.array(facts["labels"], np.int64),
        classes=dataset.classes,
        names=tuple(facts["names"]),
        sets=tuple(map(tuple, facts["sets"])),
    )


def _key(dataset: Dataset, preprocessing: Preprocessing, size: tuple[int, int, int]) -> str:
    """Hash of what decides the pixels, without reading them: names, sizes and dates of the files."""

    def stamp(item: Item) -> list[Any]:
        if item.file is None:
            return [item.name, item.label, *item.labels]
        try:
            status = item.file.stat()
        except (OSError, ValueError):
            return [item.name, item.label, *item.labels, str(item.file)]
        where = [str(item.file.absolute()), status.st_size, status.st_mtime_ns]
        return [item.name, item.label, *item.labels, *where]

    array = "" if dataset.array is None else hashlib.sha256(dataset.array.tobytes()).hexdigest()
    p = preprocessing
    rule = [p.resize, p.resample, p.fit, p.crop, p.fill, p.upright, p.cut, size]
    return sha256_json([5, dataset.multi_label, rule, dataset.classes, array, [stamp(item) for item in dataset.items]])


def _decode_all(
    dataset: Dataset, preprocessing: Preprocessing, size: tuple[int, int, int], folder: Path, tick: Ticker | None
) -> None:
    """Write images.npy and, last, set.json into `folder`."""
    originals, pixels_hash = hashlib.sha256(), hashlib.sha256()
    labels, sets, names, skipped, turned = [], [], [], [], 0
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(folder / "images.raw") as raw, ThreadPoolExecutor(os.cpu_count()) as pool:
        # Warning filters are the process's, not a thread's: set here, once, for all who decode.
        with raw.open("wb") as stream, warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            decoded = (
                one
                for piece in _pieces(dataset.items)  # not all at once: what is decoded waits in memory to be written
                for one in pool.map(lambda item: _decode(dataset, item, preprocessing, size), piece)
            )
            for done, (item, one) in enumerate(zip(dataset.items, decoded, strict=True), 1):
                if one.pixels is None:
                    skipped.append(f"{item.name}: {one.reason}")
                else:
                    content = one.pixels.tobytes()
                    stream.write(content)
                    labels.append(item.label)
                    sets.append(item.labels)
                    names.append(item.name)
                    turned += one.turned
                    originals.update(f"{one.sha256} {dataset.label_of(item)}\n".encode())
                    pixels_hash.update(content)
                if tick:
                    tick(done, len(dataset.items))
        if not labels:
            raise UsageError(f"not one image of {dataset.name} can be read; the first: {skipped[0]}")
        _write_npy(raw, folder / "images.npy", (len(labels), *size))
    (folder / "images.raw").unlink()
    record = EvaluationSet(
        name=dataset.name,
        sha256=originals.hexdigest(),
        pixels_sha256=pixels_hash.hexdigest(),
        images=len(labels),
        classes=len(dataset.classes) or len({*labels, *(label for one in sets for label in one)} - {NO_LABEL}),
        labelled=dataset.multi_label or NO_LABEL not in labels,
        skipped=tuple(skipped),
        multi_label=dataset.multi_label,
        turned=turned,
    )
    facts = {"labels": labels, "names": names, "sets": sets if dataset.multi_label else []}
    write_json(folder / "set.json", {"record": record.__dict__, **facts})


def _pieces(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), PIECE):
        yield items[start : start + PIECE]


class _Decoded(NamedTuple):
    """One image: the hash of the original, its pixels, and whether its EXIF turns it; or why it cannot be read."""

    sha256: str
    pixels: npt.NDArray[np.uint8] | None
    turned: bool = False
    reason: str = ""


def _decode(dataset: Dataset, item: Item, preprocessing: Preprocessing, size: tuple[int, int, int]) -> _Decoded:
    if item.file is None:
        assert dataset.array is not None
        row = dataset.array[item.row]
        image = Image.fromarray(row[:, :, 0] if row.shape[2] == 1 else row)
        return _Decoded(hashlib.sha256(row.tobytes()).hexdigest(), resize_image(image, preprocessing, size))
    try:
        content = item.file.read_bytes()
        with Image.open(io.BytesIO(content)) as image:
            pixels = resize_image(image, preprocessing, size)
            return _Decoded(hashlib.sha256(content).hexdigest(), pixels, _turned(image))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        reason = "not an image" if isinstance(error, UnidentifiedImageError) else f"{type(error).__name__}: {error}"
        return _Decoded("", None, reason=reason[:200])


def _turned(image: Image.Image) -> bool:
    """Whether a photo's EXIF says that it is not stored upright; False where its EXIF cannot be read."""
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1) in range(2, 9)
    except (OSError, ValueError, SyntaxError, KeyError, TypeError, struct.error):
        return False


def _write_npy(raw: Path, path: Path, shape: tuple[int, ...]) -> None:
    """Put the .npy header before raw uint8 rows, without holding them in memory."""
    with atomic_path(path) as temporary, temporary.open("wb") as out, raw.open("rb") as rows:
        np.lib.format.write_array_header_1_0(out, {"descr": "|u1", "fortran_order": False, "shape": shape})
        while chunk := rows.read(1 << 20):
            out.write(chunk)
