"""What corruption costs, and what quantisation costs on top of it: from the bits of which images were right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgebench.measures.outputs import Bits
from edgebench.measures.significance import Paired, compare_bits, paired_interval, scores_interval


@dataclass(frozen=True)
class Answers:
    """Which images an artifact and its reference have right, both (images,)."""

    artifact: Bits
    reference: Bits


@dataclass(frozen=True)
class Shift:
    """A share with its 95 % interval; positive is a loss."""

    value: float
    low: float
    high: float

    @property
    def real(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0


def drop(answers: Answers) -> Shift:
    """Return what the artifact loses against the reference."""
    return paired_shift(answers.reference, answers.artifact)


def paired_shift(before: Bits, after: Bits) -> Shift:
    """Return what `after` loses against `before` on the same images."""
    pair: Paired = compare_bits(before, after)
    return Shift((pair.lost - pair.won) / pair.images, *paired_interval(pair.lost, pair.won, pair.images))


def extra_drop(clean: Answers, corrupted: Answers) -> Shift:
    """Return how much more the artifact loses against the reference on corrupted images than on the same ones clean.

    Each image is its own control: its score is the loss under corruption less the loss without, -2..2.
    """
    scores = _loss(corrupted) - _loss(clean)
    return Shift(*scores_interval(scores))


def extra_drop_on_others(one: Answers, other: Answers) -> Shift:
    """Return how much more is lost on another set's images than on the first's; their variances add (Newcombe)."""
    a, b = drop(one), drop(other)
    value = b.value - a.value
    below = float(np.hypot(b.value - b.low, a.high - a.value))
    above = float(np.hypot(b.high - b.value, a.value - a.low))
    return Shift(value, value - below, value + above)


def mean_corruption_error(errors: Mapping[str, Sequence[float]]) -> float:
    """Return the mean over the corruptions of the mean error over the severities of each.

    D. Hendrycks and T. Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and Perturbations",
    ICLR 2019, without their division by the errors of AlexNet, which are those of ImageNet.
    """
    return float(np.mean([np.mean(levels) for levels in errors.values()]))


def relative_corruption_error(
    errors: Mapping[str, Sequence[float]], base: Mapping[str, Sequence[float]]
) -> float | None:
    """Return the mean over the corruptions of the errors over those of `base`, each summed over its severities.

    This is the paper's mean corruption error with the source model in AlexNet's place: 1 is as robust as the source.
    None where the base makes no error under some corruption.
    """
    if not all(sum(base[name]) > 0 for name in errors):
        return None
    return float(np.mean([sum(levels) / sum(base[name]) for name, levels in errors.items()]))


def _loss(answers: Answers) -> np.ndarray[tuple[int, ...], np.dtype[np.int8]]:
    return answers.reference.astype(np.int8) - answers.artifact.astype(np.int8)
