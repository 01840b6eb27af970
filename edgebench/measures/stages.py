"""On which step a drop arose: source model -> float artifact -> quantised artifact -> the device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgebench.measures.outputs import Bits
from edgebench.measures.robustness import Shift, paired_shift
from edgebench.measures.significance import LEVEL, compare_bits, holm, p_change

CONVERSION, QUANTISATION, DEVICE = "conversion", "quantisation", "device"


@dataclass(frozen=True)
class Stages:
    """What each step lost, for the steps that are known; they add up to the drop where all are."""

    losses: Mapping[str, Shift]
    real: tuple[str, ...]  # the steps whose loss is real, Holm's adjustment over the steps

    @property
    def words(self) -> str:
        """Name the steps on which accuracy was really lost; empty where on none."""
        return ", ".join(self.real)


def stages(source: Bits, float_artifact: Bits | None, host: Bits | None, device: Bits) -> Stages:
    """Split the loss from `source` to `device` at what is known between them; all (images,) of the same images.

    `float_artifact` is the float32 artifact of the same format; None for that artifact itself and where it was not
    measured. `host` is this artifact on the host, where `device` is another machine.
    """
    steps = []
    before = source
    if float_artifact is not None:
        steps.append((CONVERSION, before, float_artifact))
        before = float_artifact
    last = device if host is None else host
    steps.append((QUANTISATION if float_artifact is not None else CONVERSION, before, last))
    if host is not None:
        steps.append((DEVICE, host, device))
    pairs = [compare_bits(first, second) for _, first, second in steps]
    p = holm([p_change(pair.lost, pair.won, pair.images) for pair in pairs])
    lost = [own <= LEVEL and pair.lost > pair.won for pair, own in zip(pairs, p, strict=True)]
    real = [name for (name, *_), yes in zip(steps, lost, strict=True) if yes]
    return Stages({name: paired_shift(first, second) for name, first, second in steps}, tuple(real))
