"""Cross-layer equalisation: channels scaled so that each fills the range of its tensor, and scaled back by the readers.

What is linear, or a ReLU, or adds and pools such channels keeps the function exactly: one product writes a channel s
times as loud, every product that reads it has its weights for it divided by s (M. Nagel et al., "Data-free quantization
through weight equalization and bias correction", 2019, section 4.1; here from the activations' own peaks, as weights
have a scale a channel anyhow, and over whole residual streams). A ReLU6 is one up to its end: its channels may grow to
that.
"""

from __future__ import annotations

import collections
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

STRENGTHS = (0.5, 1.0)
LOUDEST = 100.0
"""No channel becomes louder by more."""
SILENT = 1e-4
"""A channel this far below the loudest carries nothing worth a bit."""
MARGIN = 2.0
"""By how much an unseen value may exceed the calibration's peak before a ReLU6 cuts it."""

Factors = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Operator:
    """One operator as equalisation sees it; `passes` where channels go through it, `product` where weights take them.

    What is neither fixes the channels of everything that it touches. `ceiling` is the end of a ReLU6 in it; where it
    `fuses`, what it alone reads is never stored.
    """

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    product: bool = False
    passes: bool = False
    ceiling: float = math.inf
    fuses: bool = False


def factors(
    operators: Sequence[Operator], fixed: Iterable[str], peaks: Mapping[str, Factors], strength: float
) -> dict[str, Factors]:
    """Return, for each activation that can be scaled, what to multiply its channels by.

    `fixed` are the graph's inputs and outputs; `peaks` hold the largest magnitude of each channel of the activations
    that are stored. With `strength` 1 all channels become equally loud, with 0.5 half of that in logarithms.
    """
    parent: dict[str, str] = {}
    ceilings: dict[str, float] = {}
    held = set(fixed)
    read = collections.Counter(name for operator in operators for name in operator.inputs)
    fused = {operator.inputs[0] for operator in operators if operator.fuses and read[operator.inputs[0]] == 1}
    for operator in operators:
        touched = (*operator.inputs, *operator.outputs)
        for name in touched:
            parent.setdefault(name, name)
        if operator.passes:
            for name in touched[1:]:
                parent[_root(parent, name)] = _root(parent, touched[0])
        elif not operator.product:
            held.update(touched)
        for name in operator.outputs:
            ceilings[name] = operator.ceiling
    streams: dict[str, list[str]] = {}
    for name in parent:
        streams.setdefault(_root(parent, name), []).append(name)
    found: dict[str, Factors] = {}
    for names in streams.values():
        stored = [name for name in names if name in peaks and name not in fused]
        if held.intersection(names) or not stored or len({len(peaks[name]) for name in stored}) > 1:
            continue
        if all(float(peaks[name].max()) == 0 for name in stored):
            continue
        scale = _scale([(peaks[name], ceilings.get(name, math.inf)) for name in stored], strength)
        found |= dict.fromkeys(names, scale)
    return found


def _scale(stream: list[tuple[Factors, float]], strength: float) -> Factors:
    """Return the factors of a stream from the peaks of its tensors, each with its ceiling."""
    shares = [peaks / max(float(peaks.max()), 1e-30) for peaks, _ in stream]
    share = np.exp(np.mean([np.log(np.maximum(part, SILENT)) for part in shares], axis=0))
    scale = np.minimum(share**-strength, LOUDEST)
    scale[share <= SILENT * 1.01] = 1.0
    for peaks, ceiling in stream:
        if ceiling < math.inf:
            scale = np.minimum(scale, np.maximum(1.0, ceiling / (MARGIN * np.maximum(peaks, 1e-30))))
    return np.asarray(scale, np.float32)


def _root(parent: dict[str, str], name: str) -> str:
    while parent[name] != name:
        name = parent[name]
    return name
