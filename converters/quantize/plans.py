"""How one int8 graph is made: scope, ranges and bias corrections, and what a format must offer for it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from edgebench.converters.quantize.equalise import Factors, Operator, factors
from edgebench.converters.quantize.ranges import EXTREMES, Observed, Range

EVERY, PRODUCTS, AUTO = "every", "products", "auto"
SCOPES = {EVERY: "every operator with an integer kernel", PRODUCTS: "convolutions and matrix products only"}
MOST_CORRECTING = 32
GROUPS = 6

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

    def channels(self) -> tuple[Sequence[Operator], Iterable[str]]:
        """Return the operators as `equalise` sees them, and the activations that it must leave."""

    def scaled(self, scales: Mapping[str, Factors]) -> Any:
        """Return this backend for the graph with the channels of these activations multiplied."""

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
    equalised: float = 0.0  # strength of `equalise`

    @property
    def short(self) -> str:
        """The plan as its trial is noted."""
        return f"{self.scope}/{self.ranges}/{self.biases}" + (
            f"/equalised {self.equalised:g}" if self.equalised else ""
        )

    @property
    def words(self) -> str:
        """The recipe in words, weights left out."""
        biases = {"last": "the last bias corrected", "all": "every bias corrected layer by layer", "none": ""}
        channels = f"channels equalised (strength {self.equalised:g})" if self.equalised else ""
        return "; ".join(filter(None, (SCOPES[self.scope], channels, f"ranges by {self.ranges}", biases[self.biases])))


class Maker:
    """Makes graphs of one float graph from one set of calibration inputs; what plans share is found once."""

    def __init__(self, backend: Backend, inputs: Inputs) -> None:
        self._inputs = inputs
        self._graphs: dict[float, tuple[Backend, dict[str, Observed]]] = {0.0: (backend, backend.observe(inputs))}
        self._ranges: dict[tuple[float, str], dict[str, Range]] = {}
        self._built: dict[tuple[float, str, str], Any] = {}
        self._means: dict[tuple[float, int, int], Mapping[str, Any]] = {}

    def make(self, plan: Plan, floating: tuple[str, ...] = ()) -> Any:
        """Return the graph of a plan, its biases corrected; operators named in `floating` stay in float."""
        backend, ranges = self.backend(plan), self.ranges(plan)
        if floating:
            return self._corrected(plan, backend.build(ranges, plan.scope, floating))
        key = plan.equalised, plan.scope, plan.ranges
        if key not in self._built:
            self._built[key] = backend.build(ranges, plan.scope)
        return self._corrected(plan, self._built[key])

    def backend(self, plan: Plan) -> Backend:
        """Return the float graph of a plan: its channels are equalised."""
        return self._graph(plan.equalised)[0]

    def ranges(self, plan: Plan) -> dict[str, Range]:
        """Return the range of every activation by a plan's method."""
        key = plan.equalised, plan.ranges
        if key not in self._ranges:
            seen = self._graph(plan.equalised)[1]
            self._ranges[key] = {name: observed.range(plan.ranges) for name, observed in seen.items()}
        return self._ranges[key]

    def keep(self, plan: Plan) -> None:
        """Let go of what only plans of another equalisation need."""
        self._graphs = {key: found for key, found in self._graphs.items() if key in (0.0, plan.equalised)}
        self._ranges = {key: found for key, found in self._ranges.items() if key[0] == plan.equalised}
        self._built = {key: found for key, found in self._built.items() if key[0] == plan.equalised}

    def equalises(self) -> bool:
        """Tell whether the graph has channels that can be equalised."""
        return self.backend(Plan(equalised=1.0)) is not self.backend(Plan())

    def _graph(self, strength: float) -> tuple[Backend, dict[str, Observed]]:
        if strength not in self._graphs:
            backend, seen = self._graphs[0.0]
            operators, fixed = backend.channels()
            scales = factors(operators, fixed, {name: found.peaks for name, found in seen.items()}, strength)
            louder = {name: found.scaled(scales[name]) if name in scales else found for name, found in seen.items()}
            self._graphs[strength] = (backend.scaled(scales), louder) if scales else (backend, seen)
        return self._graphs[strength]

    def _corrected(self, plan: Plan, made: Any) -> Any:
        backend = self.backend(plan)
        names = backend.products()
        if plan.biases == "none" or not names:
            return made
        if plan.biases == "all":
            some = self._inputs[:MOST_CORRECTING]
            reference = self._reference(plan, some, names)
            for group in np.array_split(np.arange(len(names)), min(GROUPS, len(names))):
                made = backend.corrected(made, some, [names[index] for index in group], reference)
        last = names[-1:]
        return backend.corrected(made, self._inputs, last, self._reference(plan, self._inputs, last))

    def _reference(self, plan: Plan, inputs: Inputs, names: list[str]) -> Mapping[str, Any]:
        key = plan.equalised, len(inputs), len(names)
        if key not in self._means:
            self._means[key] = self.backend(plan).means(inputs, names)
        return self._means[key]


def sqnr_db(outputs: Inputs, reference: Inputs) -> float:
    """10 log10(sum r^2 / sum (r - o)^2), minus infinity where the outputs are not finite."""
    noise = float(np.square(reference.astype(np.float64) - outputs).sum())
    if not math.isfinite(noise):
        return -math.inf
    return math.inf if noise == 0 else 10 * math.log10(float(np.square(reference, dtype=np.float64).sum()) / noise)
