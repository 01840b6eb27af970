"""`mixed` from a float graph: the search, the proof, and the file with what its manifest says of both."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from edgebench.converters.base import Promise, Quantised
from edgebench.converters.quantize.equalise import STRENGTHS
from edgebench.converters.quantize.mixed import words
from edgebench.converters.quantize.mixed.bench import MOST, MOST_PROOFS, Bench, Candidate
from edgebench.converters.quantize.mixed.proof import expected_bound, images_needed, prove
from edgebench.converters.quantize.mixed.search import Found, search
from edgebench.converters.quantize.mixed.trials import Floats, Setting, Trials, graph_of
from edgebench.converters.quantize.plans import Plan
from edgebench.converters.quantize.ranges import EXTREMES, LEAST_ERROR
from edgebench.errors import ConversionError

HOPELESS = 2.0
"""A candidate whose likely bound is this many times the limit is not worth an evaluation of the proof."""


def mixed(setting: Setting, path: Path, inputs: Floats, promise: Promise) -> Quantised:
    """Write the graph that keeps the promise with the fewest layers in float to `path`.

    `inputs` (n, ..) are calibration inputs: two thirds set ranges, all of them lead the search. Raises ConversionError
    with what is missing where the promise cannot be proved.
    """
    labelled = promise.labels is not None
    needed = images_needed(promise.limit, labelled)
    if len(promise.inputs) < needed:
        raise ConversionError(words.too_few(setting.kind, promise.limit, len(promise.inputs), needed))
    with tempfile.TemporaryDirectory(prefix="edgebench-mixed-") as name:
        folder = Path(name)
        held = np.arange(len(inputs)) % 3 == 2  # at their like, which no range has seen, clipping shows
        parts = {"fit": inputs[~held], "search": inputs, "proof": promise.inputs}
        for part, rows in parts.items():
            np.save(folder / f"{part}.npy", rows, allow_pickle=False)
        plans = [Plan(setting.scope, LEAST_ERROR), Plan(setting.scope, EXTREMES, equalised=STRENGTHS[0])]
        units = graph_of(setting).units()
        with Trials(setting, folder / "fit.npy") as trials:
            bench = Bench(trials, units, folder / "search.npy", folder)
            found = search(bench, plans, lambda made: _enough(made, promise))
            reference = trials.outputs(None, folder / "proof.npy", logits=False)
            if reference is None:
                raise ConversionError("the float graph cannot be run")
            sequence = [*_sequence(bench, found, promise)]
            best, tested = prove(
                sequence, lambda made: trials.outputs(made.path, folder / "proof.npy", logits=False), reference,
                promise.labels, promise.limit,
            )  # fmt: skip
            story = words.Story(setting, units, bench, found, tested, promise)
            if best is None:
                raise ConversionError(story.failed())
            shutil.copyfile(best.path, path)
            return Quantised(story.recipe(best, len(inputs)), story.notes(best))


def _enough(made: Candidate, promise: Promise) -> bool:
    return _likely(max(made.disagreement, made.crossed), promise) <= promise.limit


def _likely(share: float, promise: Promise) -> float:
    return expected_bound(share, len(promise.inputs), promise.labels is not None)


def _sequence(bench: Bench, found: Found, promise: Promise) -> Iterator[Candidate]:
    """Yield what the proof tests in turn, from most in float to least; only the search images decide which."""
    chosen = found.chosen or max(found.curve, key=lambda made: made.sqnr_db)
    left = min(MOST - bench.spent, MOST_PROOFS) - 1
    for count in sorted({len(found.safer), len(chosen.tensors) + 1}, reverse=True):
        if len(chosen.tensors) < count <= len(found.safer):
            made = bench.make(chosen.plan, found.safer[:count])
            if made is not None:
                left -= 1
                yield made
    yield chosen
    smaller = [made for made in reversed(found.curve) if len(made.tensors) < len(chosen.tensors)]
    hopeful = [made for made in smaller if _likely(made.crossed, promise) <= HOPELESS * promise.limit]
    yield from hopeful[: max(0, left)]
