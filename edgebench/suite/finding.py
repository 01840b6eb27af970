"""The models and images below a folder, for a first suite: looked at by name and place, nothing is loaded."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgebench.converters import sources
from edgebench.converters.huggingface.source import looks_like as is_checkpoint
from edgebench.converters.keras import archive
from edgebench.errors import UsageError
from edgebench.images.datasets import IMAGE_SUFFIXES, SPLITS
from edgebench.images.evaluation import open_dataset

DEPTH = 4  # folders below the one that is looked at
MOST_ENTRIES = 20_000  # files and folders; a home folder is no project
PASSED_OVER = {"edgebench-out", "node_modules", "venv", "build", "dist", "__pycache__", "site-packages"}
TABLES = (".npz", ".csv")


@dataclass(frozen=True)
class Model:
    """A model that `convert` takes; `hint` says which preprocessing it may need, empty where nothing tells."""

    path: Path
    hint: str = ""


@dataclass(frozen=True)
class Images:
    """A data set that `--data` takes."""

    path: Path
    count: int
    classes: int


@dataclass(frozen=True)
class Findings:
    """What there is below a folder; `refused` are models that cannot be used, with the reason."""

    models: tuple[Model, ...]
    images: tuple[Images, ...]
    refused: tuple[str, ...]


def look(folder: Path) -> Findings:
    """Return what is there, in the order of the paths. Raises UsageError where `folder` is none."""
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}")
    models: list[Model] = []
    images: list[Images] = []
    refused: list[str] = []
    for path in _candidates(folder):
        if _is_model(path):
            try:
                source = sources.resolve(str(path))
                models.append(Model(path, archive.looks_like(source)))
            except UsageError as error:
                refused.append(str(error))
        elif not any(path.is_relative_to(found.path) for found in images):
            images += _images(path)
    return Findings(tuple(models), tuple(images), tuple(refused))


def _candidates(folder: Path) -> Iterator[Path]:
    """Yield models, tables and folders of class folders, a folder before what is in it."""
    seen = 0
    for place, folders, files in os.walk(folder):
        here = Path(place)
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in PASSED_OVER)
        seen += len(folders) + len(files)
        if seen > MOST_ENTRIES:
            return
        if here != folder and (_is_model(here) or _has_classes(here)):
            yield here
        if _is_model(here) or len(here.relative_to(folder).parts) >= DEPTH:
            folders[:] = []
            continue
        yield from (here / name for name in sorted(files) if _is_model(here / name) or Path(name).suffix in TABLES)


def _is_model(path: Path) -> bool:
    if path.is_dir():
        return (path / "saved_model.pb").is_file() or is_checkpoint(path)
    return path.suffix.lower() in (".keras", ".h5", ".hdf5") and not path.name.endswith(".weights.h5")


def _has_classes(folder: Path) -> bool:
    """Whether two folders below hold images, or one that is called as a split is."""
    names = [entry for entry in os.scandir(folder) if entry.is_dir()]
    roots = [Path(entry) for entry in names if entry.name.lower() in SPLITS] or [folder]
    return all(sum(_holds_image(Path(e)) for e in os.scandir(root) if e.is_dir()) >= 2 for root in roots)


def _holds_image(folder: Path) -> bool:
    with os.scandir(folder) as entries:
        return any(Path(entry.name).suffix.lower() in IMAGE_SUFFIXES for entry in entries)


def _images(path: Path) -> list[Images]:
    try:
        found = open_dataset(path)
    except UsageError:
        return []  # a table of something else
    ends = (found.items[0], found.items[-1])
    if any(item.file is not None and not item.file.exists() for item in ends):
        return []
    labelled = {item.label for item in found.items if item.label >= 0}
    return [Images(path, len(found.items), len(labelled))] if len(labelled) > 1 else []
