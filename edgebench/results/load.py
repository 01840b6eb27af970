"""Result folders -> Result records, each file checked; what is no result (runs, journals, manifests) is passed over."""

from __future__ import annotations

import dataclasses
import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from edgebench.errors import UsageError
from edgebench.files import MAX_RECORD_BYTES, read_record
from edgebench.measures.outputs import unpack
from edgebench.records import Accuracy, Result

RAW_FOLDER = "runs"  # the raw runs of a results folder; never results themselves

LARGEST = 2.0**63
COUNTS = (
    "top1_correct",
    "top5_correct",
    "both_correct",
    "only_artifact_correct",
    "only_reference_correct",
    "neither_correct",
    "agree",
)

OnBroken = Callable[[UsageError], None]


def load_results(folders: Iterable[Path], on_broken: OnBroken | None = None) -> list[Result]:
    """Return every result under `folders`, in the order of their paths.

    A folder is an `edgebench-out` folder, its `results`, or anything below; a single result file works as well. A
    file that is broken, too old or too new goes to `on_broken` and is left out; without it, its UsageError is raised.
    Raises UsageError where a folder does not exist.
    """
    return list(read_results(folders, on_broken))


def read_results(folders: Iterable[Path], on_broken: OnBroken | None = None) -> Iterator[Result]:
    """Yield them one by one: the samples of thousands do not lie in memory together unless the caller keeps them."""
    seen: set[Path] = set()
    for folder in folders:
        for path in _result_files(Path(folder)):
            if path.resolve() in seen:
                continue
            seen.add(path.resolve())
            try:
                result = _read(path)
            except UsageError as error:
                if on_broken is None:
                    raise
                on_broken(error)
                continue
            if result is not None:
                yield result


def _result_files(folder: Path) -> Iterator[Path]:
    if folder.is_file():
        yield folder
        return
    if not folder.is_dir():
        raise UsageError(f"no such results folder: {folder}")
    root = folder / "results" if (folder / "results").is_dir() else folder
    for path in sorted(root.rglob("*.json")):
        parts = path.relative_to(root).parts
        hidden = any(part.startswith(".") for part in parts)
        if path.is_file() and not hidden and RAW_FOLDER not in parts[:-1]:
            yield path


def _read(path: Path) -> Result | None:
    try:
        result = read_record(Result, path)
    except UsageError:
        if _is_something_else(path):
            return None
        raise
    wrong = next(_impossible(result, {}), None)
    if wrong:
        raise UsageError(f"{path} is not a valid Result record: {wrong}: profile again")
    return result


def _impossible(value: Any, sound: dict[type, Any], path: str = "", field: str = "") -> Iterator[str]:
    """Yield what no measurement gives: no finite number, times and sizes below zero, more images right than there are.

    Types are checked already; a results folder may come from anywhere, and statistics suppose sane numbers. `sound`
    holds the last record of each type that was looked at: the runs of a result repeat their settings.
    """
    if isinstance(value, int | float):
        least = 1 if field in ("latency_ns", "invoke_ns") else 0
        if not abs(value) < LARGEST:
            yield f"{_name(path, field)} is no number to measure"
        elif value < least and field.endswith(("_ns", "_bytes")):
            yield f"{_name(path, field)} is {value}"
    elif isinstance(value, tuple) and value and field.endswith("_ns"):  # samples, maybe a hundred thousand
        yield from _impossible(min(value), sound, path, field)
        yield from _impossible(max(value), sound, path, field)
    elif isinstance(value, tuple):
        for inner in value:
            if not isinstance(inner, str):
                yield from _impossible(inner, sound, path, field)
    elif isinstance(value, dict):
        if value != sound.get(dict):
            for key, inner in value.items():
                if not isinstance(inner, str):
                    yield from _impossible(inner, sound, _name(path, field), key)
            sound[dict] = value
    elif dataclasses.is_dataclass(value) and value != sound.get(type(value)):
        below = _name(path, field)
        for name, inner in value.__dict__.items():  # records have no slots; texts, most of them, say nothing here
            if inner is not None and not isinstance(inner, str):
                yield from _impossible(inner, sound, below, name)
        if isinstance(value, Accuracy):
            yield from _impossible_counts(value)
        sound[type(value)] = value


def _name(path: str, field: str) -> str:
    return f"{path}.{field}".strip(".")


def _impossible_counts(accuracy: Accuracy) -> Iterator[str]:
    if accuracy.images < 1:
        yield f"accuracy.images is {accuracy.images}"
    for key in COUNTS:
        count = getattr(accuracy, key)
        if count is not None and not 0 <= count <= accuracy.images:
            yield f"accuracy.{key} is {count} of {accuracy.images} images"
    for key in ("right", "reference_right", "host_right"):
        try:
            if getattr(accuracy, key):
                unpack(getattr(accuracy, key), accuracy.images)
        except (ValueError, zlib.error) as error:
            yield f"accuracy.{key} cannot be read: {error}"
    bins = {len(accuracy.bin_images), len(accuracy.bin_right), len(accuracy.bin_confidence)}
    if len(bins) != 1:
        yield "accuracy has bins of unequal number"
    classes = accuracy.classes
    if classes is not None:
        count = len(classes.images)
        changed = {len(classes.lost), len(classes.won)}  # none of both without a reference
        if {len(classes.chosen), len(classes.right)} != {count} or changed not in ({0}, {count}):
            yield "accuracy.classes has counts of unequal number"
        if any(not (0 <= row < count and 0 <= column < count) for row, column, _ in classes.confusion):
            yield "accuracy.classes has a confusion of classes that there are not"


def _is_something_else(path: Path) -> bool:
    """Whether the file is sound JSON that never was a result: a result is an object that holds its artifact."""
    if path.stat().st_size > MAX_RECORD_BYTES:
        return False
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return False
    return not (isinstance(content, dict) and isinstance(content.get("artifact"), dict))
