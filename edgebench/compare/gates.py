"""Two sets of results side by side, cell by cell, and gates over what changed. Reads no files.

A gate fails where its condition certainly holds, where a value it needs was not measured, and where either result
was throttled or did not end well. A condition that the intervals cannot decide passes, and is named.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from edgebench.errors import UsageError
from edgebench.expression import FALSE, TRUE, UNDECIDED, UNMEASURED, Expression, Quantity, Unmeasured, Value, exact
from edgebench.measures.difference import Difference, difference_interval
from edgebench.measures.stability import NOISY, THROTTLED, stability
from edgebench.records import OK, Result
from edgebench.results.conditions import RANKING_SETTINGS, conditions, environment, runtime_version
from edgebench.results.rows import Row, to_row

WORDS = ("slower", "faster")
PASSED, FAILED_GATE = "passed", "failed"
NUMBERS = tuple(f.name for f in dataclasses.fields(Row) if "int" in str(f.type) or "float" in str(f.type))
TEXTS = tuple(f.name for f in dataclasses.fields(Row) if f.name not in NUMBERS)
TIMED = ("latency_ms", "invoke_ms", "load_ms", "first_inference_ms", "preprocess_ms", "slower", "faster")
NAMES = frozenset(
    [*WORDS, *NUMBERS, *TEXTS]
    + [f"{name}_baseline" for name in (*NUMBERS, *TEXTS)]
    + [f"{name}_{kind}" for name in NUMBERS for kind in ("ratio", "change")]
)
# What does not change from minute to minute; the rest of an environment always differs.
LASTING = (
    *("board", "cpu", "cores", "memory_bytes", "kernel", "libc", "python", "userland_bits", "governor", "turbo"),
    *("frequency_max_hz", "frequency_limit_hz", "virtualised", "pinned", "runtime_threads", "spinning", "providers"),
    *("gpu", "tf32", "xnnpack_partitions", "operators_off_xnnpack"),
)
SHARES = ("top1", "top5", "top1_reference", "agreement")
Z = NormalDist().inv_cdf(0.975)
INTERVALS = {
    "latency_ms_median": ("latency_ms_low", "latency_ms_high"),
    "top1_drop": ("top1_drop_low", "top1_drop_high"),
}


@dataclass(frozen=True)
class Pair:
    """The same cell in both; one side is None where only the other has it."""

    name: str
    baseline: Result | None
    candidate: Result | None

    @property
    def complete(self) -> bool:
        """Whether both sides were measured to the end."""
        return all(side is not None and side.status == OK for side in (self.baseline, self.candidate))


@dataclass(frozen=True)
class Outcome:
    """What one gate says about one cell: passed or failed, and why."""

    cell: str
    gate: str
    passed: bool
    decision: str  # of the condition: true, false, undecided or unmeasured
    reason: str


def pair(baseline: Sequence[Result], candidate: Sequence[Result]) -> list[Pair]:
    """Bring the same cells together: model, variant, device, runtime and scenario. One result each is a pair anyway.

    Raises UsageError where one side has two results of a cell (two machines, or two sources of one name).
    """
    if len(baseline) == 1 and len(candidate) == 1:
        return [Pair(cell_name(candidate[0]), baseline[0], candidate[0])]
    old, new = _by_name(baseline, "baseline"), _by_name(candidate, "candidate")
    return [Pair(name, old.get(name), new.get(name)) for name in dict.fromkeys([*old, *new])]


def _by_name(results: Sequence[Result], side: str) -> dict[str, Result]:
    table: dict[str, Result] = {}
    for result in results:
        name = cell_name(result)
        if name in table:
            raise UsageError(
                f"the {side} holds two results of {name}, of {table[name].created} and {result.created}: "
                "give a folder that holds one of them, or the result file itself"
            )
        table[name] = result
    return table


def cell_name(result: Result) -> str:
    """Name a cell by what makes it the same one on another day."""
    settings = result.settings
    parts = [result.artifact.model, result.artifact.variant, "on", result.device, f"({result.runtime}"]
    parts[-1] += f", {settings.threads} threads" if settings.threads != 1 else ""
    parts[-1] += f", batch {settings.batch}" if settings.batch != 1 else ""
    parts[-1] += f", {settings.rate_hz:g} Hz" if settings.rate_hz else ""
    parts[-1] += f", {settings.sustained_seconds:g} s" if settings.sustained_seconds else ""
    return " ".join(parts) + ")"


def judge(cell: Pair, gates: Sequence[Expression]) -> list[Outcome]:
    """Apply every gate to one cell. A cell that is new has nothing to be compared with and passes."""
    if cell.candidate is None:
        return [Outcome(cell.name, gate.text, False, UNMEASURED, "missing in the candidate") for gate in gates]
    for side, result in (("candidate", cell.candidate), ("baseline", cell.baseline)):
        problem = _disqualified(result)
        if problem:
            return [Outcome(cell.name, gate.text, False, UNMEASURED, f"{side}: {problem}") for gate in gates]
    values = values_of(cell)
    return [_apply(cell, gate, values) for gate in gates]


def values_of(cell: Pair) -> dict[str, Value]:
    """Return every name of `NAMES` for a cell whose candidate ended well."""
    assert cell.candidate is not None
    row = to_row(cell.candidate)
    old = to_row(cell.baseline) if cell.baseline is not None else None
    absent = Unmeasured("missing in the baseline")
    values: dict[str, Value] = {}
    for name in (*NUMBERS, *TEXTS):
        values[name] = _of_row(row, name)
        values[f"{name}_baseline"] = _of_row(old, name) if old else absent
    for name in NUMBERS:
        before = values[f"{name}_baseline"]
        values[f"{name}_ratio"] = _ratio(values[name], before)
        values[f"{name}_change"] = _change(values[name], before)
    values |= dict.fromkeys(WORDS, absent)
    values |= _latency_values(cell)
    return values | _unlike(cell, values)


def _latency_values(cell: Pair) -> dict[str, Value]:
    difference = difference_of(cell)
    if difference is None:
        return {}  # `_unlike` says why
    if difference.ratio is None:
        return dict.fromkeys((*WORDS, "latency_ms_median_ratio"), Unmeasured(difference.reason))
    ratio = Quantity(difference.ratio.value, difference.ratio.low, difference.ratio.high)
    words: dict[str, Value] = {word: TRUE if difference.word == word else FALSE for word in WORDS}
    if difference.reason:
        words = dict.fromkeys(WORDS, UNDECIDED)
    return {"latency_ms_median_ratio": ratio, **words}


def _unlike(cell: Pair, values: Mapping[str, Value]) -> dict[str, Value]:
    """Take back what is not comparable: times of two machines, accuracies on two evaluation sets."""
    assert cell.candidate is not None
    taken: dict[str, Value] = {}
    if cell.baseline is None:
        return taken
    reason = unlike_conditions(cell)
    if reason:
        relative = [n for n in values if n in WORDS or (n.startswith(TIMED) and n.endswith(("_ratio", "_change")))]
        taken |= dict.fromkeys(relative, Unmeasured(reason))
    one, other = cell.baseline.evaluation, cell.candidate.evaluation
    if one and other and one.sha256 != other.sha256:
        names = [n for n in values if n.startswith(("top", "loss", "agree")) and n.endswith(("_ratio", "_change"))]
        taken |= dict.fromkeys(names, Unmeasured("the two were evaluated on different images"))
    return taken


def unlike_conditions(cell: Pair) -> str:
    """Say why times cannot be compared, empty where they can."""
    if cell.baseline is None or cell.candidate is None:
        return ""
    if cell.baseline.emulated or cell.candidate.emulated:
        return "an emulated processor's times mean nothing"
    for name in RANKING_SETTINGS:
        one, other = getattr(cell.baseline.settings, name), getattr(cell.candidate.settings, name)
        if one != other:
            return f"measured with different {name.replace('_', ' ')}: {one}; {other}"
    old, new = conditions(cell.baseline).machine, conditions(cell.candidate).machine
    return f"measured on different machines: {old}; {new}" if old and new and old != new else ""


def changed_environment(cell: Pair) -> dict[str, tuple[str, str]]:
    """Return what else changed from baseline to candidate: software, settings of the machine, the fast path."""
    if cell.baseline is None or cell.candidate is None:
        return {}
    old, new = environment(cell.baseline), environment(cell.candidate)
    found = {key: (str(old[key]), str(new[key])) for key in LASTING if key in old and key in new}
    found["runtime version"] = (runtime_version(cell.baseline), runtime_version(cell.candidate))
    return {key: (one, other) for key, (one, other) in found.items() if one != other and one and other}


def difference_of(cell: Pair) -> Difference | None:
    """Return how the latency changed, None where it cannot be said.

    Where a machine was noisy and the two were not measured in turn, its noise may be all there is between them: the
    interval is stretched to hold 1.
    """
    if not cell.complete or unlike_conditions(cell):
        return None
    assert cell.baseline is not None and cell.candidate is not None
    found = difference_interval(cell.baseline.runs, cell.candidate.runs)
    noisy = any(stability(side.runs).word == NOISY for side in (cell.baseline, cell.candidate))
    if found.ratio is None or found.paired or not noisy:
        return found
    stretched = dataclasses.replace(found.ratio, low=min(found.ratio.low, 1.0), high=max(found.ratio.high, 1.0))
    return dataclasses.replace(found, ratio=stretched, reason="noisy, and not measured in turn")


def _disqualified(result: Result | None) -> str:
    if result is None:
        return ""
    if result.status != OK:
        return f"{result.status}: {result.reason}"
    verdict = stability(result.runs)
    return str(verdict) if verdict.word == THROTTLED else ""


def _apply(cell: Pair, gate: Expression, values: Mapping[str, Value]) -> Outcome:
    decision = gate.decide(values)
    shown = ", ".join(f"{name} = {values[name]}" for name in gate.names)
    if cell.baseline is None and decision == UNMEASURED:
        return Outcome(cell.name, gate.text, True, decision, "new: nothing to compare with")
    passed = decision in (FALSE, UNDECIDED)
    note = "; the interval does not decide it" if decision == UNDECIDED else ""
    return Outcome(cell.name, gate.text, passed, decision, shown + note)


def _of_row(row: Row, name: str) -> Value:
    value = getattr(row, name)
    if isinstance(value, str):
        return value
    if value is None:
        return Unmeasured(f"{name} is empty")
    if name in SHARES and row.images:
        return _share(float(value), row.images)
    bounds = [getattr(row, bound) for bound in INTERVALS.get(name, ())]
    if name in INTERVALS and None not in bounds:
        return Quantity(float(value), float(bounds[0]), float(bounds[1]))
    return exact(value)


def _ratio(new: Value, old: Value) -> Value:
    match new, old:
        case Quantity(), Quantity() if old.value:
            return exact(new.value / old.value)
        case Quantity(), Quantity():
            return Unmeasured("the baseline is zero")
    return new if isinstance(new, Unmeasured) else old


def _share(share: float, n: int) -> Quantity:
    """Return a share of n images with Wilson's score interval (E. B. Wilson, JASA 22, 1927)."""
    z2 = Z * Z / n
    centre = (share + z2 / 2) / (1 + z2)
    reach = Z / (1 + z2) * math.sqrt(share * (1 - share) / n + z2 / n / 4)
    return Quantity(share, min(centre - reach, share), max(centre + reach, share))


def _change(new: Value, old: Value) -> Value:
    """New - old, each side's reach combined as if they were independent.

    For shares that is method 10 of R. G. Newcombe, Statistics in Medicine 17 (1998): wider than the truth where
    both saw the same images, never narrower.
    """
    match new, old:
        case Quantity(), Quantity():
            change = new.value - old.value
            below = math.hypot(new.value - new.low, old.high - old.value)
            above = math.hypot(new.high - new.value, old.value - old.low)
            return Quantity(change, change - below, change + above)
    return new if isinstance(new, Unmeasured) else old
