"""From one float32 graph to the other precisions of its format: `python -m edgebench.converters.quantize.worker ..`.

A process of its own, without the framework that made the graph: its memory does not come on top of the framework's,
a crash costs one variant, and the next format's float graph can be made meanwhile. It talks as `converters.worker`.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgebench import registry
from edgebench.converters.base import ANY, Promise, Quantised, Quantiser
from edgebench.converters.making import make
from edgebench.converters.protocol import Quantisation
from edgebench.errors import ConversionError
from edgebench.lifeline import die_with_parent
from edgebench.messages import Host, from_line, serve
from edgebench.records import INDEPENDENT
from edgebench.runner.preprocess import guess_layout, normalise
from edgebench.variants import MIXED, is_calibrated, parts


def quantise_all(request: Quantisation, host: Host) -> None:
    """Make every variant of the request."""
    for variant in request.variants:
        make(variant, lambda variant=variant: _quantise(request, variant), host.tell)  # type: ignore[misc]


def _quantise(request: Quantisation, variant: str) -> tuple[Path, Quantised]:
    kind, precision = parts(variant)
    chosen = registry.formats()[kind]
    path = request.folder / f"{precision}{chosen.suffix}"
    quantiser: Quantiser = importlib.import_module(chosen.quantiser)
    options = {} if request.target == ANY else {"target": request.target}
    if not is_calibrated(precision):
        return path, quantiser.quantise(request.source, precision, path, None, **options)
    shape = quantiser.input_shape(request.source)
    if request.images.calibration is None:
        raise ConversionError(f"{precision} needs images to calibrate on: give --data")
    inputs = _inputs(request, request.images.calibration, shape)
    if precision == MIXED:
        return path, quantiser.mixed(request.source, path, inputs, _promise(request, shape), **options)
    return path, quantiser.quantise(request.source, precision, path, inputs, **options)


def _promise(request: Quantisation, shape: tuple[int, ...]) -> Promise:
    """Return what `mixed` must prove, and the images to prove it on."""
    if request.output_kind in INDEPENDENT:
        raise ConversionError(
            "mixed proves a limit for the first choice, and each output of this model is a label of its own: "
            "choose another precision"
        )
    named = request.images
    if named.proof is None:
        raise ConversionError("mixed needs images other than those it is calibrated on: give more --data")
    labels = np.asarray(named.proof_labels, np.int64)
    known = labels if len(labels) and labels.min() >= 0 else None
    return Promise(request.max_drop, _inputs(request, named.proof, shape), known)


def _inputs(request: Quantisation, images: Path, shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Return preprocessed images in the graph's layout."""
    pixels = np.load(images, allow_pickle=False)
    return np.asarray(normalise(pixels, request.preprocessing, guess_layout(shape)), np.float32)


def main(arguments: list[str]) -> int:
    """Run one request; return 0, or the exit code of the error that was told."""
    die_with_parent()
    content = Path(arguments[0]).read_bytes()
    return serve(lambda host: quantise_all(from_line([Quantisation], content, "the request"), host))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
