"""What `mixed` says of itself: its recipe, its curve, what stayed in float and why, and what is missing for a proof."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from edgebench.converters.base import Promise
from edgebench.converters.quantize.mixed.bench import MOST, Bench, Candidate
from edgebench.converters.quantize.mixed.proof import Changed
from edgebench.converters.quantize.mixed.search import Found
from edgebench.converters.quantize.mixed.trials import Setting
from edgebench.converters.quantize.units import Units

HALF = 0.5
"""Of float32's size: what float16 takes."""


def too_few(kind: str, limit: float, images: int, needed: int) -> str:
    """Say that a limit cannot be proved on so few images even where none of them changes."""
    return (
        f"a limit of {limit:.2%} cannot be proved on {images} images: at least {needed} that did not calibrate are "
        f"needed. Give more with --data, raise --max-drop, or ship {kind}:float16"
    )


def layers(count: int) -> str:
    """Return a number of layers in words."""
    return f"{count} layer{'' if count == 1 else 's'}"


def _first(name: str) -> str:
    """Return the first of the names that a converter joins where it fuses operators."""
    return name.partition(";")[0]


@dataclass(frozen=True)
class Story:
    """One search and its proof. Beside each tested candidate stands what the proof images said."""

    setting: Setting
    units: Units
    bench: Bench
    found: Found
    tested: dict[Candidate, Changed]
    promise: Promise

    @property
    def what(self) -> str:
        """What the promise is about."""
        return "drop of top-1" if self.promise.labels is not None else "disagreement with the float graph"

    def recipe(self, best: Candidate, calibrated: int) -> str:
        """Return how the graph was made."""
        kept = f"{layers(len(best.tensors))} in float (tensors with the {len(best.floating)} operators that touch them)"
        return f"int8 but for {kept}; {best.plan.words}; calibrated on {calibrated} inputs"

    def notes(self, best: Candidate) -> tuple[str, ...]:
        """Return what is promised, what stayed in float and why, the curve, and what it cost to find."""
        changed = self.tested[best]
        proof = (
            f"the {self.what} is {changed.share:.2%} and below {changed.bound:.2%} (95 %, {changed.images} images that "
            "took no part in the search)"
        )
        kept = [f"in float: {_first(name)} ({self._why(name)})" for name in best.tensors]
        return (proof, *kept, *self._curve(best), self._cost(), *self._smaller(best))

    def failed(self) -> str:
        """Return why nothing could be proved, and what is missing."""
        limit, kind = self.promise.limit, self.setting.kind
        if not self.tested:
            return f"a limit of {limit:.2%} cannot be proved: the graph cannot be run on the images of the proof"
        first, changed = next(iter(self.tested.items()))
        needed = changed.images_for(limit)
        seen = (
            f"a limit of {limit:.2%} cannot be proved: with {len(first.tensors)} of {len(self.units.operators)} layers "
            f"in float the {self.what} is {changed.share:.2%} on {changed.images} images, and may be "
            f"{changed.bound:.2%}. "
        )
        if needed is not None:
            return (
                f"{seen}About {needed} images would prove it if that stays: give more with --data, or raise --max-drop"
            )
        return f"{seen}More images would not prove it: ship {kind}:float16, or raise --max-drop"

    def _why(self, name: str) -> str:
        loss = self.bench.losses.get(name, math.inf)
        operators = ", ".join(map(_first, self.units.operators[name]))
        alone = (
            f"rounding it alone leaves the logits {loss:.1f} dB"
            if loss < math.inf
            else "rounding it alone costs nothing"
        )
        return f"{alone}; computed in float: {operators}"

    def _curve(self, best: Candidate) -> list[str]:
        points = [made for made in (*self.found.curve, *self.tested) if made.plan == best.plan]
        points = sorted(dict.fromkeys(points), key=lambda made: (len(made.tensors), made.path.name))
        start = points[0]
        operators = len({name for names in self.units.operators.values() for name in names})
        return [self._point(made, start, operators) + (" <- this file" if made is best else "") for made in points]

    def _point(self, made: Candidate, start: Candidate, operators: int) -> str:
        ratio = self.bench.latency(made, start)
        parts = [
            f"{len(made.floating)} of {operators} operators",
            f"{made.path.stat().st_size / Path(self.setting.source).stat().st_size:.2f} of float32's size",
            f"{ratio:.2f} of int8's latency here" if ratio is not None else "latency not measured",
        ]
        if not math.isnan(made.disagreement):
            parts.append(
                f"{made.sqnr_db:.1f} dB, {made.disagreement:.2%} of classes changed ({made.crossed:.2%} crossed)"
            )
        if made in self.tested:
            changed = self.tested[made]
            parts.append(f"{self.what} {changed.share:.2%}, at most {changed.bound:.2%}")
        return f"{layers(len(made.tensors))} in float: {', '.join(parts)}"

    def _cost(self) -> str:
        judged, proved = self.bench.spent, len(self.tested)
        return f"{judged + proved} full evaluations of at most {MOST}: {judged} of the search, {proved} of the proof"

    def _smaller(self, best: Candidate) -> list[str]:
        share = best.path.stat().st_size / Path(self.setting.source).stat().st_size
        if share < HALF:
            return []
        sizes = f"{HALF} of float32's size, this file {share:.2f}"
        return [f"{self.setting.kind}:float16 is smaller ({sizes}) and nearly exact"]
