"""The third stage: each way to measure on every device, the devices side by side, on one device never two at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from edgebench import leftovers
from edgebench.devices.base import Device
from edgebench.devices.registry import open_device
from edgebench.errors import EdgebenchError
from edgebench.pipeline import conversion_cache as cache
from edgebench.pipeline.artifacts import Found, find_artifacts
from edgebench.pipeline.completion import forget, session_of
from edgebench.pipeline.evaluations import Exams, prepare
from edgebench.pipeline.parallel import Stoppable, on_every
from edgebench.pipeline.profile import profile_files
from edgebench.pipeline.request import PLAIN, Measuring, Request
from edgebench.records import Result
from edgebench.suite.events import MEASURE, StageStarted
from edgebench.suite.journal import MEASURED, Line
from edgebench.suite.steps import Cell
from edgebench.suite.study import Study, Todo
from edgebench.suite.workers import folder_of, is_worker


def measure_all(study: Study) -> None:
    """Measure what is not measured. Raises KeyboardInterrupt at once when the user stops it."""
    ways = list(study.ways())
    every = [todo for *_, todos in ways for todo in todos]
    if every:
        study.tell(StageStarted(MEASURE, len(every), sum(study.is_done(todo.line) for todo in every)))
    for _, group in groupby(ways, key=lambda way: id(way[0].scenario)):
        members = list(group)
        wanted = {step.device: _wanted(study, todos) for step, _, todos in members}
        if any(wanted.values()):
            with Stoppable(study.tell) as tell:
                _Round(study, members[0][1], tell).measure(wanted)
    _forget_finished(study)


def _wanted(study: Study, todos: Sequence[Todo]) -> list[Todo]:
    return [todo for todo in todos if todo.cell.key and not study.is_done(todo.line)]


def _forget_finished(study: Study) -> None:
    """Remove the journals of devices on which nothing of the suite is left to do."""
    left: dict[str, bool] = {}
    for todo in study.cells():
        left[todo.cell.device] = left.get(todo.cell.device, False) or not study.is_done(todo.line)
    forget(study.out, [folder_of(device) for device, more in left.items() if not more])


class _Round:
    """One way to measure, on all devices that have something to do."""

    def __init__(self, study: Study, how: Measuring, tell: Stoppable) -> None:
        self._study, self._how, self._tell = study, how, tell
        self._found: dict[tuple[str, str], Found] = {}
        self._exams: Exams | None = None

    def measure(self, wanted: dict[str, list[Todo]]) -> None:
        """Measure the cells that are wanted of each device. A device that is lost costs its own cells."""
        study = self._study
        leftovers.drop(study.out / "cache", deep=True)
        self._prepare([todo for todos in wanted.values() for todo in todos])
        session = session_of(study.out, fresh=False)
        names = [name for name, todos in wanted.items() if todos]
        devices = [self._open(name, session) for name in names]

        device_name = {id(device): name for device, name in zip(devices, names, strict=True)}

        def measure(device: Device) -> list[Result]:
            name = device_name[id(device)]
            try:
                return self._on_device(device, wanted[name])
            except EdgebenchError as error:
                study.problems[name] = str(error)
                raise

        _, lost = on_every(measure, devices, self._tell)
        for error in lost:  # also what was not foreseen there
            for name in names:
                study.problems.setdefault(name, str(error))

    def _open(self, name: str, session: str) -> Device:
        study = self._study
        if not is_worker(name):
            return open_device(name, study.project, session, self._tell)
        from edgebench.suite.worker_device import WorkerDevice  # which imports Dask

        assert study.cluster is not None
        return WorkerDevice(study.cluster, study.cluster.find(folder_of(name)))

    def _prepare(self, todos: Sequence[Todo]) -> None:
        """Find the artifacts and make their exams; what is wrong with one model costs that model's cells."""
        how, study = self._how, self._study
        if how.datasets:
            self._exams = Exams(how.datasets, study.out / "cache", self._tell, how.perturbations, how.trust)
        found: dict[str, list[Found]] = {}
        for model in dict.fromkeys(todo.cell.model for todo in todos):
            variants = list(dict.fromkeys(todo.cell.variant for todo in todos if todo.cell.model == model))
            try:
                found[model] = find_artifacts([self._manifest(model, variant) for variant in variants], how.rule)
            except EdgebenchError as error:
                study.problems[model] = str(error)
        if study.cluster is not None and how.datasets:
            from edgebench.suite.references import make_references  # which imports Dask

            make_references(
                study.cluster, [item for items in found.values() for item in items], how, study.out / "cache"
            )
        for model, items in found.items():
            try:
                if self._exams is not None:
                    prepare(self._exams, [item.artifact for item in items], how.rule or PLAIN)
                self._found |= {(model, item.artifact.variant): item for item in items}
            except EdgebenchError as error:
                study.problems[model] = str(error)

    def _manifest(self, model: str, variant: str) -> Path:
        step = next(one for one in self._study.plan.conversions if one.name == model)
        return cache.manifest_path(step.path(self._study.out, variant))

    def _on_device(self, device: Device, todos: Sequence[Todo]) -> list[Result]:
        """Measure all cells of one device, way by way, and write down what came of each."""
        study, results = self._study, []
        base = dataclasses.replace(
            self._how.request([], study.out, only_failed=study.wishes.retry_failed), exams=self._exams
        )
        for settings, request in zip(self._how.scenarios, self._how.on(device, base), strict=True):
            mine = [todo.cell for todo in todos if todo.cell.settings == settings]
            cells = [cell for cell in mine if (cell.model, cell.variant) in self._found]
            if not cells:
                continue
            found = [self._found[cell.model, cell.variant] for cell in cells]
            made = profile_files(_with(request, found), device, self._tell)
            for cell, (path, result) in zip(cells, made.items(), strict=True):
                study.journal.add(_line(cell, path, result, study.out))
                results.append(result)
        return results


def _with(request: Request, found: Sequence[Found]) -> Request:
    return dataclasses.replace(request, found=found)


def _line(cell: Cell, path: Path, result: Result, out: Path) -> Line:
    like = f"{cell.device} {cell.variant} {cell.model}"
    seconds = sum(run.seconds for run in result.runs)
    place = str(path.relative_to(out))
    return Line(MEASURED, place, cell.key, result.status, result.reason, like=like, seconds=seconds)
