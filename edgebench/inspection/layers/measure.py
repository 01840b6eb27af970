"""Runs an artifact beside its float sibling and returns what each layer loses: in the network, and by itself."""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edgebench.errors import UsageError
from edgebench.inspection.graph import Graph
from edgebench.inspection.layers.figures import Error, ErrorSums, Floats, Range, RangeSums
from edgebench.inspection.layers.matching import Match, counterparts, match

Tick = Callable[[int, int], None]
"""Called with (images done, images in all)."""


@dataclass(frozen=True)
class Layer:
    """One layer of both graphs. `place` is its turn in the float graph; `alone` None where it cannot run by itself."""

    place: int
    name: str  # of its output tensor in the float graph
    kind: str
    accumulated: Error  # as it stands in the network, with the error of everything before it
    alone: Error | None  # with exact inputs: what this layer adds
    range: Range
    quantised: bool  # whether its output is stored in integers
    reason: str = ""

    @property
    def blame_db(self) -> float:
        """What to rank by: the error that is its own, else the one it stands with."""
        return (self.alone or self.accumulated).worst_db


def measure_layers(
    exact: tuple[bytes, Graph], found: tuple[bytes, Graph], inputs: list[Floats], tick: Tick | None = None
) -> list[Layer]:
    """Compare two files of one format on preprocessed `inputs`, each float32 (1, ..) in the graph's layout.

    Raises UsageError where the two have no layer in common, or one of them does not run.
    """
    pairs = match(exact[1], found[1])
    if not pairs:
        raise UsageError("the two files have no layer in common: give the float file that this one was made from")
    library = importlib.import_module(f"edgebench.inspection.layers.{found[1].format}")
    right, wrong = library.Taps(*exact), library.Taps(*found)
    table = counterparts(exact[1], found[1], pairs)
    parsed = library.parse(found[0])
    watched = [_Watched(library, wrong, pair, (parsed, found[1]), table) for pair in pairs]
    for done, batch in enumerate(inputs, 1):
        right.run(batch)
        wrong.run(batch)
        for item in watched:
            item.look(right, wrong, table)
        if tick:
            tick(done, len(inputs))
    layers = [item.layer(place) for place, item in enumerate(watched)]
    return [layer for layer in layers if layer is not None]


class _Watched:
    """One pair of layers while images pass."""

    def __init__(self, library: Any, wrong: Any, pair: Match, found: tuple[Any, Graph], table: dict[str, str]) -> None:
        self.pair = pair
        self.holds = wrong.holds(pair.found)
        self.accumulated, self.own = ErrorSums(library.CHANNELS), ErrorSums(library.CHANNELS)
        self.range = RangeSums(library.CHANNELS, self.holds)
        try:
            self.alone = library.Alone(*found, pair.found)
        except UsageError:
            self.alone = None  # it needs its neighbours; its accumulated error is measured all the same
        if self.alone is not None and not all(name in table for name in self.alone.inputs):
            self.alone = None
        self.usable = True

    def look(self, right: Any, wrong: Any, table: dict[str, str]) -> None:
        """Add one image's values."""
        exact, seen = right.value(self.pair.exact), wrong.value(self.pair.found)
        if exact.size != seen.size or not exact.size or not self.usable:
            self.usable = False
            return
        self.accumulated.add(exact, seen.reshape(exact.shape))
        self.range.add(exact)
        if self.alone is not None:
            inputs = tuple(right.tensor(table[name]) for name in self.alone.inputs)
            self.own.add(exact, self.alone.run(inputs).reshape(exact.shape))

    def layer(self, place: int) -> Layer | None:
        accumulated, spread = self.accumulated.figures(), self.range.figures()
        if not self.usable or accumulated is None or spread is None:
            return None
        return Layer(
            place=place,
            name=self.pair.exact.outputs[0],
            kind=self.pair.exact.kind,
            accumulated=accumulated,
            alone=self.own.figures() if self.alone is not None else None,
            range=spread,
            quantised=all(map(math.isfinite, self.holds)),
        )
