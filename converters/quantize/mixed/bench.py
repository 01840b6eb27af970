"""One candidate after another: made, run on the search images, judged, and counted against what a search may cost."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edgebench.converters.quantize.mixed.trials import Floats, Trials
from edgebench.converters.quantize.plans import Plan, sqnr_db
from edgebench.converters.quantize.units import Units
from edgebench.errors import ConversionError

MOST = 12
"""Full evaluations: one candidate made and run on all images of the search, or of the proof."""
PROOFS = 3
"""How many of them are kept for the proof, which takes no more than MOST_PROOFS."""
MOST_PROOFS = 5
MOST_CROSSED = 128


@dataclass(frozen=True)
class Candidate:
    """One graph of the search; what it does to the logits and to the classes of the search images."""

    plan: Plan
    tensors: tuple[str, ...]  # each a layer in float, with the operators that touch it
    floating: tuple[str, ...]  # these operators
    path: Path
    sqnr_db: float = math.nan
    disagreement: float = math.nan  # share of images whose class is not the float graph's
    crossed: float = math.nan  # the same share where every image's error may meet every image; see `crossed`


class Bench:
    """Makes and judges candidates of one float graph."""

    def __init__(self, trials: Trials, units: Units, images: Path, folder: Path) -> None:
        self._trials, self._units, self._images, self._folder = trials, units, images, folder
        self.spent = 0
        self.losses: dict[str, float] = {}
        """What the logits keep, dB, where one tensor and the weights that touch it are rounded."""
        reference = trials.outputs(None, images, logits=True)
        if reference is None:
            raise ConversionError("the float graph cannot be run")
        self._reference = reference

    @property
    def left(self) -> int:
        """How many candidates the search may still judge."""
        return MOST - PROOFS - self.spent

    def judge(self, plan: Plan, tensors: tuple[str, ...]) -> Candidate | None:
        """Make a candidate and run it on the search images; None where it cannot be made or run, or died."""
        made = self.make(plan, tensors)
        self.spent += 1
        found = None if made is None else self._trials.outputs(made.path, self._images, logits=True)
        if made is None or found is None:
            return None
        ratio = sqnr_db(found, self._reference)
        if ratio == -math.inf:
            return None
        differ = float(np.mean(found.argmax(axis=1) != self._reference.argmax(axis=1)))
        return replace(
            made, sqnr_db=ratio, disagreement=differ, crossed=crossed(found - self._reference, self._reference)
        )

    def make(self, plan: Plan, tensors: tuple[str, ...]) -> Candidate | None:
        """Make a candidate that only the proof will run; None where it cannot be."""
        floating = tuple(dict.fromkeys(name for tensor in tensors for name in self._units.operators[tensor]))
        path = self._folder / f"trial{len(list(self._folder.iterdir()))}"
        return Candidate(plan, tensors, floating, path) if self._trials.write(plan, floating, path) else None

    def adds(self, tensors: tuple[str, ...], name: str) -> bool:
        """Tell whether a further tensor would put any further operator in float."""
        floating = {operator for tensor in tensors for operator in self._units.operators[tensor]}
        return not floating.issuperset(self._units.operators[name])

    def rank(self, candidate: Candidate) -> list[str]:
        """Return the tensors that can stay in float, the one that costs the logits most first."""
        self.losses = self._trials.losses(candidate.plan, self._units, self._images)
        return sorted(self.losses, key=self.losses.__getitem__) or list(self._units.operators)

    def latency(self, candidate: Candidate, other: Candidate) -> float | None:
        """Return a candidate's latency as a share of another's, measured in turn; None where one dies."""
        return self._trials.latency(candidate.path, other.path)


def crossed(errors: Floats, logits: Floats) -> float:
    """Return the share of images whose class changes when every error (n, classes) is laid over all `logits`.

    A hundred images count flips in steps of a percent; crossed they tell 0.1 % from 1 %. Where an error comes with a
    class (only its images reach the range's end), the images' own count is the one that shows it.
    """
    chosen = logits.argmax(axis=1)
    some = np.linspace(0, len(errors) - 1, min(len(errors), MOST_CROSSED)).astype(int)
    return float(np.mean([np.mean((logits + error).argmax(axis=1) != chosen) for error in errors[some]]))
