"""Writes the folder of an app, and holds what it answers against what edgebench measures before the folder counts."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from edgebench import __version__
from edgebench.errors import UsageError
from edgebench.files import read_json, scratch_folder, write_bytes, write_json
from edgebench.pipeline.artifacts import Found
from edgebench.pipeline.scoring import image_size
from edgebench.pipeline.shipping.program import program
from edgebench.pipeline.shipping.proof import hold_against_measured
from edgebench.records import Preprocessing, TensorSpec

MODEL, LABELS, PROGRAM = "model.json", "labels.txt", "predict.py"
WRITTEN_BY = "edgebench ship"


@dataclass(frozen=True)
class AppModel:
    """model.json: what an app in another language must know. `size` is (height, width, channels)."""

    written_by: str
    edgebench: str
    model: str
    variant: str
    file: str
    sha256: str
    size: tuple[int, int, int]
    layout: str
    preprocessing: Preprocessing
    input: TensorSpec
    output: TensorSpec
    output_kind: str


def ship(found: Found, out: Path, labels: tuple[str, ...]) -> Path:
    """Write the app of one artifact to `out` and return it; `labels` replace those of the manifest.

    The folder appears only when its predict.py gave the measured outputs. Raises UsageError where the manifest does
    not say enough, where `out` holds something that edgebench did not write, and where the answers differ.
    """
    model = _describe(found)
    _refuse_foreign(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with scratch_folder(out.parent) as scratch:
        folder = scratch / "app"
        folder.mkdir()
        _write(folder, found, model, labels or found.artifact.labels)
        hold_against_measured(found, folder)
        if out.exists():
            out.rename(scratch / "replaced")
        folder.rename(out)
    return out


def _describe(found: Found) -> AppModel:
    artifact = found.artifact
    if found.file is None:
        raise UsageError(
            f"{artifact.label} was not made, so it cannot be shipped: {artifact.status}: {artifact.reason}"
        )
    if artifact.preprocessing is None or artifact.input is None or artifact.output is None:
        raise UsageError(
            f"{found.file} has no manifest that says how pixels become its input: ship a file that "
            "`edgebench convert` made"
        )
    return AppModel(
        written_by=WRITTEN_BY,
        edgebench=__version__,
        model=artifact.model,
        variant=artifact.variant,
        file=found.file.name,
        sha256=artifact.sha256,
        size=image_size(artifact.input, artifact.layout),
        layout=artifact.layout,
        preprocessing=artifact.preprocessing,
        input=artifact.input,
        output=artifact.output,
        output_kind=artifact.output_kind,
    )


def _write(folder: Path, found: Found, model: AppModel, labels: tuple[str, ...]) -> None:
    assert found.file is not None
    if found.file.is_dir():
        shutil.copytree(found.file, folder / model.file)
    else:
        shutil.copyfile(found.file, folder / model.file)
    write_json(folder / MODEL, model)
    lines = (" ".join(label.split()) for label in labels)
    write_bytes(folder / LABELS, "".join(f"{line}\n" for line in lines).encode())
    write_bytes(folder / PROGRAM, program(found.artifact, model.file, model.size).encode())


def _refuse_foreign(out: Path) -> None:
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    marker = out / MODEL
    if not out.is_dir() or not marker.is_file() or read_json(marker).get("written_by") != WRITTEN_BY:
        raise UsageError(f"{out} holds something that edgebench did not write: name another folder with --out")
