"""Which requests a device has finished, kept until every device of the command has: none is measured twice for another.

It lies in the journal's folder, `complete.json`: the key of a request and the result files that it wrote.
"""

from __future__ import annotations

import json
import platform
import shutil
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from edgebench import __version__
from edgebench.errors import UsageError
from edgebench.files import read_record, sha256_json, write_bytes, write_json
from edgebench.images.datasets import Dataset
from edgebench.records import OK, Artifact, Result, Settings

FILE = "complete.json"


def data_key(datasets: Iterable[Dataset]) -> str:
    """Hash of what the images are, without reading them: names, labels, sizes and times of their files."""
    return sha256_json([[data.name, data.classes, [_item(item) for item in data.items]] for data in datasets])


def find_results(folder: Path, key: str, out: Path) -> dict[Path, Result] | None:
    """Return the results of a request that this device has finished, by their files; None where it has not, or gone."""
    paths = _read(folder).get(key)
    if paths is None:
        return None
    try:
        return {out / path: read_record(Result, out / path) for path in paths}
    except UsageError:
        return None


class Planned(Protocol):
    """What a cell is before it is measured."""

    artifact: Artifact
    runtime: str


def good_results(cells: Iterable[tuple[Path, Planned]], settings: Settings) -> dict[Path, Result]:
    """Return the results that are there already, ok, and of just these artifacts and settings, by their files."""
    found = {}
    for path, cell in cells:
        result = read_record(Result, path) if path.exists() else None
        if result is None or result.status != OK or result.artifact.sha256 != cell.artifact.sha256:
            continue
        if result.settings == settings and result.runtime == cell.runtime:
            found[path] = result
    return found


def add_results(folder: Path, key: str, paths: list[str]) -> None:
    """Note that the request is finished and where, below its output folder, its results are."""
    write_json(folder / FILE, {**_read(folder), key: paths})


def forget(out: Path, devices: Iterable[str]) -> None:
    """Remove the journals of these devices: every device of the command is done, and the next one measures afresh."""
    for name in devices:
        shutil.rmtree(out / "results" / name / "runs", ignore_errors=True)


def session_of(out: Path, fresh: bool) -> str:
    """Return what the jobs of this output folder are known by on devices; no other folder or host has the same.

    It is kept in the folder, so that the same command picks up what a killed host left; with `fresh` it is a new one.
    """
    path = out / "results" / ".session"
    if fresh or not path.exists():
        write_bytes(path, uuid.uuid4().hex.encode())
    return f"{path.read_text()} {out.resolve()} {platform.node()}"  # a copied folder is another


def key_of(*parts: object) -> str:
    """Hash of everything that a request's results depend on."""
    return sha256_json([__version__, *parts])[:24]


def _item(item: object) -> list[object]:
    file, name, label = (getattr(item, field) for field in ("file", "name", "label"))
    if file is None or not file.exists():
        return [name, label]
    found = file.stat()
    return [name, label, found.st_size, found.st_mtime_ns]


def _read(folder: Path) -> dict[str, list[str]]:
    try:
        value = json.loads((folder / FILE).read_text())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
