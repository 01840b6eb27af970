"""Whether the candidate lost accuracy against the baseline: image by image, where both answered the same ones."""

from __future__ import annotations

from collections.abc import Sequence

from edgebench.compare.pairs import Pair, unlike
from edgebench.measures.significance import MARGIN, Paired, Verdict, compare_bits, verdicts
from edgebench.results.derived import answers
from edgebench.results.figure import Basis
from edgebench.results.together import same_images


def paired_answers(cell: Pair) -> Paired | None:
    """Count the images that only one side has right; None where they did not answer the same labelled images."""
    old, new = cell.baseline, cell.candidate
    if old is None or new is None or unlike(cell, Basis.IMAGES) or not same_images(old, new):
        return None
    before, after = answers(old.counts), answers(new.counts)
    return compare_bits(before.artifact, after.artifact) if before and after else None


def drop_verdicts(cells: Sequence[Pair], margin: float = MARGIN) -> list[Verdict]:
    """Judge the drop of every cell in the words of the report, adjusted over all of them; empty where none is paired.

    Perturbed evaluations are a family of their own, as there.
    """
    found: dict[int, Verdict] = {}
    for perturbed in (False, True):
        counted = [(at, paired_answers(cell)) for at, cell in enumerate(cells) if _perturbed(cell) is perturbed]
        family = [(at, counts) for at, counts in counted if counts is not None]
        judged = verdicts([counts for _, counts in family], margin)
        found |= {at: verdict for (at, _), verdict in zip(family, judged, strict=True)}
    return [found.get(at, Verdict(margin=margin)) for at in range(len(cells))]


def _perturbed(cell: Pair) -> bool:
    side = cell.candidate or cell.baseline
    return side is not None and side.evaluation is not None and side.evaluation.perturbation is not None
