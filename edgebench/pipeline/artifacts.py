"""Finding artifacts on disk: those edgebench made, with their manifests, and bare files from elsewhere."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgebench import registry
from edgebench.errors import UsageError
from edgebench.files import exists, is_safe_name, read_record, safe_name, sha256_file, shown, size_bytes
from edgebench.images.datasets import MOST_CLASSES
from edgebench.images.preprocessing import check_numbers
from edgebench.pipeline.labels import label_lies
from edgebench.records import FAILED, OK, STATUSES, Artifact, Preprocessing, TensorSpec
from edgebench.variants import Format

UNKNOWN_PRECISION = "unknown"
BASELINE = "baseline"
LAYOUTS = ("NHWC", "NCHW")
MOST_EDGE = 100_000  # pixels


@dataclass(frozen=True)
class Found:
    """An artifact and where its file lies; `file` is None where the conversion failed.

    Results of a `group` go to a folder of that name: a baseline is measured in turn with what is compared with it.
    """

    artifact: Artifact
    file: Path | None
    group: str = ""


def find_artifacts(
    paths: Sequence[Path], preprocessing: Preprocessing | None, group: str = "", audited: bool = True
) -> list[Found]:
    """Return the artifacts under `paths`, in a stable order.

    A bare .tflite, .onnx or SavedModel folder is taken as it is, with the user's `preprocessing`.
    An artifact whose label is not true of its file is one that failed, with the reason; without `audited` nobody
    looks. Raises UsageError where a path does not exist or holds no artifact, and where two would have one result.
    """
    found: dict[Path, Found] = {}
    for path in paths:
        if not exists(path):
            wanted = "give a .tflite, .onnx or SavedModel, or a folder from convert"
            raise UsageError(f"no artifact at {shown(path)}: {wanted}")
        here = _find(path, preprocessing)
        if not here:
            raise UsageError(f"{path} holds no artifact: `edgebench convert MODEL --to all` makes them")
        for item in here:
            _refuse_other_rule(item, preprocessing)
            found[(item.file or Path(item.artifact.model, item.artifact.variant)).absolute()] = item
    _refuse_namesakes(found)
    return [dataclasses.replace(_audited(item) if audited else item, group=group) for item in found.values()]


def _audited(item: Found) -> Found:
    if item.file is None or item.artifact.precision == UNKNOWN_PRECISION:
        return item
    wrong = label_lies(item.artifact, item.file)
    if not wrong:
        return item
    refused = dataclasses.replace(item.artifact, status=FAILED, reason=f"its label is not true: {wrong}")
    return dataclasses.replace(item, artifact=refused, file=None)


def format_of(path: Path) -> Format | None:
    """Return the format of a file or folder, by its name's ending or by the file that marks such a folder."""
    marked = (one for one in registry.formats().values() if one.marker and (path / one.marker).exists())
    return _named(path) or next(marked, None)


def _named(path: Path) -> Format | None:
    return next((one for one in registry.formats().values() if one.suffix == path.suffix), None)


def _refuse_other_rule(item: Found, preprocessing: Preprocessing | None) -> None:
    """Raise UsageError where the user's rule would be ignored: the file's manifest says how its images are prepared."""
    own = item.artifact.preprocessing
    if preprocessing is not None and own is not None and own != preprocessing:
        raise UsageError(
            f"--preprocess {preprocessing.rule} is for files without a manifest, and that of {item.artifact.label} "
            f"says {own.rule}: leave it out, or convert again with it"
        )


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
    _check(artifact, manifest)
    if artifact.status != OK:
        return Found(artifact, None)
    if not artifact.path or Path(artifact.path).name != artifact.path:
        raise UsageError(f"{manifest} names the file {artifact.path!r}, which does not lie beside it")
    file = manifest.parent / artifact.path
    if not exists(file):
        raise UsageError(f"{manifest} describes {artifact.path}, which is gone: convert again")
    if sha256_file(file) != artifact.sha256:
        raise UsageError(f"{file} has changed since it was converted: convert again, or remove {manifest.name}")
    return Found(artifact, file)


def _check(artifact: Artifact, manifest: Path) -> None:
    """Raise UsageError for a manifest that no conversion wrote: it may come from anywhere, and names become paths."""
    for key, value in (("model", artifact.model), ("precision", artifact.precision)):
        if not is_safe_name(value):
            raise UsageError(f"{shown(manifest)} is not a valid manifest: its {key} is {value[:80]!r}")
    for key, value, known in (
        ("format", artifact.format, registry.formats()),
        ("status", artifact.status, STATUSES),
        ("layout", artifact.layout, ("", *LAYOUTS)),
    ):
        if value not in known:
            raise UsageError(f"{shown(manifest)} is not a valid manifest: its {key} is {value[:80]!r}")
    if artifact.status == OK and not (_is_image(artifact.input) and _is_scores(artifact.output)):
        raise UsageError(f"{shown(manifest)} is not a valid manifest: its input or output is no image classifier's")
    if artifact.preprocessing is not None:
        check_numbers(artifact.preprocessing, f"{shown(manifest)}, preprocessing")


def _is_image(spec: TensorSpec | None) -> bool:
    return spec is None or (len(spec.shape) in (3, 4) and all(0 < edge <= MOST_EDGE for edge in spec.shape))


def _is_scores(spec: TensorSpec | None) -> bool:
    return spec is None or (len(spec.shape) > 0 and all(0 < edge <= MOST_CLASSES for edge in spec.shape))


def _bare(path: Path, preprocessing: Preprocessing | None) -> Found:
    found = format_of(path)
    assert found is not None
    if not path.is_dir() and path.stat().st_size == 0:
        raise UsageError(f"{path} is empty: convert or copy it again")
    artifact = Artifact(
        model=safe_name(path.stem),
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
