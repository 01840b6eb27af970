"""Conversions are cached by content: what went in, how, and with which versions. No framework is imported."""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.resources
from collections.abc import Iterator, Sequence
from importlib.resources.abc import Traversable
from pathlib import Path

from edgebench import __version__, registry
from edgebench.converters.base import ANY
from edgebench.errors import EdgebenchError
from edgebench.files import read_record, sha256_file, sha256_json
from edgebench.records import FAILED, OK, Artifact, Calibration, Preprocessing, Source, to_dict
from edgebench.variants import is_calibrated, parts


def tool_versions(converter: str, kind: str) -> dict[str, str]:
    """Return the versions that decide what a conversion to format `kind` gives."""
    names = registry.converter_module(converter, "source").TOOLS.get(kind, ())
    return {"edgebench": __version__, **{name: _version(name) for name in names}}


def conversion_key(
    source: Source,
    preprocessing: Preprocessing | None,
    variant: str,
    calibration: Calibration | None,
    labels: tuple[str, ...],
    target: str = ANY,
    promise: Sequence[float | str] = (),
) -> str:
    """Hash of everything that decides an artifact and its manifest."""
    kind, precision = parts(variant)
    content: dict[str, object] = {
        "source": [source.sha256, source.options],
        "preprocessing": None if preprocessing is None else to_dict(preprocessing),
        "variant": variant,
        "calibration": to_dict(calibration) if calibration and is_calibrated(precision) else None,
        "labels": labels,
        "target": target,
        "promise": list(promise),
        "tools": tool_versions(source.converter, kind),
        "code": _code(registry.converters()[source.converter], registry.formats()[kind].quantiser),
    }
    return sha256_json(content)


def artifact_path(folder: Path, name: str, variant: str) -> Path:
    """Return where the artifact of a variant lies; its manifest is beside it as `<file>.json`."""
    kind, precision = parts(variant)
    return folder / f"{name}-{precision}{registry.formats()[kind].suffix}"


def manifest_path(artifact: Path) -> Path:
    """Return the manifest beside an artifact."""
    return artifact.with_name(artifact.name + ".json")


def find(path: Path, key: str) -> Artifact | None:
    """Return the manifest of an unchanged conversion: one that stands on disk whole, or that failed the same way."""
    manifest = manifest_path(path)
    if not manifest.exists():
        return None
    try:
        artifact = read_record(Artifact, manifest)
    except EdgebenchError:
        return None  # from another version: convert again
    if artifact.key != key:
        return None
    if artifact.status == FAILED:
        return artifact
    whole = artifact.status == OK and path.exists() and sha256_file(path) == artifact.sha256
    return artifact if whole else None


@functools.cache
def _code(converter: str, quantiser: str) -> str:
    """Hash of the source of all converters that take part: code that converts differently misses the cache."""
    packages = {"edgebench.converters"}
    packages |= {name for name in (converter, quantiser.rpartition(".")[0]) if name and not _inside(name)}
    return sha256_json({name: sorted(_sources(importlib.resources.files(name))) for name in packages})


def _inside(package: str) -> bool:
    return package.startswith("edgebench.converters")


def _sources(folder: Traversable, inside: str = "") -> Iterator[tuple[str, str]]:
    """Yield (path, text) of every Python file below `folder`."""
    for item in folder.iterdir():
        if item.is_dir():
            yield from _sources(item, f"{inside}{item.name}/")
        elif item.name.endswith(".py"):
            yield inside + item.name, item.read_text(encoding="utf-8")


@functools.cache
def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""
