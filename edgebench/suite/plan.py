"""A suite laid out as steps: trainings, conversions, cells. Nothing is run; models and images are looked at."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import click

from edgebench.converters import sources
from edgebench.devices.config import expand_names
from edgebench.devices.registry import open_device
from edgebench.errors import EdgebenchError
from edgebench.images.evaluation import open_whole
from edgebench.images.splits import make_splits
from edgebench.pipeline import conversion_cache as cache
from edgebench.pipeline.manifests import Order
from edgebench.pipeline.request import Measuring
from edgebench.records import Source
from edgebench.suite.errors import Place, SuiteError, nearest
from edgebench.suite.options import Words, parse_words
from edgebench.suite.schema import Filter, Model, Scenario, Suite, Training
from edgebench.suite.workers import is_worker, worker_names
from edgebench.training.bases import HUGGINGFACE, parse_base
from edgebench.training.outputs import model_path
from edgebench.training.settings import Training as Settings
from edgebench.training.settings import check
from edgebench.variants import parts

DECIDED = {
    "train": ("out", "force", "as_json"),
    "convert": ("out", "force", "as_json"),
    "profile": ("artifacts", "baselines", "out", "fresh", "only_failed", "as_json", "margin"),
}
"""Parameters of the commands that are the study's own."""
OWN_CODE = (".keras", ".h5", ".hdf5")  # files that may need code of others to load


@dataclass(frozen=True)
class Meanings:
    """What the words of the commands mean: the functions that the commands themselves read them with."""

    commands: Mapping[str, click.Command]
    orders: Callable[..., list[Order]]
    variants: Callable[[tuple[str, ...]], tuple[str, ...]]
    measuring: Callable[..., Measuring]
    training: Callable[..., Settings]


@dataclass(frozen=True)
class TrainStep:
    """One model to train; it will lie at `path` below the output folder."""

    table: str
    name: str
    words: Words  # as they are typed after `edgebench train`, before the BASE
    settings: Settings
    params: dict[str, Any]
    path: Path


@dataclass(frozen=True)
class ConvertStep:
    """One source model and the variants that the study needs of it."""

    name: str
    text: str  # MODEL
    words: Words  # as they are typed after `edgebench convert`, before the MODEL
    params: dict[str, Any]
    variants: tuple[str, ...]
    place: Place
    order: Order | None  # None: of a model that is still to be trained
    trained: TrainStep | None = None

    def path(self, out: Path, variant: str) -> Path:
        """Where a variant lies."""
        return cache.artifact_path(out / "artifacts" / self.name, self.name, variant)


@dataclass(frozen=True)
class MeasureStep:
    """One way to measure on one device, and the cells that are wanted of it."""

    scenario: Scenario
    how: Measuring
    params: dict[str, Any]
    device: str
    cells: tuple[tuple[str, str], ...]  # model, variant


@dataclass(frozen=True)
class Plan:
    """Everything a suite comes to."""

    suite: Suite
    trainings: tuple[TrainStep, ...]
    conversions: tuple[ConvertStep, ...]
    measurements: tuple[MeasureStep, ...]

    @property
    def cells(self) -> int:
        """Cells to measure; one a batch size where there are several."""
        return sum(len(step.cells) * len(step.how.scenarios) for step in self.measurements)


def make_plan(
    suite: Suite, meanings: Meanings, project: Path, trust: Words = (), workers: Sequence[str] | None = None
) -> Plan:
    """Lay a suite out. `trust` are the words that let code of others run; `project` is where devices.toml counts first.

    `workers` are those of a cluster that measure; None where there is no cluster.
    Raises SuiteError naming the line for what cannot be done.
    """
    trainings = tuple(_train_step(one, meanings) for one in suite.trainings)
    measuring = [(one, *_read(one, meanings, project, trust, workers)) for one in suite.scenarios]
    devices = tuple(dict.fromkeys(device for *_, found in measuring for device in found))
    everything = [step for model in suite.models for step in _of_model(model, suite, trainings, meanings, trust)]
    _refuse_namesakes(everything)
    _refuse_idle_filters(suite.filters, everything, devices)
    conversions = [_wanted(step, suite.filters, devices) for step in everything]
    measurements = []
    for scenario, how, params, found in measuring:
        for device in found:
            cells = [(step.name, variant) for step in conversions for variant in step.variants]
            kept = tuple(cell for cell in cells if _passes(suite.filters, *cell, device))
            if kept:
                measurements.append(MeasureStep(scenario, how, params, device, kept))
    plan = Plan(suite, trainings, tuple(one for one in conversions if one.variants), tuple(measurements))
    if not plan.conversions:
        raise SuiteError(Place(suite.file, 1), "include and exclude leave nothing to do")
    return plan


def order_of(step: ConvertStep, meanings: Meanings) -> Order:
    """Return what is wanted of a model. Raises UsageError where the model or its images cannot be used."""
    (order,) = meanings.orders(**step.params)
    return dataclasses.replace(order, name=step.name)


def _train_step(training: Training, meanings: Meanings) -> TrainStep:
    params = _params("train", training.words, meanings, training.place)
    try:
        settings = meanings.training(**params)
        check(settings)
        make_splits(open_whole(Path(settings.data), settings.labels or None), settings.seed)  # whether there is one
        base = parse_base(settings.base)
    except EdgebenchError as error:
        raise SuiteError(training.place, str(error)) from error
    folder = Path("models", training.name)
    words = training.words[: training.words.index("--")]
    return TrainStep(
        training.table, training.name, words, settings, params, model_path(folder, training.name, base.kind)
    )


def _read(
    scenario: Scenario, meanings: Meanings, project: Path, trust: Words, workers: Sequence[str] | None
) -> tuple[Measuring, dict[str, Any], list[str]]:
    params = _params("profile", (*scenario.words, *trust, "--", "ARTIFACTS"), meanings, scenario.place)
    try:
        devices = worker_names(expand_names(params.pop("devices"), project), workers)
        for device in devices:
            if not is_worker(device):
                open_device(device, project)  # nothing is connected yet
        return meanings.measuring(**params), params, devices
    except (EdgebenchError, click.ClickException) as error:
        said = error.message if isinstance(error, click.ClickException) else str(error)
        raise SuiteError(scenario.place, said) from error


def _params(command: str, words: Words, meanings: Meanings, place: Place) -> dict[str, Any]:
    """Return the parameters of a command without those that a suite decides."""
    try:
        params = parse_words(meanings.commands[command], words)
    except click.ClickException as error:
        raise SuiteError(place, error.message) from error
    return {name: value for name, value in params.items() if name not in DECIDED[command]}


def _of_model(
    model: Model, suite: Suite, trainings: Sequence[TrainStep], meanings: Meanings, trust: Words
) -> Iterator[ConvertStep]:
    """Yield the step of a model, or one for each that its [train] table makes."""
    if not model.trained:
        yield _convert_step(model.text, model, suite, None, meanings, trust)
    for step in trainings:
        if step.table == model.trained:
            yield _convert_step(str(suite.out / step.path), model, suite, step, meanings, trust)


def _convert_step(
    text: str, model: Model, suite: Suite, trained: TrainStep | None, meanings: Meanings, trust: Words
) -> ConvertStep:
    """Return the step with every variant that its model becomes."""
    allowed = trust if Path(text).suffix.lower() in OWN_CODE else ()
    params = _params("convert", (*model.words, *allowed, "--", text), meanings, model.place)
    params |= {"out": suite.out, "force": False}
    try:
        if trained is None:
            (order,) = meanings.orders(**params)
            return ConvertStep(order.name, text, model.words, params, order.variants, model.place, order)
        kind = "huggingface" if parse_base(trained.settings.base).kind == HUGGINGFACE else "keras"
        formats = sources.formats_of(Source(kind, text, ""))
        wanted = tuple(one for one in meanings.variants(params["targets"]) if parts(one)[0] in formats)
        return ConvertStep(
            params["name"] or trained.name, text, model.words, params, wanted, model.place, None, trained
        )
    except EdgebenchError as error:
        raise SuiteError(model.place, str(error)) from error


def _refuse_namesakes(steps: Sequence[ConvertStep]) -> None:
    seen: dict[str, Place] = {}
    for step in steps:
        if step.name in seen:
            where = f"the model of line {seen[step.name].line}"
            raise SuiteError(step.place, f"{step.name} is also {where}: give one of them another `name`")
        seen[step.name] = step.place


def _wanted(step: ConvertStep, filters: Sequence[Filter], devices: Sequence[str]) -> ConvertStep:
    """Return the step with the variants that some device measures."""
    places = devices or ("",)
    kept = tuple(v for v in step.variants if any(_passes(filters, step.name, v, device) for device in places))
    order = step.order and dataclasses.replace(step.order, variants=kept)
    return dataclasses.replace(step, variants=kept, order=order)


def _passes(filters: Sequence[Filter], model: str, variant: str, device: str) -> bool:
    includes = [one for one in filters if one.include]
    excludes = [one for one in filters if not one.include]
    return (not includes or any(one.matches(model, variant, device) for one in includes)) and not any(
        one.matches(model, variant, device) for one in excludes
    )


def _refuse_idle_filters(filters: Sequence[Filter], steps: Sequence[ConvertStep], devices: Sequence[str]) -> None:
    """Raise SuiteError for a glob that matches nothing: a name in it is wrong."""
    variants = {variant for step in steps for variant in step.variants}
    known = {"model": {step.name for step in steps}, "variant": variants, "device": set(devices)}
    for one in filters:
        for axis, patterns in one.globs:
            for pattern in patterns:
                if not any(fnmatchcase(value, pattern) for value in known[axis]):
                    raise SuiteError(one.place, f"no {axis} is {pattern!r}: {nearest(pattern, known[axis])}")
