"""Finding artifacts on disk: those edgebench made, with their manifests, and bare files from elsewhere."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgebench import registry
from edgebench.errors import UsageError
from edgebench.files import read_record, sha256_file, size_bytes
from edgebench.records import OK, Artifact, Preprocessing
from edgebench.variants import Format

UNKNOWN_PRECISION = "unknown"
BASELINE = "baseline"


@dataclass(frozen=True)
class Found:
    """An artifact and where its file lies; `file` is None where the conversion failed.

    Results of a `group` go to a folder of that name: a baseline is measured in turn with what is compared with it.
    """

    artifact: Artifact
    file: Path | None
    group: str = ""


def find_artifacts(paths: Sequence[Path], preprocessing: Preprocessing | None, group: str = "") -> list[Found]:
    """Return the artifacts under `paths`, in a stable order.

    A bare .tflite, .onnx or SavedModel folder is taken as it is, with the user's `preprocessing`.
    Raises UsageError where a path does not exist or holds no artifact, and where two would have one result.
    """
    found: dict[Path, Found] = {}
    for path in paths:
        if not path.exists():
            raise UsageError(f"no artifact at {path}: give a .tflite, .onnx or SavedModel, or a folder from convert")
        here = _find(path, preprocessing)
        if not here:
            raise UsageError(f"{path} holds no artifact: `edgebench convert MODEL --to all` makes them")
        for item in here:
            found[(item.file or Path(item.artifact.model, item.artifact.variant)).absolute()] = item
    _refuse_namesakes(found)
    return [dataclasses.replace(item, group=group) for item in found.values()]


def format_of(path: Path) -> Format | None:
    """Return the format of a file or folder, by its name's ending or by the file that marks such a folder."""
    marked = (one for one in registry.formats().values() if one.marker and (path / one.marker).exists())
    return _named(path) or next(marked, None)


def _named(path: Path) -> Format | None:
    return next((one for one in registry.formats().values() if one.suffix == path.suffix), None)


def _refuse_namesakes(found: Mapping[Path, Found]) -> None:
    seen: dict[str, Path] = {}
    for path, item in found.items():
        name = item.artifact.label
        if name in seen:
            raise UsageError(
                f"{seen[name]} and {path} are both {name}, so one result would replace the other: "
                "rename one, or give the older one with --baseline"
            )
        seen[name] = path


def _find(path: Path, preprocessing: Preprocessing | None) -> list[Found]:
    manifest = Path(f"{path}.json")
    if format_of(path) is not None:
        return [_with_manifest(manifest)] if manifest.exists() else [_bare(path, preprocessing)]
    if path.is_dir():
        manifests = (p for p in sorted(path.rglob("*.json")) if _named(Path(p.stem)) is not None)
        bare = (p for p in sorted(path.iterdir()) if _named(p) is not None and not Path(f"{p}.json").exists())
        return [_with_manifest(p) for p in manifests] + [_bare(p, preprocessing) for p in bare]
    if path.suffix == ".json":
        return [_with_manifest(path)]
    raise UsageError(f"{path} is no artifact: expected a .tflite, a .onnx, a SavedModel folder or a manifest")


def _with_manifest(manifest: Path) -> Found:
    artifact = read_record(Artifact, manifest)
    if artifact.status != OK:
        return Found(artifact, None)
    if Path(artifact.path).name != artifact.path:
        raise UsageError(f"{manifest} names the file {artifact.path!r}, which does not lie beside it")
    file = manifest.parent / artifact.path
    if not file.exists():
        raise UsageError(f"{manifest} describes {artifact.path}, which is gone: convert again")
    if sha256_file(file) != artifact.sha256:
        raise UsageError(f"{file} has changed since it was converted: convert again, or remove {manifest.name}")
    return Found(artifact, file)


def _bare(path: Path, preprocessing: Preprocessing | None) -> Found:
    found = format_of(path)
    assert found is not None
    if not path.is_dir() and path.stat().st_size == 0:
        raise UsageError(f"{path} is empty: convert or copy it again")
    artifact = Artifact(
        model=path.stem,
        format=found.name,
        precision=UNKNOWN_PRECISION,
        status=OK,
        reason="",
        path=path.name,
        sha256=sha256_file(path),
        size_bytes=size_bytes(path),
        parameters=None,
        input=None,
        output=None,
        layout="",
        output_kind="",
        labels=(),
        preprocessing=preprocessing,
        source=None,
        notes=("no manifest: its precision and its source model are not known",),
    )
    return Found(artifact, path)
