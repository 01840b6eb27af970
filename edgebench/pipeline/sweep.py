"""The cells of one device, measured in turn: memory and accuracy cell by cell, latency in rounds of random order."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgebench import registry
from edgebench.devices.base import Device, DeviceInfo, Lending, OnDevice, Outcome
from edgebench.devices.returns import judge
from edgebench.errors import EdgebenchError
from edgebench.images.evaluation import stratified
from edgebench.measures.latency import enough_processes
from edgebench.pipeline.artifacts import Found
from edgebench.pipeline.cell import Cell, Examined, Pixels
from edgebench.pipeline.evaluations import Exams, Rows
from edgebench.pipeline.events import CellFailed, JobStarted, Tell
from edgebench.pipeline.flips import find_flips
from edgebench.pipeline.journal import Journal
from edgebench.pipeline.perturbed import PerturbedImages
from edgebench.pipeline.request import PLAIN, Request
from edgebench.pipeline.resting import rest
from edgebench.pipeline.scoring import Exam, score_outputs
from edgebench.records import FAILED, OK, Job, Preprocessing
from edgebench.runner.preprocess import guess_layout


class Sweep:
    """One profile on one device: the cells share its connection, its journal and the exams of its models."""

    def __init__(self, request: Request, device: Device, info: DeviceInfo, journal: Journal, tell: Tell) -> None:
        self._request, self._device, self._info, self._journal, self._tell = request, device, info, journal, tell
        self._done = self._total = 0
        self._rest_due = False

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
        processes = 1 if self._info.emulated else settings.processes  # its times are not shown
        self._total = len(live) * (1 + processes + len(exams or ()) + settings.operators)
        for cell in live:
            self._run(cell, "memory")
            self._describe(cell)
            if exams is not None:
                self._examine(cell, exams)
            if settings.operators:
                self._run(cell, "operators")
        if exams is not None:
            self._perturb(live, exams)
        order = random.Random(settings.seed)  # noqa: S311 (an order of measurement, not a secret)
        for repetition in range(processes):
            self._rest_due = True
            for cell in order.sample(live, len(live)):
                self._run(cell, "latency", repetition=repetition)
        for repetition in range(processes, 0 if self._info.emulated else settings.max_processes):
            # for those whose processes disagree
            self._rest_due = True
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
        """Make every evaluation of the cell; its latency is then measured with the images of the first."""
        if cell.status != OK:
            self._done += len(exams) - len(exams.perturbations)
            return
        for exam in exams.of(cell.artifact, self._preprocessing(cell)):
            rows = self._rows(cell, exam, len(exams))
            images, sha256 = exams.images(exam, rows)
            pixels = (self._device.put(images, sha256), sha256)
            cell.images = cell.images if cell.examined else pixels
            cell.examined.append(Examined(exam, rows))
            outcome = self._run(cell, "accuracy", pixels)
            if outcome is not None and outcome.run.status == OK and outcome.outputs is not None:
                job = self._job(cell, "accuracy", pixels)
                self._score(cell, outcome.outputs, rows, self._host(exams, cell, job, images))

    def _host(self, exams: Exams, cell: Cell, job: Job, images: Path) -> npt.NDArray[np.float32] | None:
        """Return what this machine says for the same artifact and images, where the device is another one."""
        assert cell.file is not None
        return exams.host_outputs(job, cell.file, images) if self._info.remote else None

    def _score(
        self, cell: Cell, outputs: npt.NDArray[np.float32], rows: Rows, host: npt.NDArray[np.float32] | None
    ) -> None:
        examined = cell.examined[-1]
        try:
            examined.accuracy = score_outputs(examined.exam, outputs, rows, cell.artifact, host)
            examined.outputs = outputs
            examined.flips = find_flips(examined.exam, outputs, rows, cell.artifact)
        except EdgebenchError as error:
            cell.fail(FAILED, str(error))

    def _perturb(self, cells: list[Cell], exams: Exams) -> None:
        """Evaluate all cells under one perturbation after the other: its images are made once for those of one size."""
        for number in range(len(exams.perturbations)):
            groups: dict[str, tuple[PerturbedImages, list[tuple[Cell, Exam]]]] = {}
            for cell in cells:
                if cell.status != OK or not cell.examined:
                    self._done += 1
                    continue
                exam = exams.perturbed(cell.artifact, self._preprocessing(cell))[number]
                images = exams.perturbed_images(exam, cell.examined[0].rows)
                groups.setdefault(images.sha256, (images, []))[1].append((cell, exam))
            for images, members in groups.values():
                with images:
                    for cell, exam in members:
                        self._examine_perturbed(cell, exam, images)
                if isinstance(self._device, Lending):  # not after an interruption: a job there may still read them
                    self._device.take_back(images.sha256)

    def _examine_perturbed(self, cell: Cell, exam: Exam, images: PerturbedImages) -> None:
        """Score one cell on perturbed images; of its outputs only the counts are kept."""
        self._done += 1
        clean = cell.examined[0]
        examined = Examined(exam, clean.rows)
        cell.examined.append(examined)
        assert exam.perturbation is not None
        if exam.perturbation.severity == 0:
            examined.accuracy = clean.accuracy and dataclasses.replace(clean.accuracy, classes=None)
            return
        job = self._job(cell, "accuracy", ("", images.sha256))
        examined.accuracy = self._journal.find_accuracy(job)
        if examined.accuracy is None:
            self._run_perturbed(cell, examined, job, images)

    def _run_perturbed(self, cell: Cell, examined: Examined, job: Job, images: PerturbedImages) -> None:
        device, name, what = self._info.name, cell.name, examined.exam.perturbation
        assert what is not None
        self._tell(JobStarted(device, name, what.label, self._done, self._total))
        outcome = self._journal.find(job)
        if outcome is None:
            give = self._device.lend if isinstance(self._device, Lending) else self._device.put
            sent = dataclasses.replace(job, images=give(images.path(), images.sha256))
            outcome = self._device.run(sent, lambda event: self._tell(OnDevice(device, event, name, what.label)))
        try:
            if outcome.outputs is not None:
                examined.accuracy = score_outputs(examined.exam, outcome.outputs, examined.rows, cell.artifact)
        except EdgebenchError as error:
            cell.fail(FAILED, str(error))
        self._journal.add(job, Outcome(outcome.run, None), examined.accuracy)
        if outcome.run.status != OK:
            cell.fail(outcome.run.status, f"accuracy under {what.label}: {outcome.run.reason}")
            self._tell(CellFailed(name, cell.status, cell.reason))

    def _rows(self, cell: Cell, exam: Exam, exams: int) -> Rows:
        """Choose the images for an accuracy run: all, the user's number, or what fits its share of the time budget."""
        labels = exam.data.labels
        count = self._request.images or len(labels)
        first = next((run.first_inference_ns for run in cell.runs if run.first_inference_ns), None)
        if self._request.images is None and self._request.budget_seconds is not None and first:
            count = max(20, int(self._request.budget_seconds / exams * 1e9 / first))
        return () if count >= len(labels) else tuple(stratified(labels, count, self._request.settings.seed))

    def _preprocessing(self, cell: Cell) -> Preprocessing:
        return cell.artifact.preprocessing or self._request.preprocessing or PLAIN

    def _run(self, cell: Cell, kind: str, pixels: Pixels | None = None, repetition: int = 0) -> Outcome | None:
        """Run one job of a cell, or find what it brought before the interruption. None where the cell has failed."""
        self._done += 1
        if cell.status != OK:
            return None
        job = self._job(cell, kind, pixels or cell.images, repetition)
        device, name = self._info.name, cell.name
        self._tell(JobStarted(device, name, kind, self._done, self._total))
        outcome = self._journal.find(job)
        if outcome is None:
            self._rest(name)
            outcome = self._device.run(job, lambda event: self._tell(OnDevice(device, event, name, kind)))
            outcome = judge(job, outcome)
            self._journal.add(job, outcome)
        cell.runs.append(outcome.run)
        if outcome.run.status != OK:
            cell.fail(outcome.run.status, f"{kind}: {outcome.run.reason}")
            self._tell(CellFailed(name, cell.status, cell.reason))
        return outcome

    def _rest(self, cell: str) -> None:
        """Let the device cool down before a round, where anything of the round is still to be measured."""
        if self._rest_due:
            self._rest_due = False
            wish, name = self._request.rest or self._info.rest, self._info.name
            rest(self._device, wish, lambda event: self._tell(OnDevice(name, event, cell, "rest")))

    def _job(self, cell: Cell, kind: str, pixels: Pixels, repetition: int = 0) -> Job:
        artifact = cell.artifact
        assert cell.file is not None
        images, sha256 = pixels
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
