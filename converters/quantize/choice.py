"""Which int8 of a float graph is the best one: scopes, ranges and corrections tried, judged on images held out.

Format-independent: a backend makes and runs the graphs. Each trial costs about a second on a small net. The best is
made again from all calibration inputs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from edgebench.converters.quantize.ranges import EXTREMES, METHODS, Observed, Range

EVERY, PRODUCTS, AUTO = "every", "products", "auto"
SCOPES = {EVERY: "every operator with an integer kernel", PRODUCTS: "convolutions and matrix products only"}
HELD_OUT = 3
"""Every third input judges; with fewer than LEAST inputs nothing is tried."""
LEAST = 8
MOST_JUDGES = 32
MOST_CORRECTING = 32
GROUPS = 6
CLEARLY = 3.0
"""dB by which a costlier way must be better: float islands cost time."""

Inputs = npt.NDArray[np.float32]


class Backend(Protocol):
    """One float graph of one format."""

    def observe(self, inputs: Inputs) -> dict[str, Observed]:
        """Return what every activation was on `inputs`."""

    def build(self, ranges: Mapping[str, Range], scope: str, floating: Iterable[str] = ()) -> Any:
        """Return the integer graph; operators named in `floating` stay in float."""

    def corrected(self, made: Any, inputs: Inputs, names: Iterable[str], reference: Mapping[str, Any]) -> Any:
        """Return the graph with the biases of the named products shifted by their mean error over `inputs`."""

    def products(self) -> list[str]:
        """Return the names of the products that have a bias, in the graph's order."""

    def means(self, inputs: Inputs, names: Iterable[str]) -> Mapping[str, Any]:
        """Return the float graph's mean output a channel of the named products."""

    def logits(self, made: Any | None, inputs: Inputs) -> Inputs:
        """Return what goes into the last softmax or sigmoid (n, classes) of a graph, of the float graph where None.

        A few uncertain images decide the error of probabilities; all decide that of logits.
        """


@dataclass(frozen=True)
class Plan:
    """How one int8 graph is made."""

    scope: str = EVERY
    ranges: str = EXTREMES
    biases: str = "last"  # or "all", or "none"

    @property
    def words(self) -> str:
        """The recipe in words, weights left out."""
        biases = {"last": "the last bias corrected", "all": "every bias corrected layer by layer", "none": ""}
        return "; ".join(filter(None, (SCOPES[self.scope], f"ranges by {self.ranges}", biases[self.biases])))


@dataclass(frozen=True)
class Choice:
    """The chosen plan, its graph from all inputs, and what was tried."""

    plan: Plan
    graph: Any
    notes: tuple[str, ...]


def choose(backend: Backend, inputs: Inputs, scope: str = AUTO, search: bool = True) -> Choice:
    """Try the ways there are on `inputs` (n, ..) and return the best graph by the SQNR of its logits on those held out.

    A `scope` other than `auto` is taken as given. Without `search`: minimum and maximum, the last bias corrected.
    """
    seen = backend.observe(inputs)
    plan = Plan(EVERY if scope == AUTO else scope)
    if not search or len(inputs) < LEAST:
        return Choice(plan, make(backend, plan, seen, inputs), ())
    held = np.zeros(len(inputs), bool)
    held[HELD_OUT - 1 :: HELD_OUT] = True
    trials = _Trials(backend, inputs[~held], inputs[held][:MOST_JUDGES])
    found = {plan: trials.sqnr(plan)}
    if scope == AUTO:
        other = replace(plan, scope=PRODUCTS)
        found[other] = trials.sqnr(other)
        if found[other] > found[plan] + CLEARLY:
            plan = other
    for method in METHODS[1:]:
        trial = replace(plan, ranges=method)
        found[trial] = trials.sqnr(trial)
    plan = max((trial for trial in found if trial.scope == plan.scope), key=lambda trial: found[trial])
    for biases in ("all", "none"):
        found[replace(plan, biases=biases)] = trials.sqnr(replace(plan, biases=biases))
    plan = max((trial for trial in found if trial.scope == plan.scope), key=lambda trial: found[trial])
    tried = ", ".join(f"{_short(trial)} {ratio:.1f}" for trial, ratio in found.items())
    note = f"SQNR of the logits in dB on {len(trials.judges)} calibration images held out: {tried}"
    return Choice(plan, make(backend, plan, seen, inputs), (note,))


def make(
    backend: Backend, plan: Plan, seen: Mapping[str, Observed], inputs: Inputs, floating: Iterable[str] = ()
) -> Any:
    """Return the graph of a plan, its biases corrected on `inputs`."""
    ranges = {name: observed.range(plan.ranges) for name, observed in seen.items()}
    return _corrected(backend, plan, backend.build(ranges, plan.scope, floating), inputs)


def sqnr_db(outputs: Inputs, reference: Inputs) -> float:
    """10 log10(sum r^2 / sum (r - o)^2), minus infinity where the outputs are not finite."""
    noise = float(np.square(reference.astype(np.float64) - outputs).sum())
    if not math.isfinite(noise):
        return -math.inf
    return math.inf if noise == 0 else 10 * math.log10(float(np.square(reference, dtype=np.float64).sum()) / noise)


def units(operators: Iterable[tuple[str, bool, Iterable[str], Iterable[str]]]) -> dict[str, tuple[str, ...]]:
    """Return the tensors that can stay in float as one, each with all the operators that touch it.

    `operators` are (name, whether it only hands its values on, inputs, outputs) in the graph's order. What an operator
    hands on (a ReLU, a pooling) is the same tensor: with one half of it in integers nothing would be gained.
    """
    root: dict[str, str] = {}
    touching: dict[str, list[str]] = {}
    read: set[str] = set()
    for name, passing, inputs, outputs in operators:
        sources = [root.setdefault(source, source) for source in inputs]
        read.update(sources)
        for output in outputs:
            root[output] = sources[0] if passing and sources else output
        for tensor in (*sources, *(root[output] for output in outputs)):
            if name not in touching.setdefault(tensor, []):
                touching[tensor].append(name)
    return {tensor: tuple(names) for tensor, names in touching.items() if tensor in read}


class _Trials:
    """One round of trials on one split of the calibration inputs."""

    def __init__(self, backend: Backend, fit: Inputs, judges: Inputs) -> None:
        self.judges = judges
        self._backend, self._fit = backend, fit
        self._seen = backend.observe(fit)
        self._reference = backend.logits(None, judges)
        self._built: dict[tuple[str, str], Any] = {}

    def sqnr(self, plan: Plan) -> float:
        """Return the plan's SQNR on the judging inputs; minus infinity where the graph cannot be made or run."""
        key = plan.scope, plan.ranges
        try:
            if key not in self._built:
                ranges = {name: observed.range(plan.ranges) for name, observed in self._seen.items()}
                self._built[key] = self._backend.build(ranges, plan.scope)
            made = _corrected(self._backend, plan, self._built[key], self._fit)
            return sqnr_db(self._backend.logits(made, self.judges), self._reference)
        except (RuntimeError, ValueError):
            return -math.inf


def _corrected(backend: Backend, plan: Plan, made: Any, inputs: Inputs) -> Any:
    names = backend.products()
    if plan.biases == "none" or not names:
        return made
    if plan.biases == "all":
        some = inputs[:MOST_CORRECTING]
        reference = backend.means(some, names)
        for group in np.array_split(np.arange(len(names)), min(GROUPS, len(names))):
            made = backend.corrected(made, some, [names[index] for index in group], reference)
    return backend.corrected(made, inputs, names[-1:], backend.means(inputs, names[-1:]))


def _short(plan: Plan) -> str:
    return f"{plan.scope}/{plan.ranges}/{plan.biases}"
