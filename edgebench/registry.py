"""Registries: a literal dict of name -> import path, extended by entry points; an unknown name lists the known ones."""

from __future__ import annotations

import importlib
from importlib.metadata import entry_points
from types import ModuleType

from edgebench.errors import UsageError

CONVERTERS = {
    "keras": "edgebench.converters.keras.converter",
    "huggingface": "edgebench.converters.huggingface.converter",
}
FORMAT_RUNTIMES = {"tflite": ("litert", "tflite-runtime"), "onnx": ("onnxruntime",), "savedmodel": ("tensorflow",)}
"""format -> the runtimes that execute it, the preferred one first."""

RUNTIMES = {
    "litert": "edgebench.runner.runtimes.litert",
    "tflite-runtime": "edgebench.runner.runtimes.litert",
    "onnxruntime": "edgebench.runner.runtimes.onnxruntime",
    "tensorflow": "edgebench.runner.runtimes.tensorflow",
}


def known(kind: str, builtin: dict[str, str]) -> dict[str, str]:
    """Return `builtin` and what other packages add under the entry point group `edgebench.<kind>`."""
    return {**{point.name: point.value for point in entry_points(group=f"edgebench.{kind}")}, **builtin}


def module_path(kind: str, builtin: dict[str, str], name: str) -> str:
    """Return the import path behind `name`, or raise UsageError listing what is known."""
    names = known(kind, builtin)
    if name not in names:
        raise UsageError(f"unknown {kind.rstrip('s')} {name!r}: known are {', '.join(sorted(names))}")
    return names[name]


def load_module(kind: str, builtin: dict[str, str], name: str) -> ModuleType:
    """Import the module behind `name`."""
    return importlib.import_module(module_path(kind, builtin, name))
