"""How one int8 graph is made: scope, ranges and bias corrections, and what a format must offer for it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

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


class Maker:
    """Makes graphs of one float graph from one set of calibration inputs; what plans share is found once."""

    def __init__(self, backend: Backend, inputs: Inputs) -> None:
        self._backend, self._inputs = backend, inputs
        self._seen = backend.observe(inputs)
        self._ranges: dict[str, dict[str, Range]] = {}
        self._built: dict[tuple[str, str], Any] = {}
        self._means: dict[tuple[int, int], Mapping[str, Any]] = {}

    def make(self, plan: Plan, floating: tuple[str, ...] = ()) -> Any:
        """Return the graph of a plan, its biases corrected; operators named in `floating` stay in float."""
        ranges = self.ranges(plan)
        if floating:
            return self._corrected(plan, self._backend.build(ranges, plan.scope, floating))
        key = plan.scope, plan.ranges
        if key not in self._built:
            self._built[key] = self._backend.build(ranges, plan.scope)
        return self._corrected(plan, self._built[key])

    def ranges(self, plan: Plan) -> dict[str, Range]:
        """Return the range of every activation by a plan's method."""
        if plan.ranges not in self._ranges:
            self._ranges[plan.ranges] = {name: seen.range(plan.ranges) for name, seen in self._seen.items()}
        return self._ranges[plan.ranges]

    def _corrected(self, plan: Plan, made: Any) -> Any:
        names = self._backend.products()
        if plan.biases == "none" or not names:
            return made
        if plan.biases == "all":
            some = self._inputs[:MOST_CORRECTING]
            reference = self._reference(some, names)
            for group in np.array_split(np.arange(len(names)), min(GROUPS, len(names))):
                made = self._backend.corrected(made, some, [names[index] for index in group], reference)
        last = names[-1:]
        return self._backend.corrected(made, self._inputs, last, self._reference(self._inputs, last))

    def _reference(self, inputs: Inputs, names: list[str]) -> Mapping[str, Any]:
        key = len(inputs), len(names)
        if key not in self._means:
            self._means[key] = self._backend.means(inputs, names)
        return self._means[key]


def sqnr_db(outputs: Inputs, reference: Inputs) -> float:
    """10 log10(sum r^2 / sum (r - o)^2), minus infinity where the outputs are not finite."""
    noise = float(np.square(reference.astype(np.float64) - outputs).sum())
    if not math.isfinite(noise):
        return -math.inf
    return math.inf if noise == 0 else 10 * math.log10(float(np.square(reference, dtype=np.float64).sum()) / noise)
