"""A plan and its journal: which steps are finished, and which are left."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from edgebench.errors import UsageError
from edgebench.pipeline.manifests import Order
from edgebench.pipeline.request import Measuring
from edgebench.records import OK
from edgebench.suite import steps
from edgebench.suite.errors import nearest
from edgebench.suite.events import Tell
from edgebench.suite.journal import Journal, Line
from edgebench.suite.plan import ConvertStep, Meanings, MeasureStep, Plan, TrainStep, order_of
from edgebench.suite.steps import Cell

if TYPE_CHECKING:
    from edgebench.suite.cluster import Cluster  # which imports Dask


@dataclass(frozen=True)
class Wishes:
    """What was typed at `edgebench run` beside the suite."""

    only: tuple[str, ...] = ()  # globs of cells
    retry_failed: bool = False
    jobs: int = 1  # conversions side by side


@dataclass(frozen=True)
class Todo:
    """A cell that is wanted, with the line that says it is finished; None where it is not."""

    cell: Cell
    line: Line | None


@dataclass
class Study:
    """A plan with its journal: what every stage works on."""

    plan: Plan
    meanings: Meanings
    journal: Journal
    wishes: Wishes
    tell: Tell
    project: Path  # whose devices.toml counts first
    cluster: Cluster | None = None
    problems: dict[str, str] = field(default_factory=dict)  # model or device -> why its cells are missing
    _orders: dict[str, Order | None] = field(default_factory=dict)
    _read: dict[int, tuple[Measuring, list[str]]] = field(default_factory=dict)
    _again: bool = False

    @property
    def out(self) -> Path:
        """The output folder."""
        return self.plan.suite.out

    def is_done(self, line: Line | None) -> bool:
        """Whether a line ends its step; with --retry-failed a failure does not, unless it is of this very run."""
        return line is not None and (line.status == OK or not self.wishes.retry_failed or self.journal.is_new(line))

    def find_training(self, step: TrainStep) -> Line | None:
        """Return the line of a training whose model lies there."""
        line = self.journal.find(steps.train_key(step))
        return line if steps.trained(line, self.out) else None

    def order(self, step: ConvertStep) -> Order | None:
        """Return what is wanted of a model; None while it is not trained, or where its order is a problem."""
        if step.name not in self._orders:
            order = step.order if not self._again else None
            if order is None and (step.trained is None or self.find_training(step.trained)):
                try:
                    order = dataclasses.replace(order_of(step, self.meanings), variants=step.variants)
                except UsageError as error:
                    self.problems[step.name] = str(error)
            self._orders[step.name] = order
        return self._orders[step.name]

    def find_variant(self, step: ConvertStep, variant: str) -> Line | None:
        """Return the line of a variant that lies there."""
        order = self.order(step)
        return steps.find_variant(step, order, variant, self.journal) if order else None

    def ways(self) -> Iterator[tuple[MeasureStep, Measuring, list[Todo]]]:
        """Yield every way to measure, with its cells as they stand now."""
        for step in self.plan.measurements:
            scenario = id(step.scenario)
            if scenario not in self._read:
                how = self.meanings.measuring(**step.params) if self._again else step.how
                self._read[scenario] = how, steps.evaluation_hashes(how, step.params)
            how, images = self._read[scenario]
            yield step, how, list(self._cells(step, how, images))

    def look_again(self) -> None:
        """Read the images anew where they are needed next: a training has drawn their split."""
        self._again = True
        self._read.clear()
        self._orders.clear()

    def cells(self) -> list[Todo]:
        """Return every cell that is wanted."""
        return [todo for *_, found in self.ways() for todo in found]

    def _cells(self, step: MeasureStep, how: Measuring, images: list[str]) -> Iterator[Todo]:
        by_name = {one.name: one for one in self.plan.conversions}
        for way, settings, base in steps.cell_keys(step, how, images):
            for model, variant in step.cells:
                made = self.find_variant(by_name[model], variant)
                key = steps.cell_key(base, model, variant, made) if made else ""
                line = self.journal.find(key) if key else None
                cell = Cell(model, variant, step.device, way, settings, key)
                yield Todo(cell, line if steps.measured(line, self.out) else None)


def restricted(plan: Plan, globs: Sequence[str]) -> Plan:
    """Return the plan with only the cells that a glob names, and what they need. Raises UsageError where none does.

    A cell's name is MODEL/VARIANT/DEVICE, and /WAY where there are several; a `*` goes across.
    """
    if not globs:
        return plan
    names = [f"{step.name}/{variant}" for step in plan.conversions for variant in step.variants]
    measurements = []
    for step in plan.measurements:
        way = [step.scenario.label] if step.scenario.label else []
        called = {cell: "/".join((*cell, step.device, *way)) for cell in step.cells}
        names += called.values()
        kept = tuple(cell for cell, name in called.items() if _named(globs, name))
        if kept:
            measurements.append(dataclasses.replace(step, cells=kept))
    for glob in globs:
        if not any(_named([glob], name) for name in names):
            raise UsageError(f"--only {glob}: no cell is called so: {nearest(glob, names[:200])}")
    needed = {cell for step in measurements for cell in step.cells}
    if not plan.measurements:
        needed = {(s.name, v) for s in plan.conversions for v in s.variants if _named(globs, f"{s.name}/{v}")}
    conversions = []
    for one in plan.conversions:
        variants = tuple(variant for variant in one.variants if (one.name, variant) in needed)
        if variants:
            order = one.order and dataclasses.replace(one.order, variants=variants)
            conversions.append(dataclasses.replace(one, variants=variants, order=order))
    wanted = {one.trained.name for one in conversions if one.trained}
    trainings = tuple(one for one in plan.trainings if one.name in wanted)
    return Plan(plan.suite, trainings, tuple(conversions), tuple(measurements))


def _named(globs: Sequence[str], name: str) -> bool:
    return any(fnmatchcase(name, glob) or fnmatchcase(name, f"{glob}/*") for glob in globs)
