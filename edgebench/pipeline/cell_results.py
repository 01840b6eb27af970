"""The result file of a cell: where it lies, what stands in it, the raw outputs beside it."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from edgebench.cells import cell_key
from edgebench.devices.base import DeviceInfo
from edgebench.files import atomic_path, write_json
from edgebench.pipeline.cell import Cell, Examined
from edgebench.pipeline.request import Request
from edgebench.records import Evaluation, Result


def place_of(cell: Cell, request: Request, info: DeviceInfo) -> Path:
    """Return the file that a cell's result is written to: named after what it is a result of."""
    limit = [] if request.images is None else [f"{request.images} images"]
    data = [*request.exams.data, *limit] if request.exams else []
    key = cell_key(cell.artifact, info.name, cell.runtime, request.settings, info.emulated, data)
    return request.out / cell.group / "results" / info.name / f"{key.file_name}.json"


def write_result(cell: Cell, request: Request, info: DeviceInfo, place: Path) -> Result:
    """Write what a cell has brought, and return it; the raw outputs lie in files beside."""
    where = str(cell.file) if cell.file else cell.artifact.path  # for people: the file to ship, as it was named here
    result = Result(
        artifact=dataclasses.replace(cell.artifact, path=where),
        device=info.name,
        runtime=cell.runtime,
        status=cell.status,
        reason=cell.reason,
        settings=request.settings,
        runs=tuple(cell.runs),
        evaluations=tuple(
            _evaluation(examined, place.with_name(f"{place.stem}.outputs{f'-{number}' if number > 1 else ''}.npy"))
            for number, examined in enumerate(cell.examined, 1)
        ),
        emulated=info.emulated,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    write_json(place, result, indent=None)  # thousands of samples
    return result


def _evaluation(examined: Examined, outputs: Path) -> Evaluation:
    """Return the record of one evaluation, its raw outputs written to `outputs`."""
    exam = examined.exam
    if examined.outputs is not None:
        with atomic_path(outputs) as temporary, temporary.open("wb") as stream:
            np.save(stream, examined.outputs, allow_pickle=False)
    name = "" if examined.outputs is None else outputs.name
    return Evaluation(exam.data.record, examined.accuracy, exam.perturbation, name, examined.flips)
