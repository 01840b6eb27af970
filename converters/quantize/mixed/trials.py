"""Making and running one trial graph in a process of its own: a bad one may end it with SIGSEGV, and costs itself."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgebench.converters.quantize.choice import Plan, make
from edgebench.lifeline import VARIABLE, die_with_parent

Floats = npt.NDArray[np.float32]
_child: dict[str, Any] = {}


@dataclass(frozen=True)
class Setting:
    """What every trial shares. `kind` is tflite or onnx; the arrays are .npy files."""

    kind: str
    source: str  # the float graph; for ONNX after onnxruntime's preparation
    fit: str
    plan: Plan
    safe: bool = True


class Trials:
    """A process that makes graphs; a new one takes its place when it dies. A context manager."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Trials:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def write(self, floating: tuple[str, ...], path: Path) -> bool:
        """Write the graph with these operators in float; False where it cannot be made or the process died of it."""
        return bool(self._call(_write, floating, str(path)))

    def outputs(self, path: Path | None, inputs: Path, logits: bool) -> Floats | None:
        """Return a graph's outputs on the images in `inputs` (the float graph's where `path` is None); None: died."""
        found: Floats | None = self._call(_outputs, None if path is None else str(path), str(inputs), logits)
        return found

    def _call(self, work: Any, *arguments: Any) -> Any:
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(1, context, _begin, (self._setting, os.getpid()))
        try:
            return self._pool.submit(work, *arguments).result()
        except BrokenProcessPool:
            self._pool = None
            return None


def graph_of(setting: Setting) -> Any:
    """Return the float graph as a `choice.Backend`."""
    if setting.kind == "tflite":
        from edgebench.converters.quantize import tflite_static

        return tflite_static.Graph(Path(setting.source).read_bytes())
    from edgebench.converters.quantize import onnx_static

    return onnx_static.Graph(onnx_static.load(setting.source), setting.safe)


def _begin(setting: Setting, parent: int) -> None:
    os.environ[VARIABLE] = str(parent)
    die_with_parent()
    inputs = np.load(setting.fit, allow_pickle=False)
    graph = graph_of(setting)
    _child.update(graph=graph, inputs=inputs, seen=graph.observe(inputs), plan=setting.plan)


def _write(floating: tuple[str, ...], path: str) -> bool:
    from edgebench.errors import ConversionError

    try:
        made = make(_child["graph"], _child["plan"], _child["seen"], _child["inputs"], floating)
        _child["graph"].write(made, Path(path))
    except (ConversionError, RuntimeError, ValueError, KeyError):
        return False
    return True


def _outputs(path: str | None, inputs: str, logits: bool) -> Floats | None:
    graph, rows = _child["graph"], np.load(inputs, allow_pickle=False)
    try:
        made = None if path is None else graph.read(Path(path))
        found: Floats = graph.logits(made, rows) if logits else graph.outputs(made, rows)
    except (RuntimeError, ValueError):
        return None
    return found
