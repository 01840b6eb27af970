"""Why a layer loses what it loses, in words, and only as far as its figures say."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from edgebench.inspection.graph import Graph
from edgebench.inspection.layers.measure import Layer

LOUD = 8.0
"""From this ratio of the loudest channel to the median one on, the others are left 5 of 8 bits or fewer."""
RARE = 4.0
CLIPPED = 0.001
UNUSED = 0.3
INHERITED_DB = 10.0
FINE_DB = 30.0


def with_reasons(layers: Sequence[Layer], graph: Graph) -> list[Layer]:
    """Return the layers with the reason that their figures support; `graph` is the float one."""
    by_name = {layer.name: layer for layer in layers}
    found = []
    for layer in layers:
        maker = graph.producers.get(layer.name)
        before = [by_name[name] for name in (maker.inputs if maker else ()) if name in by_name]
        found.append(dataclasses.replace(layer, reason=reason(layer, before)))
    return found


def reason(layer: Layer, before: Sequence[Layer]) -> str:
    """Return one sentence; `before` are the layers whose outputs it reads."""
    loud = next((other for other in before if other.quantised and other.range.loudest_ratio >= LOUD), None)
    spread = layer.range
    if layer.alone is not None and layer.alone.worst_db - layer.accumulated.worst_db >= INHERITED_DB:
        return (
            f"most of its error comes in with its inputs: by itself it keeps {_db(layer.alone.worst_db)}, in the "
            f"network {_db(layer.accumulated.worst_db)}"
        )
    if layer.quantised and spread.clipped >= CLIPPED:
        return (
            f"{spread.clipped:.1%} of its values lie outside {spread.holds_low:.3g}..{spread.holds_high:.3g}, which is "
            "all that it can hold: the calibration did not see them, or cut them off"
        )
    if layer.quantised and spread.loudest_ratio >= LOUD:
        return (
            f"range {spread.low:.3g}..{spread.high:.3g}, 99.9 % of its values below {spread.typical:.3g}: channel "
            f"{spread.loudest_channel} sets the scale, {spread.loudest_ratio:.0f} times as loud as the median channel"
        )
    if loud is not None:
        return f"it reads {loud.name}, where channel {loud.range.loudest_channel} sets the scale for all"
    largest = max(abs(spread.low), abs(spread.high))
    if layer.quantised and spread.typical > 0 and largest / spread.typical >= RARE:
        return (
            f"range {spread.low:.3g}..{spread.high:.3g}, 99.9 % of its values below {spread.typical:.3g}: a few rare "
            "values set the scale"
        )
    if layer.quantised and spread.used < UNUSED:
        return f"its values use {spread.used:.0%} of the range there is: the calibration images went further"
    if layer.accumulated.worst_db >= FINE_DB:
        return "nothing stands out"
    return "rounding, in this layer and before it; its range and channels do not stand out"


def _db(value: float) -> str:
    return "every bit" if value == float("inf") else f"{value:.1f} dB"
