"""Two sets of results side by side, cell by cell, and what keeps a pair from being compared. Reads no files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgebench.cells import RANKING_SETTINGS, CellKey, data_word, key_of
from edgebench.errors import UsageError
from edgebench.records import OK, Evaluation, Result
from edgebench.results.conditions import environment, runtime_version
from edgebench.results.derived import Derived, derive
from edgebench.results.figure import Basis

# What does not change from minute to minute; the rest of an environment always differs.
LASTING = (
    *("board", "cpu", "cores", "memory_bytes", "kernel", "libc", "python", "userland_bits", "governor", "turbo"),
    *("frequency_max_hz", "frequency_limit_hz", "virtualised", "pinned", "runtime_threads", "spinning", "providers"),
    *("gpu", "tf32", "xnnpack_partitions", "operators_off_xnnpack"),
)


@dataclass(frozen=True)
class Pair:
    """The same cell and evaluation in both; one side is None where only the other has it."""

    name: str
    baseline: Derived | None
    candidate: Derived | None

    @property
    def complete(self) -> bool:
        """Whether both sides were measured to the end."""
        return all(side is not None and side.result.status == OK for side in (self.baseline, self.candidate))


def pair(baseline: Sequence[Result], candidate: Sequence[Result]) -> list[Pair]:
    """Bring the same cells together: model, variant, device, runtime and scenario. One result each is a pair anyway.

    Raises UsageError where one side has two results of a cell (two machines, or two sources of one name).
    """
    if len(baseline) == 1 and len(candidate) == 1:
        return _evaluations(key_of(candidate[0]).name, baseline[0], candidate[0])
    sides = _by_cell(baseline), _by_cell(candidate)
    several = {key for side in sides for key, having in side.items() if len(having) > 1}
    old, new = (_one_each(side, several, word) for side, word in zip(sides, ("baseline", "candidate"), strict=True))
    return [
        made
        for key in dict.fromkeys([*old, *new])
        for made in _evaluations(key.name, old.get(key), new.get(key))
    ]  # fmt: skip


def _by_cell(results: Sequence[Result]) -> dict[CellKey, list[Result]]:
    table: dict[CellKey, list[Result]] = {}
    for result in results:
        table.setdefault(key_of(result).paired, []).append(result)
    return table


def _one_each(side: dict[CellKey, list[Result]], several: set[CellKey], word: str) -> dict[CellKey, Result]:
    """Return one result a cell; where a side has several, its other settings and images tell them apart."""
    table: dict[CellKey, Result] = {}
    for cell, results in side.items():
        for result in results:
            key = key_of(result) if cell in several else cell
            if key in table:
                raise UsageError(
                    f"the {word} holds two results of {cell.name}, of {table[key].created} and {result.created}: "
                    "give a folder that holds one of them, or the result file itself"
                )
            table[key] = result
    return table


def _evaluations(name: str, baseline: Result | None, candidate: Result | None) -> list[Pair]:
    """Pair the evaluations of a cell by their images; a single one each is a pair anyway."""
    old, new = (derive(result) if result else () for result in (baseline, candidate))
    if len(old) <= 1 and len(new) <= 1:
        return [Pair(name, old[0] if old else None, new[0] if new else None)]
    first, second = ({_word(one.evaluation): one for one in side} for side in (old, new))
    words = dict.fromkeys([*first, *second])
    titles = {word: _title((second.get(word) or first[word]).evaluation) for word in words}
    return [Pair(f"{name} {titles[word]}".rstrip(), first.get(word), second.get(word)) for word in words]


def _word(evaluation: Evaluation | None) -> str:
    return data_word(evaluation.data, evaluation.perturbation) if evaluation else ""


def _title(evaluation: Evaluation | None) -> str:
    if evaluation is None:
        return ""
    changed = f", {evaluation.perturbation.label}" if evaluation.perturbation else ""
    return f"[{evaluation.data.name}{changed}]"


def unlike(cell: Pair, basis: Basis) -> str:
    """Say why figures of this basis cannot be compared between the two, empty where they can."""
    if cell.baseline is None or cell.candidate is None or basis not in _UNLIKE:
        return ""
    return _UNLIKE[basis](cell.baseline, cell.candidate)


def _unlike_machines(old: Derived, new: Derived) -> str:
    if old.result.emulated or new.result.emulated:
        return "an emulated processor's times and memory mean nothing"
    for name in RANKING_SETTINGS:
        one, other = getattr(old.result.settings, name), getattr(new.result.settings, name)
        if one != other:
            return f"measured with different {name.replace('_', ' ')}: {one}; {other}"
    here, there = old.conditions.machine, new.conditions.machine
    return f"measured on different machines: {here}; {there}" if here and there and here != there else ""


def _unlike_images(old: Derived, new: Derived) -> str:
    one, other = old.evaluation, new.evaluation
    if one is None or other is None or one.accuracy is None or other.accuracy is None:
        return ""  # the figures themselves are empty
    if one.data.sha256 != other.data.sha256:
        return "the two were evaluated on different images"
    if one.perturbation != other.perturbation:
        return f"the two saw different perturbations: {_title(one)}; {_title(other)}"
    if one.accuracy.images != other.accuracy.images:
        return f"the two were evaluated on {one.accuracy.images} and {other.accuracy.images} of the images"
    chosen = one.accuracy.images < one.data.images
    if chosen and old.result.settings.seed != new.result.settings.seed:
        return "the two were evaluated on different images, chosen with different seeds"
    return ""


def _unlike_gates(old: Derived, new: Derived) -> str:
    one, other = old.result.artifact, new.result.artifact
    if one.parity_inputs != other.parity_inputs or one.calibration != other.calibration:
        return "the two passed the conversion's gate on different inputs"
    return ""


_UNLIKE: dict[Basis, Callable[[Derived, Derived], str]] = {
    Basis.MACHINE: _unlike_machines,
    Basis.IMAGES: _unlike_images,
    Basis.GATE: _unlike_gates,
}


def changed_environment(cell: Pair) -> dict[str, tuple[str, str]]:
    """Return what else changed from baseline to candidate: software, settings of the machine, the fast path."""
    if cell.baseline is None or cell.candidate is None:
        return {}
    old, new = environment(cell.baseline.result), environment(cell.candidate.result)
    found = {key: (str(old[key]), str(new[key])) for key in LASTING if key in old and key in new}
    found["runtime version"] = (runtime_version(cell.baseline.result), runtime_version(cell.candidate.result))
    return {key: (one, other) for key, (one, other) in found.items() if one != other and one and other}
