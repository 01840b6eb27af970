"""Measure artifacts on one device: fresh processes, interleaved, each kept once finished; a result for every cell."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from edgebench import registry
from edgebench.devices.base import Device, DeviceInfo, OnDevice, Outcome
from edgebench.errors import EdgebenchError
from edgebench.files import atomic_path, write_json
from edgebench.images.evaluation import stratified
from edgebench.measures.latency import enough_processes
from edgebench.pipeline.artifacts import Found
from edgebench.pipeline.evaluations import Exams, Rows
from edgebench.pipeline.events import CellFailed, JobStarted, Resumed, Tell
from edgebench.pipeline.journal import Journal, exclusive
from edgebench.pipeline.scoring import Exam, score_outputs
from edgebench.records import FAILED, OK, Accuracy, Artifact, Job, Preprocessing, Result, Run, Settings
from edgebench.runner.preprocess import guess_layout

PLAIN = Preprocessing("none")


@dataclass(frozen=True)
class Request:
    """What to measure, and with what. `images` limits the accuracy run; None leaves it to the device's budget."""

    found: Sequence[Found]
    exams: Exams | None  # None: no images, so no accuracy
    settings: Settings
    out: Path
    runtime: str | None = None
    images: int | None = None
    budget_seconds: float | None = None
    preprocessing: Preprocessing | None = None
    fresh: bool = False


@dataclass
class Cell:
    """One artifact on one device while it is being measured."""

    artifact: Artifact
    file: Path | None
    runtime: str
    group: str = ""
    status: str = OK
    reason: str = ""
    runs: list[Run] = field(default_factory=list)
    exam: Exam | None = None
    rows: Rows = ()
    images: tuple[str, str] = ("", "")  # path on the device and hash; empty: seeded random images
    accuracy: Accuracy | None = None
    outputs: Any = None

    @property
    def name(self) -> str:
        """Model and variant, and whether it is the baseline's."""
        return f"{self.group} {self.artifact.label}".lstrip()

    def fail(self, status: str, reason: str) -> None:
        """Keep the first thing that went wrong; what was measured before it stays."""
        if self.status == OK:
            self.status, self.reason = status, reason


def profile(request: Request, device: Device, tell: Tell) -> list[Result]:
    """Measure every artifact of the request on `device` and write one result file for each.

    Finished runs are kept at once, so an interrupted profile goes on where it stopped. Raises UsageError for input
    that no cell could use; whatever breaks in one cell is that cell's status.
    """
    folder = request.out / "results" / device.name
    with exclusive(folder, device.name), device:
        info = device.info()
        journal = Journal(folder / "runs")
        if request.fresh:
            journal.clear()
        if len(journal):
            tell(Resumed(device.name, len(journal)))
        sweep = _Sweep(request, device, info, journal, tell)
        cells = [sweep.plan(found) for found in request.found]
        sweep.measure(cells)
        results = [_write(cell, request, info) for cell in cells]
        journal.clear()
    return results


class _Sweep:
    """One profile on one device: the cells share its connection, its journal and the exams of its models."""

    def __init__(self, request: Request, device: Device, info: DeviceInfo, journal: Journal, tell: Tell) -> None:
        self._request, self._device, self._info, self._journal, self._tell = request, device, info, journal, tell
        self._done = self._total = 0

    def plan(self, found: Found) -> Cell:
        """Choose the runtime for an artifact, or say why none will do."""
        artifact = found.artifact
        chosen = self._request.runtime
        choices = (chosen,) if chosen else tuple(runtime.name for runtime in registry.runtimes_of(artifact.format))
        present = [runtime for runtime in choices if runtime in self._info.runtimes]
        cell = Cell(artifact, found.file, present[0] if present else choices[0], found.group)
        if artifact.status != OK:
            cell.fail(artifact.status, f"conversion: {artifact.reason}")
        elif not present:
            why = self._info.reasons.get(artifact.format, "")
            cell.fail(FAILED, f"{' or '.join(choices)} is not installed on {self._info.name}{why and ': ' + why}")
        return cell

    def measure(self, cells: list[Cell]) -> None:
        """Memory and accuracy cell by cell, then latency in rounds of random order, so that drift hurts all alike."""
        live = [cell for cell in cells if cell.status == OK]
        settings = self._request.settings
        exams = self._request.exams
        self._total = len(live) * (1 + settings.processes + (exams is not None) + settings.operators)
        for cell in live:
            self._run(cell, "memory")
            self._describe(cell)
            if exams is not None:
                self._examine(cell, exams)
            if settings.operators:
                self._run(cell, "operators")
        order = random.Random(settings.seed)  # noqa: S311 (an order of measurement, not a secret)
        for repetition in range(settings.processes):
            for cell in order.sample(live, len(live)):
                self._run(cell, "latency", repetition=repetition)
        for repetition in range(settings.processes, settings.max_processes):  # for those whose processes disagree
            well = [cell for cell in live if cell.status == OK]
            unsure = {cell.artifact.label for cell in well if not enough_processes(cell.runs, settings)}
            again = [cell for cell in well if cell.artifact.label in unsure]  # a cell and its baseline go on together
            self._total += len(again)
            for cell in order.sample(again, len(again)):
                self._run(cell, "latency", repetition=repetition)

    def _describe(self, cell: Cell) -> None:
        """Fill in what a bare file's manifest would have said, from what its runtime found in it."""
        if cell.status != OK or cell.artifact.input is not None:
            return
        run = cell.runs[-1]
        assert run.input is not None
        cell.artifact = dataclasses.replace(
            cell.artifact, input=run.input, output=run.output, layout=guess_layout(run.input.shape)
        )

    def _examine(self, cell: Cell, exams: Exams) -> None:
        if cell.status != OK:
            self._done += 1
            return
        cell.exam = exams.of(cell.artifact, self._preprocessing(cell))
        cell.rows = self._rows(cell)
        images, sha256 = exams.images(cell.exam, cell.rows)
        cell.images = (self._device.put(images, sha256), sha256)
        outcome = self._run(cell, "accuracy")
        if outcome is None or outcome.outputs is None:
            return
        host = None
        if self._info.remote:
            assert cell.file is not None
            host = exams.host_outputs(self._job(cell, "accuracy", 0), cell.file, images)
        try:
            cell.accuracy = score_outputs(cell.exam, outcome.outputs, cell.rows, cell.artifact, host)
            cell.outputs = outcome.outputs
        except EdgebenchError as error:
            cell.fail(FAILED, str(error))

    def _rows(self, cell: Cell) -> Rows:
        """Choose the images for the accuracy run: all, the user's number, or what fits the time budget."""
        assert cell.exam is not None
        labels = cell.exam.data.labels
        count = self._request.images or len(labels)
        first = cell.runs[-1].first_inference_ns
        if self._request.images is None and self._request.budget_seconds is not None and first:
            count = max(20, int(self._request.budget_seconds * 1e9 / first))
        return () if count >= len(labels) else tuple(stratified(labels, count, self._request.settings.seed))

    def _preprocessing(self, cell: Cell) -> Preprocessing:
        return cell.artifact.preprocessing or self._request.preprocessing or PLAIN

    def _run(self, cell: Cell, kind: str, repetition: int = 0) -> Outcome | None:
        """Run one job of a cell, or find what it brought before the interruption. None where the cell has failed."""
        self._done += 1
        if cell.status != OK:
            return None
        job = self._job(cell, kind, repetition)
        device, name = self._info.name, cell.name
        self._tell(JobStarted(device, name, kind, self._done, self._total))
        outcome = self._journal.find(job)
        if outcome is None:
            outcome = self._device.run(job, lambda event: self._tell(OnDevice(device, event, name, kind)))
            self._journal.add(job, outcome)
        cell.runs.append(outcome.run)
        if outcome.run.status != OK:
            cell.fail(outcome.run.status, f"{kind}: {outcome.run.reason}")
            self._tell(CellFailed(name, cell.status, cell.reason))
        return outcome

    def _job(self, cell: Cell, kind: str, repetition: int) -> Job:
        artifact = cell.artifact
        assert cell.file is not None
        images, sha256 = cell.images
        return Job(
            kind=kind,
            artifact=self._device.put(cell.file, artifact.sha256),
            artifact_sha256=artifact.sha256,
            runtime=cell.runtime,
            runtime_module=registry.find_runtime(cell.runtime).module,
            input=artifact.input,
            output=artifact.output,
            layout=artifact.layout,
            preprocessing=self._preprocessing(cell),
            images=images,
            images_sha256=sha256,
            settings=self._request.settings,
            repetition=repetition,
            cell=cell.name,
        )


def result_name(artifact: Artifact, runtime: str, settings: Settings, with_data: bool) -> str:
    """Name a result's file; what differs from the defaults is in it, so that it does not replace the default's."""
    parts = [artifact.model, artifact.format, artifact.precision]
    parts += [runtime] if runtime != registry.runtimes_of(artifact.format)[0].name else []
    parts += [f"{settings.threads}threads"] if settings.threads != 1 else []
    parts += [f"batch{settings.batch}"] if settings.batch != 1 else []
    parts += [f"{settings.rate_hz:g}hz"] if settings.rate_hz else []
    parts += [f"sustained{settings.sustained_seconds:g}s"] if settings.sustained_seconds else []
    parts += [] if with_data else ["nodata"]
    return "-".join(parts)


def _write(cell: Cell, request: Request, info: DeviceInfo) -> Result:
    folder = request.out / cell.group / "results" / info.name
    name = result_name(cell.artifact, cell.runtime, request.settings, request.exams is not None)
    outputs = ""
    if cell.outputs is not None:
        outputs = f"{name}.outputs.npy"
        with atomic_path(folder / outputs) as temporary, temporary.open("wb") as stream:
            np.save(stream, cell.outputs, allow_pickle=False)
    result = Result(
        artifact=cell.artifact,
        device=info.name,
        runtime=cell.runtime,
        status=cell.status,
        reason=cell.reason,
        settings=request.settings,
        runs=tuple(cell.runs),
        evaluation=cell.exam.data.record if cell.exam else None,
        accuracy=cell.accuracy,
        outputs=outputs,
        emulated=info.emulated,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    write_json(folder / f"{name}.json", result, indent=None)  # thousands of samples
    return result
