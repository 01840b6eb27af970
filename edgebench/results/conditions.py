"""Under which conditions a result was measured, which of two equal ones is newer, and what is not comparable."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from edgebench import registry
from edgebench.cells import RANKING_SETTINGS, UNIMPORTANT_SETTINGS, key_of, ranking_words, scenario
from edgebench.records import Result, Scalar, Settings
from edgebench.units import count


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
    ways: tuple[str, ...]  # what is not the default of these, in words

    @property
    def title(self) -> str:
        """One line for people: device, threads, batch, machine."""
        parts = [self.device, count(self.threads, "thread")]
        parts += self.ways
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
        ways=tuple(ranking_words(result.settings, result.device)),
    )


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
    kept: dict[Hashable, list[Result]] = {}
    replaced: list[Result] = []
    for result in ordered:
        same = kept.setdefault(_measurement(result), [])
        (replaced if any(_same_place(result, other) for other in same) else same).append(result)
    known = {variant: place for place, variant in enumerate(registry.all_variants())}

    def reading_order(result: Result) -> tuple[str, str, int, str, str]:
        artifact = result.artifact
        return artifact.model, result.device, known.get(artifact.variant, len(known)), artifact.variant, result.created

    return sorted((result for same in kept.values() for result in same), key=reading_order), replaced


def _measurement(result: Result) -> Hashable:
    """Return what is equal where one result replaces another: the cell, the artifact itself, the pixels."""
    source = result.artifact.source.sha256 if result.artifact.source else ""
    pixels = tuple(evaluation.data.pixels_sha256 for evaluation in result.evaluations)
    return key_of(result), result.artifact.sha256, source, pixels


def _same_place(a: Result, b: Result) -> bool:
    """Whether machine and runtime version are equal; one that is not known equals any."""

    def compatible(x: str, y: str) -> bool:
        return not x or not y or x == y

    same_machine = compatible(machine(environment(a)), machine(environment(b)))
    return same_machine and compatible(runtime_version(a), runtime_version(b))


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
    # Not its name: the same images under another folder's name are the same images.
    return _each(f"{count(e.data.images, 'image')}, {e.data.sha256[:12]}" for e in result.evaluations)


def _pixels(result: Result) -> str:
    return _each(e.data.pixels_sha256[:12] for e in result.evaluations)


def _images(result: Result) -> str:
    return _each(str(e.accuracy.images) for e in result.evaluations if e.accuracy)


def _each(texts: Iterable[str]) -> str:
    """Name what the evaluations say, each once: one set under ten perturbations is one set."""
    return " and ".join(dict.fromkeys(texts))


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
