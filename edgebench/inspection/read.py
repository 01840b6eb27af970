"""A file -> its graph, whatever its format; the format's own module is loaded when it is needed."""

from __future__ import annotations

import importlib
from pathlib import Path

from edgebench.errors import MissingExtraError, UsageError
from edgebench.inspection.graph import Graph

FORMATS = ("tflite", "onnx")
LARGEST_BYTES = 2**31
"""Neither format holds more in one file."""


def read_graph(file: Path, kind: str) -> tuple[bytes, Graph]:
    """Return a file's bytes and graph. Raises UsageError where it is not whole, or of a format that is not read."""
    if kind not in FORMATS:
        raise UsageError(f"{file}: what is inside a {kind} is not read; explain takes a .tflite or .onnx")
    try:
        if file.stat().st_size > LARGEST_BYTES:
            raise UsageError(f"{file} has {file.stat().st_size} bytes, more than a .{kind} can have")
        content = file.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from error
    try:
        module = importlib.import_module(f"edgebench.inspection.{kind}")
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or kind, "keras", f"reading a .{kind}") from error
    graph: Graph = module.read(content, str(file))
    return content, graph
