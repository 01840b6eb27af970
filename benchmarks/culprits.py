"""Does `explain` name the layer that int8 destroys? Nets whose function is kept while one layer is made the culprit.

    python -m benchmarks.culprits --count 100
    python -m benchmarks.culprits --mixed 100 [--models DIR] [--only tflite]   about 15 s a net

Behind ReLU one channel of a layer is multiplied by c and the next layer's weights for it are divided by c: nothing
changes in real numbers, and that channel now sets the layer's scale. Prints, for each format, in how many nets the
culprit stands first and among the first two by what is its own error, and the same for the ratio over whole tensors,
which tools that print raw arrays rank by.

With `--mixed` the nets are a trained one (`digits-logits` of benchmarks/nets.py) with a culprit made of it, where that
takes plain int8 (minimum and maximum) below 99 % of agreement with the float artifact. `mixed` is asked for at most 1 %
of disagreement; printed is how many layers stay in float, and how many of the images that took no part keep the class
of the float artifact.
"""

from __future__ import annotations

import argparse
import importlib
import os
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import numpy.typing as npt
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

from edgebench.converters.base import Promise, Quantised
from edgebench.converters.quantize import onnx as quantize_onnx
from edgebench.converters.quantize import tflite as quantize_tflite
from edgebench.converters.quantize import tflite_static
from edgebench.converters.quantize.mixed.trials import Setting, graph_of
from edgebench.converters.quantize.plans import EVERY, Maker, Plan
from edgebench.demo import models as demo_models
from edgebench.inspection import onnx as onnx_reader
from edgebench.inspection import tflite as tflite_reader
from edgebench.inspection.layers.measure import Layer, measure_layers

IMAGES, CALIBRATION = 8, 16
CALIBRATED, PROVED = 100, 1200
ENOUGH, FEW = 0.99, 3
FACTORS = 4.6, 7.0  # logarithms: 100 to 1100
Floats = npt.NDArray[np.float32]
Weights = Any
"""`culprit_nets.Weights`: that module imports TensorFlow, which the processes that `mixed` starts need not."""


class Reader(CalibrationDataReader):  # type: ignore[misc]  # the library carries no types
    """Hands inputs to onnxruntime's calibrator."""

    def __init__(self, inputs: npt.NDArray[np.float32]) -> None:
        self._rows = iter(inputs)

    def get_next(self) -> dict[str, Any] | None:
        """Return the next input."""
        row = next(self._rows, None)
        return None if row is None else {"image": row[None]}


def tflite_layers(layers: Weights, inputs: npt.NDArray[np.float32]) -> list[Layer]:
    """Quantise the net with the ranges' minimum and maximum and explain it."""
    exact = _nets().as_tflite(layers)
    seen = tflite_static.observe(exact, inputs[:CALIBRATION])
    ranges = {name: (float(found.low), float(found.high)) for name, found in seen.items()}
    found = tflite_static.build(exact, ranges)
    graphs = [(content, tflite_reader.read(content, "net")) for content in (exact, found)]
    return measure_layers(graphs[0], graphs[1], [row[None] for row in inputs[-IMAGES:]])


def onnx_layers(layers: Weights, inputs: npt.NDArray[np.float32]) -> list[Layer]:
    """Quantise the net with onnxruntime's own minimum and maximum and explain it."""
    rows = np.ascontiguousarray(inputs.transpose(0, 3, 1, 2))
    with tempfile.TemporaryDirectory() as folder:
        exact, found = Path(folder) / "exact.onnx", Path(folder) / "found.onnx"
        _nets().as_onnx(layers, exact)
        quantize_static(
            str(exact), str(found), Reader(rows[:CALIBRATION]), per_channel=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
        )  # fmt: skip
        graphs = [(path.read_bytes(), onnx_reader.read(path.read_bytes(), "net")) for path in (exact, found)]
    return measure_layers(graphs[0], graphs[1], [row[None] for row in rows[-IMAGES:]])


def rank(layers: list[Layer], culprit: int, whole: bool = False) -> int:
    """Return the turn (0: first) of the culprit, the `culprit`-th convolution, in explain's order."""

    def blame(layer: Layer) -> float:
        return (layer.alone or layer.accumulated).sqnr_db if whole else layer.blame_db

    convolutions = [layer for layer in layers if layer.kind in ("CONV_2D", "Conv", "Relu")]
    of_format = [layer for layer in convolutions if layer.kind != "Conv"] or convolutions  # ONNX: behind its ReLU
    ordered = sorted((layer for layer in layers if layer.kind != "Conv"), key=blame)
    return ordered.index(of_format[culprit])


def mend(kind: str, count: int, first: int, folder: Path) -> None:
    """Let `mixed` mend `count` nets of one format; print a line for each, and how many it mended."""
    good = few = broken = survived = 0
    train, _, test, _ = demo_models.digits()
    for seed in range(first, first + 100 * count):
        if broken == count:
            break
        generator = np.random.default_rng(seed)
        layers, strides, size = _nets().trained(folder)
        place = int(generator.integers(len(strides)))
        factor = float(np.exp(generator.uniform(*FACTORS)))
        _nets().spoil(layers, place, int(generator.integers(len(layers[place][0]))), factor)
        images = demo_models.resized(train, (size, size, 3)).astype(np.float32)[generator.permutation(len(train))]
        unseen = demo_models.resized(test, (size, size, 3)).astype(np.float32)
        if kind == "onnx":
            images, unseen = (np.ascontiguousarray(rows.transpose(0, 3, 1, 2)) for rows in (images, unseen))
        with tempfile.TemporaryDirectory() as name:
            exact = Path(name) / f"exact.{kind}"
            if kind == "tflite":
                exact.write_bytes(_nets().as_tflite(layers, strides, size))
            else:
                _nets().as_onnx(layers, exact, strides, size)
            before, after, made = mended(kind, exact, images, unseen)
        if made is None:
            survived += 1
            continue
        broken += 1
        stayed = sum(note.startswith("in float: ") for note in made.notes)
        (cost,) = [note for note in made.notes if "full evaluations" in note]
        good += after >= ENOUGH
        few += after >= ENOUGH and stayed <= FEW
        print(
            f"{kind} {seed}: layer {place} times {factor:.0f}: int8 agrees on {before:.1%}, mixed on {after:.1%} with "
            f"{stayed} layers in float; {cost}",
            flush=True,
        )
    print(
        f"{kind}: at least {ENOUGH:.0%} agree in {good} of {broken} that plain int8 broke, with at most {FEW} layers "
        f"in float in {few}; it survived {survived}"
    )


def mended(kind: str, exact: Path, images: Floats, unseen: Floats) -> tuple[float, float, Quantised | None]:
    """Return the agreement with the float artifact on `unseen` of plain int8 and of mixed, and how that was made.

    None where plain int8 (minimum and maximum, as other tools make it) agrees enough.
    """
    quantiser: Any = {"tflite": quantize_tflite, "onnx": quantize_onnx}[kind]
    calibration, promise = images[:CALIBRATED], Promise(1 - ENOUGH, images[CALIBRATED : CALIBRATED + PROVED], None)
    graph, mixed = graph_of(Setting(kind, str(exact), EVERY)), exact.with_stem("mixed")
    reference = graph.outputs(None, unseen).argmax(1)
    plain = Maker(graph, calibration[: 2 * CALIBRATION]).make(Plan(biases="none"))
    before = float(np.mean(graph.outputs(plain, unseen).argmax(1) == reference))
    if before >= ENOUGH:
        return before, before, None
    made = quantiser.mixed(exact, mixed, calibration, promise)
    return before, float(np.mean(graph.outputs(graph.read(mixed), unseen).argmax(1) == reference)), made


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100, help="nets of each format")
    parser.add_argument("--mixed", type=int, default=0, metavar="COUNT", help="let mixed mend so many nets instead")
    parser.add_argument("--first", type=int, default=0, help="the first seed of --mixed, to run in pieces")
    parser.add_argument("--models", type=Path, default=Path("build/nets"), help="folder to keep the trained net in")
    parser.add_argument("--only", choices=["tflite", "onnx"], help="one format")
    options = parser.parse_args()
    for kind in ("tflite", "onnx") if options.mixed else ():
        if options.only in (None, kind):
            mend(kind, options.mixed, options.first, options.models)
    if not options.mixed:
        rank_all(options.count)


def rank_all(count: int) -> None:
    """Rank the culprits of `count` nets of each format and print how they stand."""
    for name, explained in (("tflite", tflite_layers), ("onnx", onnx_layers)):
        turns, whole = [], []
        for seed in range(count):
            generator = np.random.default_rng(seed)
            made = _nets()
            layers = made.net(generator)
            place = int(generator.integers(len(made.WIDTHS) - 1))
            channel, factor = int(generator.integers(made.WIDTHS[place])), float(np.exp(generator.uniform(3.4, 5.3)))
            made.spoil(layers, place, channel, factor)
            inputs = generator.normal(size=(CALIBRATION + IMAGES, made.SIZE, made.SIZE, 3)).astype(np.float32)
            found = explained(layers, inputs)
            turns.append(rank(found, place))
            whole.append(rank(found, place, whole=True))
        first, two = (sum(turn < most for turn in turns) for most in (1, 2))
        plain = sum(turn < 2 for turn in whole)
        print(f"{name}: culprit first in {first}, among the first two in {two} of {count} (by whole tensors: {plain})")


def _nets() -> Any:
    return importlib.import_module("benchmarks.culprit_nets")


if __name__ == "__main__":
    main()
