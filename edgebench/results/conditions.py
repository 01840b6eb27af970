"""Under which conditions a result was measured, which of two equal ones is newer, and what is not comparable."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from edgebench import registry
from edgebench.records import Result, Scalar, Settings
from edgebench.units import count

RANKING_SETTINGS = (
    "threads",
    "batch",
    "rate_hz",
    "sustained_seconds",
    "accelerator",
)  # results that differ in these are never ranked together
UNIMPORTANT_SETTINGS = ("seed", "timeout_seconds", "operators")  # they change no number


@dataclass(frozen=True)
class Conditions:
    """What must be equal before two latencies are ranked. `machine` is empty where no run got far enough to say."""

    device: str
    machine: str
    threads: int
    batch: int
    accelerator: str
    scenario: str  # empty: one batch after another
    emulated: bool

    @property
    def title(self) -> str:
        """One line for people: device, threads, batch, machine."""
        parts = [self.device, count(self.threads, "thread")]
        parts += [f"batch {self.batch}"] if self.batch != 1 else []
        parts += [self.accelerator] if self.accelerator not in ("cpu", self.device) else []
        parts += [self.scenario] if self.scenario else []
        parts += ["emulated"] if self.emulated else []
        parts += [self.machine] if self.machine else []
        return " · ".join(parts)


@dataclass(frozen=True)
class Difference:
    """One thing that differs between results a reader would compare: its values and who has each."""

    scope: str  # "model digits", "device cpu", "runtime litert" or "all results"
    field: str
    values: tuple[tuple[str, str], ...]  # (value, which results have it)
    effect: str


def conditions(result: Result) -> Conditions:
    """Return the conditions of one result."""
    return Conditions(
        device=result.device,
        machine=machine(environment(result)),
        threads=result.settings.threads,
        batch=result.settings.batch,
        accelerator=result.settings.accelerator,
        scenario=scenario(result.settings),
        emulated=result.emulated,
    )


def scenario(settings: Settings) -> str:
    """Say how images were sent; empty where one batch followed another."""
    if settings.rate_hz:
        return f"{settings.rate_hz:g} images a second"
    return f"sustained for {settings.sustained_seconds:g} s" if settings.sustained_seconds else ""


def environment(result: Result) -> dict[str, Scalar]:
    """Return what the runs say about their machine; where several say it, the first."""
    table: dict[str, Scalar] = {}
    for run in result.runs:
        table = {**run.environment, **table}
    return table


def machine(table: Mapping[str, Scalar]) -> str:
    """Name a machine by processor and cores: enough to tell two apart that are both called `cpu`."""
    cores = table.get("cores")
    parts = [str(table.get("cpu") or table.get("machine") or "")]
    parts += [count(int(cores), "core")] if isinstance(cores, int) and parts[0] else []
    return ", ".join(part for part in parts if part)


def runtime_version(result: Result) -> str:
    """Return the version of the runtime that ran, empty where no run got that far."""
    return next((run.runtime_version for run in result.runs if run.runtime_version), "")


def newest_only(results: Iterable[Result]) -> tuple[list[Result], list[Result]]:
    """Split results into those to show and those that a newer one of the same measurement replaces."""
    ordered = sorted(results, key=lambda result: result.created, reverse=True)
    kept: list[Result] = []
    replaced: list[Result] = []
    for result in ordered:
        (replaced if any(_same_measurement(result, other) for other in kept) else kept).append(result)
    kept.sort(key=_reading_order)
    return kept, replaced


def _reading_order(result: Result) -> tuple[str, str, int, str, str]:
    variant = result.artifact.variant
    known = registry.all_variants()
    place = known.index(variant) if variant in known else len(known)
    return result.artifact.model, result.device, place, variant, result.created


def _same_measurement(a: Result, b: Result) -> bool:
    """Equal in artifact, device, runtime, settings and images; an unknown machine or version matches any."""

    def key(result: Result) -> Hashable:
        images = result.evaluation.pixels_sha256 if result.evaluation else ""
        source = result.artifact.source.sha256 if result.artifact.source else ""
        artifact = (result.artifact.model, result.artifact.variant, result.artifact.sha256, source)
        return (*artifact, result.device, result.runtime, result.emulated, result.settings, images)

    def compatible(x: str, y: str) -> bool:
        return not x or not y or x == y

    same_machine = compatible(conditions(a).machine, conditions(b).machine)
    return key(a) == key(b) and same_machine and compatible(runtime_version(a), runtime_version(b))


def differences(results: Sequence[Result]) -> tuple[Difference, ...]:
    """Name everything in which these results differ and that a comparison of them would have to know."""
    found = []
    for field in dataclasses.fields(Settings):
        if field.name not in UNIMPORTANT_SETTINGS:
            effect = "not ranked together" if field.name in RANKING_SETTINGS else "measured with unequal care"
            found += _by(results, _everything, _setting(field.name), field.name.replace("_", " "), effect)
    found += _by(results, _everything, _evaluation, "evaluation set", "accuracy is not comparable")
    for name, value, effect in _MODEL_FIELDS:
        found += _by(results, lambda result: f"model {result.artifact.model}", value, name, effect)
    found += _by(results, _device, lambda r: conditions(r).machine, "machine", "not ranked together")
    found += _by(results, _runtime, runtime_version, "runtime version", "a difference in speed may be the runtime's")
    return tuple(found)


def _by(
    results: Sequence[Result],
    scope: Callable[[Result], str],
    value: Callable[[Result], str],
    name: str,
    effect: str,
) -> list[Difference]:
    """Compare `value` within each scope; empty values say nothing and differ from nothing."""
    table: dict[str, dict[str, list[Result]]] = {}
    for result in results:
        if value(result):
            table.setdefault(scope(result), {}).setdefault(value(result), []).append(result)
    return [
        Difference(where, name, tuple((text, _who(having)) for text, having in values.items()), effect)
        for where, values in table.items()
        if len(values) > 1
    ]


def _who(results: Sequence[Result]) -> str:
    if len(results) == 1:
        return f"{results[0].artifact.label} on {results[0].device}"
    places = dict.fromkeys(f"{result.artifact.model} on {result.device}" for result in results)
    return f"{count(len(results), 'result')}: {', '.join(places)}"


def _everything(result: Result) -> str:
    del result
    return "all results"


def _device(result: Result) -> str:
    return f"device {result.device}"


def _runtime(result: Result) -> str:
    return f"runtime {result.runtime}"


def _setting(name: str) -> Callable[[Result], str]:
    return lambda result: str(getattr(result.settings, name))


def _source(result: Result) -> str:
    return result.artifact.source.sha256[:12] if result.artifact.source else ""


def _evaluation(result: Result) -> str:
    if result.evaluation is None:
        return ""
    # Not its name: the same images under another folder's name are the same images.
    return f"{count(result.evaluation.images, 'image')}, {result.evaluation.sha256[:12]}"


def _pixels(result: Result) -> str:
    return result.evaluation.pixels_sha256[:12] if result.evaluation else ""


def _images(result: Result) -> str:
    return str(result.accuracy.images) if result.accuracy else ""


def _preprocessing(result: Result) -> str:
    rule = result.artifact.preprocessing
    if rule is None:
        return ""
    parts = f"scale {rule.scale:g}, mean {_numbers(rule.mean)}, std {_numbers(rule.std)}, {rule.channels}"
    return f"{rule.rule} ({parts}, {rule.resample})"


def _numbers(values: Sequence[float]) -> str:
    return "/".join(f"{value:g}" for value in values)


def _calibration(result: Result) -> str:
    return calibration_words(result, hashed=True)


def calibration_words(result: Result, hashed: bool = False) -> str:
    """Say on what an artifact was calibrated; empty where it was not."""
    calibration = result.artifact.calibration
    if calibration is None:
        return ""
    words = "random values" if calibration.kind == "random" else count(calibration.images, "image")
    return f"{words}, {calibration.sha256[:12]}" if hashed else words


_MODEL_FIELDS: tuple[tuple[str, Callable[[Result], str], str], ...] = (
    ("source model", _source, "two different trained models under one name: nothing here is comparable between them"),
    ("resized pixels", _pixels, "the images were resized in different ways: accuracy is not comparable"),
    ("images evaluated", _images, "accuracy has unequal certainty"),
    ("preprocessing", _preprocessing, "accuracy is not comparable"),
    ("calibration", _calibration, "the integer precisions were calibrated on different images"),
)
