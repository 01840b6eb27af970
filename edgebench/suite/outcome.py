"""What became of a study: one line a cell, one a step that failed, and the exit code that they come to."""

from __future__ import annotations

from dataclasses import dataclass

from edgebench.records import OK
from edgebench.suite.journal import CONVERTED, MEASURED, TRAINED
from edgebench.suite.steps import MISSING
from edgebench.suite.study import Study


@dataclass(frozen=True)
class Made:
    """One cell, or one variant where nothing is measured, as the run leaves it."""

    model: str
    variant: str
    device: str
    way: str
    status: str  # as in a result, or `missing`
    reason: str
    place: str  # of its result below the output folder; empty where it is missing
    key: str = ""

    @property
    def name(self) -> str:
        """What `--only` calls it."""
        return "/".join(part for part in (self.model, self.variant, self.device, self.way) if part)


@dataclass(frozen=True)
class Outcome:
    """Everything that was wanted, and what there is of it."""

    cells: tuple[Made, ...]
    untrained: tuple[tuple[str, str], ...]  # name and reason of trainings that are missing

    def count(self, status: str) -> int:
        """How many cells have this status."""
        return sum(cell.status == status for cell in self.cells)

    @property
    def complete(self) -> bool:
        """Whether nothing is missing and nothing has failed."""
        return not self.untrained and all(cell.status == OK for cell in self.cells)


@dataclass(frozen=True)
class Left:
    """What a run would do: steps of one kind, finished and not, and seconds for those whose like is known."""

    kind: str
    total: int
    finished: int
    seconds: float
    unknown: int  # steps without a like


def outcome_of(study: Study) -> Outcome:
    """Return what there is of everything that the plan wants."""
    untrained = tuple(
        (step.name, study.problems.get(step.name, "")) for step in study.plan.trainings if not study.find_training(step)
    )
    if not study.plan.measurements:
        return Outcome(tuple(_variants(study)), untrained)
    cells = []
    for todo in study.cells():
        cell, line = todo.cell, todo.line
        why = study.problems.get(cell.model) or study.problems.get(cell.device, "")
        status, reason, place = (line.status, line.reason, line.place) if line else (MISSING, why, "")
        cells.append(Made(cell.model, cell.variant, cell.device, cell.way, status, reason, place, cell.key))
    return Outcome(tuple(cells), untrained)


def _variants(study: Study) -> list[Made]:
    found = []
    for step in study.plan.conversions:
        for variant in step.variants:
            line = study.find_variant(step, variant)
            why = study.problems.get(step.name, "")
            status, reason, place = (line.status, line.reason, line.place) if line else (MISSING, why, "")
            found.append(Made(step.name, variant, "", "", status, reason, place))
    return found


def what_is_left(study: Study) -> list[Left]:
    """Return what a run would do now, stage by stage; times are the mean of like steps in the journal."""
    journal = study.journal
    trainings = [
        (f"{step.settings.base.partition('?')[0]} {step.name}", study.find_training(step) is not None)
        for step in study.plan.trainings
    ]
    conversions = [
        (f"{variant} {step.name}", study.is_done(study.find_variant(step, variant)))
        for step in study.plan.conversions
        for variant in step.variants
    ]
    cells = [
        (f"{todo.cell.device} {todo.cell.variant} {todo.cell.model}", study.is_done(todo.line))
        for todo in study.cells()
    ]
    found = []
    for kind, named in ((TRAINED, trainings), (CONVERTED, conversions), (MEASURED, cells)):
        times = [journal.seconds(kind, like) for like, done in named if not done]
        known = [time for time in times if time is not None]
        finished = sum(done for _, done in named)
        found.append(Left(kind, len(named), finished, sum(known), len(times) - len(known)))
    return found
