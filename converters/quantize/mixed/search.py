"""int8 -> mixed: greedy steps over tensors, then blocks, then the proof; the file, its recipe and the curve."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgebench.converters.base import Promise, Quantised
from edgebench.converters.quantize.choice import EVERY, Plan, sqnr_db
from edgebench.converters.quantize.mixed.proof import images_needed, upper_bound
from edgebench.converters.quantize.mixed.ranker import rank
from edgebench.converters.quantize.mixed.trials import Floats, Setting, Trials, graph_of
from edgebench.errors import ConversionError

STEPS = 6
TRIED = 4
"""Tensors tried at each step, in the ranker's order."""
GOOD_DB = 40.0
"""From this SQNR of the logits on, no further step is worth its time."""


@dataclass(frozen=True)
class Point:
    """One candidate on the curve."""

    tensors: tuple[str, ...]
    floating: tuple[str, ...]
    path: Path
    sqnr_db: float
    disagreement: float  # with the float graph, on the search images


def mixed(kind: str, source: Path, path: Path, inputs: Floats, promise: Promise, safe: bool = True) -> Quantised:
    """Write the graph that keeps the promise with the least in float to `path`.

    `inputs` (n, ..) are calibration inputs: two thirds set ranges, one third leads the search. Raises ConversionError
    with what is missing where the promise cannot be proved.
    """
    needed = images_needed(promise.limit, promise.labels is not None)
    if len(promise.inputs) < needed:
        raise ConversionError(
            f"a limit of {promise.limit:.2%} cannot be proved on {len(promise.inputs)} images: at least {needed} that "
            f"did not calibrate are needed. Give more with --data, raise --max-drop, or ship {kind}:float16"
        )
    with tempfile.TemporaryDirectory(prefix="edgebench-mixed-") as name:
        folder = Path(name)
        held = np.arange(len(inputs)) % 3 == 2
        for part, rows in (("fit", inputs[~held]), ("search", inputs[held]), ("proof", promise.inputs)):
            np.save(folder / f"{part}.npy", rows, allow_pickle=False)
        setting = Setting(kind, str(source), str(folder / "fit.npy"), Plan(EVERY), safe)
        graph = graph_of(setting)
        units: Mapping[str, tuple[str, ...]] = graph.units()
        order = rank(units, graph.observe(inputs[~held]), setting.plan.ranges)
        with Trials(setting) as trials:
            curve = _search(trials, units, order, folder)
            best, bound, tested = _prove(trials, curve, folder, promise)
        if best is None:
            raise ConversionError(
                f"a limit of {promise.limit:.2%} cannot be proved on {len(promise.inputs)} images: with "
                f"{len(curve[-1].tensors)} tensors in float the drop may still be {bound:.2%}. Give more images with "
                f"--data, raise --max-drop, or ship {kind}:float16"
            )
        shutil.copyfile(best.path, path)
        return Quantised(*_words(best, bound, tested, curve, promise, len(inputs)))


def _search(trials: Trials, units: Mapping[str, tuple[str, ...]], order: list[str], folder: Path) -> list[Point]:
    """Return the curve from int8 to its best point; each step puts one more tensor, or half of the graph, in float."""
    images = folder / "search.npy"
    reference = trials.outputs(None, images, logits=True)
    if reference is None:
        raise ConversionError("the float graph cannot be run")

    def point(tensors: tuple[str, ...]) -> Point | None:
        floating = tuple(dict.fromkeys(operator for tensor in tensors for operator in units[tensor]))
        path = folder / f"trial{len(list(folder.iterdir()))}"
        found = trials.outputs(path, images, logits=True) if trials.write(floating, path) else None
        if found is None:
            return None
        differ = float(np.mean(found.argmax(axis=1) != reference.argmax(axis=1)))
        return Point(tensors, floating, path, sqnr_db(found, reference), differ)

    start = point(())
    if start is None:
        raise ConversionError("the int8 graph cannot be made or run")
    curve = [start]
    while len(curve) <= STEPS and curve[-1].sqnr_db < GOOD_DB:
        last = curve[-1]
        left = [name for name in order if name not in last.tensors]
        found = [made for name in left[:TRIED] if (made := point((*last.tensors, name))) is not None]
        better = [made for made in found if made.sqnr_db > last.sqnr_db]
        if not better:
            break
        curve.append(max(better, key=lambda made: made.sqnr_db))
    names = list(units)
    for block in (names[: len(names) // 2], names[len(names) // 2 :]):
        made = point(tuple(dict.fromkeys((*curve[-1].tensors, *block)))) if curve[-1].sqnr_db < GOOD_DB else None
        if made is not None and made.sqnr_db > curve[-1].sqnr_db:
            curve.append(made)
            break
    return curve


def _prove(
    trials: Trials, curve: list[Point], folder: Path, promise: Promise
) -> tuple[Point | None, float, dict[Point, float]]:
    """Return the candidate with least in float that passes the fixed sequence, its bound, and every bound found."""
    images = folder / "proof.npy"
    reference = trials.outputs(None, images, logits=False)
    best: Point | None = None
    tested: dict[Point, float] = {}
    for candidate in reversed(curve):
        found = trials.outputs(candidate.path, images, logits=False)
        bound = 1.0 if found is None or reference is None else upper_bound(found, reference, promise.labels)
        tested[candidate] = bound
        if bound > promise.limit:
            break
        best = candidate
    return best, tested[best if best is not None else curve[-1]], tested


def _words(
    best: Point, bound: float, tested: dict[Point, float], curve: list[Point], promise: Promise, calibrated: int
) -> tuple[str, tuple[str, ...]]:
    what = "drop of top-1" if promise.labels is not None else "disagreement with the float graph"
    kept = f"{len(best.tensors)} tensors in float with the {len(best.floating)} operators that touch them"
    recipe = f"int8 but for {kept}; calibrated on {calibrated} inputs"
    proof = f"the {what} is below {bound:.2%} (95 %, {len(promise.inputs)} images that took no part in the search)"
    lines = [
        f"{len(point.tensors)} tensors in float: {point.sqnr_db:.1f} dB, {point.path.stat().st_size} bytes, "
        f"disagrees on {point.disagreement:.1%} of the search images"
        + (f", {what} at most {tested[point]:.2%}" if point in tested else "")
        for point in curve
    ]
    reason = "int8 leaves their smaller channels the fewest steps, and the logits gained most from them"
    named = (f"in float: {', '.join(best.tensors)} ({reason})",) if best.tensors else ()
    return recipe, (proof, *named, *lines)
