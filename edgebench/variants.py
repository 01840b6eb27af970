"""Formats, precisions and runtimes: ONE table each, read by everything that must know.

A precision more of a format is its name in `FORMATS[..].precisions`, its line in PRECISIONS and its branch in the
format's quantiser. Other packages add formats and runtimes through `edgebench.registry`, which is what the host asks.
This file also runs on devices: standard library only, Python 3.9.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Precision:
    """What a precision is. `least_parity_db` is the SQNR that an artifact must keep against its source model."""

    name: str
    words: str  # for a person: what the weights and the arithmetic are
    calibrated: bool = False  # its ranges come from images
    integers: bool = False  # at least its weights are integers
    least_parity_db: float = -math.inf


@dataclass(frozen=True)
class Format:
    """What a format is. `marker` is the file that makes a folder without a name's ending one of this format."""

    name: str
    title: str  # as its makers write it
    precisions: tuple[str, ...]  # in reading order; the first is FLOAT, the graph that the others are made from
    suffix: str
    folder: bool = False
    marker: str = ""
    on_request: tuple[str, ...] = ()  # precisions made only where they are named: they need a promise to keep
    quantiser: str = ""  # import path of the module that makes the other precisions; see converters/base.py


@dataclass(frozen=True)
class Runtime:
    """What a runtime is. `module` runs on devices (see edgebench/runner/runtimes); it travels with the runner."""

    name: str
    formats: tuple[str, ...]  # that it executes
    module: str  # import path of the module with `open_session`
    package: str  # what must be importable where it runs
    distribution: str  # the package's name for pip: gives the version that is reported
    requirements: tuple[str, ...] = ()  # what a device is sent for it; empty: it has it or it has not
    stand_in: str = ""  # the runtime with the same kernels on a machine that lacks this one


FLOAT = "float32"
MIXED = "mixed"

PRECISIONS = {
    precision.name: precision
    for precision in (
        Precision(FLOAT, "as trained", least_parity_db=60.0),
        # A float16 number has 11 significant bits (its rounding alone is 74 dB down). Trained nets keep 60-70 dB,
        # untrained deep ones 25-45; below 20 dB (10 % of error) something else is wrong: an overflow at 65504, a
        # constant that vanished.
        Precision("float16", "weights of 16 bits", least_parity_db=20.0),
        Precision("dynamic", "int8 weights, float activations", integers=True),
        Precision("int8", "integers throughout, calibrated", calibrated=True, integers=True),
        Precision("int16x8", "int8 weights, int16 activations", calibrated=True, integers=True),
        Precision("mixed", "int8, with the few tensors that need it in floating point", calibrated=True, integers=True),
    )
}

FORMATS = {
    format.name: format
    for format in (
        Format("savedmodel", "SavedModel", (FLOAT,), ".savedmodel", folder=True, marker="saved_model.pb"),
        Format(
            "tflite",
            "TFLite",
            (FLOAT, "float16", "dynamic", "int8", "int16x8"),
            ".tflite",
            on_request=("mixed",),
            quantiser="edgebench.converters.quantize.tflite",
        ),
        Format(
            "onnx",
            "ONNX",
            (FLOAT, "float16", "dynamic", "int8"),
            ".onnx",
            on_request=("mixed",),
            quantiser="edgebench.converters.quantize.onnx",
        ),
    )
}

_RUNNER = "edgebench.runner.runtimes"

RUNTIMES = {
    runtime.name: runtime
    for runtime in (  # of those that execute a format the preferred one first
        Runtime(
            "litert",
            ("tflite",),
            f"{_RUNNER}.litert",
            "ai_edge_litert",
            "ai-edge-litert",
            requirements=("ai-edge-litert", "numpy"),
        ),
        Runtime(
            "tflite-runtime",
            ("tflite",),
            f"{_RUNNER}.litert",
            "tflite_runtime",
            "tflite-runtime",
            requirements=("tflite-runtime", "numpy<2"),
            stand_in="litert",
        ),
        Runtime(
            "onnxruntime",
            ("onnx",),
            f"{_RUNNER}.onnxruntime",
            "onnxruntime",
            "onnxruntime",
            requirements=("onnxruntime", "numpy"),
        ),
        Runtime("tensorflow", ("savedmodel",), f"{_RUNNER}.tensorflow", "tensorflow", "tensorflow"),
    )
}

VARIANTS = tuple(f"{format.name}:{precision}" for format in FORMATS.values() for precision in format.precisions)
"""Every `format:precision` that edgebench itself makes, in reading order."""


def parts(variant: str) -> tuple[str, str]:
    """Return (format, precision) of `format:precision`; the precision is empty where there is none."""
    name, _, precision = variant.partition(":")
    return name, precision


def is_calibrated(precision: str) -> bool:
    """Whether the ranges of a precision come from images; False for one that is not known (a bare file's)."""
    return precision in PRECISIONS and PRECISIONS[precision].calibrated
