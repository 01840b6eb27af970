"""The first stage: models to train, one after the other, for each takes the whole machine."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from edgebench.errors import EdgebenchError
from edgebench.files import read_record, sha256_file
from edgebench.records import OK, TrainingRecord
from edgebench.suite import steps
from edgebench.suite.events import TRAIN, StageStarted, StepDone, StepStarted
from edgebench.suite.journal import TRAINED, Line
from edgebench.suite.plan import TrainStep
from edgebench.suite.study import Study
from edgebench.training.job import INTERRUPTED
from edgebench.training.outputs import RECORD
from edgebench.training.run import train

Trainer = Callable[[Study, TrainStep], None]
"""Trains one model into the study's output folder. Raises EdgebenchError where that cannot be done."""


def train_all(study: Study, trainer: Trainer | None = None, jobs: int = 1) -> None:
    """Train what is not trained, `jobs` at once where a cluster does it.

    Raises KeyboardInterrupt where the user stops one: its best epoch is kept.
    """
    todo = []
    for step in study.plan.trainings:
        if not study.find_training(step):
            todo.append(step)
    total = len(study.plan.trainings)
    if total:
        study.tell(StageStarted(TRAIN, total, total - len(todo)))
    if trainer is None or jobs == 1:
        for step in todo:
            _train(study, step, trainer or train_here)
    else:
        with ThreadPoolExecutor(jobs) as pool:
            for future in [pool.submit(_train, study, step, trainer) for step in todo]:
                future.result()
    if todo:
        study.look_again()


def _train(study: Study, step: TrainStep, trainer: Trainer) -> None:
    study.tell(StepStarted(TRAIN, step.name))
    try:
        _make_room(study, step)
        trainer(study, step)
        _note(study, step)
        study.tell(StepDone(TRAIN, step.name))
    except EdgebenchError as error:
        study.problems[step.name] = str(error)
        study.tell(StepDone(TRAIN, step.name, str(error)))


def train_here(study: Study, step: TrainStep) -> None:
    """Train on this machine."""
    trained = train(step.settings, study.out, study.tell)
    if trained.record.stopped == INTERRUPTED:
        raise KeyboardInterrupt


def _make_room(study: Study, step: TrainStep) -> None:
    """Give up the model of an earlier state of the suite, which made it: anybody else's is left alone, and refused."""
    record = study.out / _place(step)
    line = study.journal.last(_place(step))
    if line is not None and steps.trained(line, study.out):
        record.unlink()


def _note(study: Study, step: TrainStep) -> None:
    path = study.out / _place(step)
    record = read_record(TrainingRecord, path)
    line = Line(
        TRAINED,
        _place(step),
        steps.train_key(step),  # with the split that the training has drawn
        OK,
        sha256=sha256_file(path),
        like=f"{record.base.partition('?')[0]} {step.name}",
        seconds=record.seconds,
    )
    study.journal.add(line)


def _place(step: TrainStep) -> str:
    folder = step.path.parent if step.path.suffix else step.path
    return str(folder / RECORD)
