"""Which int8 of a float graph is the best one: scopes, ranges and corrections tried, judged on images held out.

Format-independent: a backend makes and runs the graphs. Each trial costs about a second on a small net. The best is
made again from all calibration inputs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edgebench.converters.quantize.equalise import STRENGTHS
from edgebench.converters.quantize.plans import AUTO, EVERY, PRODUCTS, Backend, Inputs, Maker, Plan, sqnr_db
from edgebench.converters.quantize.ranges import METHODS

HELD_OUT = 3
"""Every third input judges; with fewer than LEAST inputs nothing is tried."""
LEAST = 8
MOST_JUDGES = 32
CLEARLY = 3.0
"""dB by which a costlier way must be better: float islands cost time."""
UNSEEN = 0.5
"""dB by which ranges that cut must be better: images that nobody has seen reach further than those held out."""


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
    plan = Plan(EVERY if scope == AUTO else scope)
    if not search or len(inputs) < LEAST:
        return Choice(plan, Maker(backend, inputs).make(plan), ())
    held = np.zeros(len(inputs), bool)
    held[HELD_OUT - 1 :: HELD_OUT] = True
    trials = _Trials(backend, inputs[~held], inputs[held][:MOST_JUDGES])
    found = {plan: trials.sqnr(plan)}
    if scope == AUTO:
        other = replace(plan, scope=PRODUCTS)
        found[other] = trials.sqnr(other)
        if found[other] > found[plan] + CLEARLY:
            plan = other
    plan = trials.best(found, plan, [replace(plan, equalised=strength) for strength in trials.strengths()])
    plan = trials.best(found, plan, [replace(plan, ranges=method) for method in METHODS[1:]], UNSEEN)
    plan = trials.best(found, plan, [replace(plan, biases=biases) for biases in ("all", "none")])
    tried = ", ".join(f"{trial.short} {ratio:.1f}" for trial, ratio in found.items())
    note = f"SQNR of the logits in dB on {len(trials.judges)} calibration images held out: {tried}"
    return Choice(plan, Maker(backend, inputs).make(plan), (note,))


class _Trials:
    """One round of trials on one split of the calibration inputs."""

    def __init__(self, backend: Backend, fit: Inputs, judges: Inputs) -> None:
        self.judges = judges
        self._backend, self._maker = backend, Maker(backend, fit)
        self._reference = backend.logits(None, judges)

    def strengths(self) -> tuple[float, ...]:
        """Return the strengths of equalisation worth a trial."""
        return STRENGTHS if self._maker.equalises() else ()

    def best(self, found: dict[Plan, float], plan: Plan, others: Sequence[Plan], clearly: float = 0.0) -> Plan:
        """Try other plans, note in `found` what they reach, and return the best; `plan` where none is clearly so."""
        found |= {other: self.sqnr(other) for other in others}
        best = max(others, key=found.__getitem__, default=plan)
        best = best if found[best] > found[plan] + clearly else plan
        self._maker.keep(best)
        return best

    def sqnr(self, plan: Plan) -> float:
        """Return the plan's SQNR on the judging inputs; minus infinity where the graph cannot be made or run."""
        try:
            return sqnr_db(self._backend.logits(self._maker.make(plan), self.judges), self._reference)
        except (RuntimeError, ValueError):
            return -math.inf
