"""The perturbed evaluations of each artifact, gathered: curves by severity, and what each kind costs on top."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np

from edgebench.measures.robustness import Answers, Shift, mean_corruption_error, relative_corruption_error
from edgebench.measures.significance import LEVEL, holm, scores_interval
from edgebench.results.derived import answers
from edgebench.results.figures import Row


@dataclass(frozen=True)
class Curve:
    """One artifact under one kind of perturbation; the tuples are one entry a severity, in their order."""

    row: Row  # the artifact on the main set as it is
    kind: str
    severities: tuple[float, ...]
    top1: tuple[float | None, ...]
    reference: tuple[float | None, ...]
    loss: tuple[float | None, ...]
    extra_drop: Shift | None  # mean over the severities, image by image, against the images as they are
    p: float = 1.0  # of no extra drop, adjusted over all kinds and artifacts of the report

    @property
    def extra_is_real(self) -> bool:
        """Whether the artifact really loses more than it does without the perturbation."""
        return self.p <= LEVEL and self.extra_drop is not None and self.extra_drop.value > 0


@dataclass(frozen=True)
class CorruptionErrors:
    """Of one artifact over all kinds: the mean error, and the mean of the errors over the source model's."""

    row: Row
    kinds: int
    mean: float
    relative: float | None


def curves(rows: Sequence[Row]) -> list[Curve]:
    """Gather the perturbed rows of a report into curves, artifacts in the order of their main rows."""
    found = []
    by_result: dict[int, list[Row]] = {}
    for row in rows:
        by_result.setdefault(id(row.of.result), []).append(row)
    for mine in by_result.values():
        main = next((row for row in mine if not row.perturbation), None)
        if main is None:
            continue
        for kind in dict.fromkeys(row.perturbation for row in mine if row.perturbation):
            levels = sorted((row for row in mine if row.perturbation == kind), key=lambda row: row.severity or 0)
            found.append(_curve(main, kind, levels))
    return _adjusted(found)


def corruption_errors(found: Sequence[Curve]) -> list[CorruptionErrors]:
    """Return the mean corruption error of every artifact that has one kind of perturbation at least."""
    errors = []
    for row in {id(curve.row): curve.row for curve in found}.values():
        mine = [curve for curve in found if curve.row is row]
        own = {c.kind: _errors(c, c.top1) for c in mine}
        base = {c.kind: _errors(c, c.reference) for c in mine}
        if all(own.values()):
            known = all(len(base[kind]) == len(own[kind]) for kind in own)
            relative = relative_corruption_error(own, base) if known else None
            errors.append(CorruptionErrors(row, len(own), mean_corruption_error(own), relative))
    return errors


def _errors(curve: Curve, shares: Sequence[float | None]) -> list[float]:
    """Return the errors at every severity but 0, which is no corruption."""
    levels = zip(shares, curve.severities, strict=True)
    return [1 - share for share, severity in levels if share is not None and severity]


def _curve(main: Row, kind: str, levels: Sequence[Row]) -> Curve:
    return Curve(
        main,
        kind,
        tuple(row.severity or 0.0 for row in levels),
        tuple(row.top1 for row in levels),
        tuple(row.top1_reference for row in levels),
        tuple(row.loss for row in levels),
        *_extra(main, [row for row in levels if row.severity]),
    )


def _extra(main: Row, levels: Sequence[Row]) -> tuple[Shift | None, float]:
    """Return the mean extra drop with its interval, and its p before any adjustment."""
    clean = answers(main.of.counts)
    changed = [answers(row.of.counts) for row in levels]
    known = [one for one in changed if one is not None and clean and len(one.artifact) == len(clean.artifact)]
    if clean is None or not known or len(known) != len(changed):
        return None, 1.0
    scores = np.mean([_lost(one) for one in known], axis=0) - _lost(clean)
    value, low, high = scores_interval(scores)
    return Shift(value, low, high), _p(low, high)


def _p(low: float, high: float) -> float:
    normal = NormalDist()
    error = (high - low) / 2 / normal.inv_cdf(1 - LEVEL / 2)
    return 2 * normal.cdf(-abs((low + high) / 2) / error)


def _lost(one: Answers) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return one.reference.astype(np.float64) - one.artifact.astype(np.float64)


def _adjusted(found: Sequence[Curve]) -> list[Curve]:
    if not found:
        return []
    return [replace(curve, p=float(p)) for curve, p in zip(found, holm([c.p for c in found]), strict=True)]
