"""Making and running one trial graph in a process of its own: a bad one may end it with SIGSEGV, and costs itself."""

from __future__ import annotations

import math
import multiprocessing
import os
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgebench.converters.quantize.plans import Maker, Plan
from edgebench.converters.quantize.ranges import Range
from edgebench.converters.quantize.units import Units
from edgebench.errors import EdgebenchError
from edgebench.lifeline import VARIABLE, die_with_parent

Floats = npt.NDArray[np.float32]
LEAST_ROUNDED, MOST_ROUNDED, MOST_HELD = 2, 8, 2**28
"""Images on which each tensor's own loss is measured, and the bytes of activations that may be held for it."""
STEPS, TINY = 255, 1e-12
ROUNDS, RUNS = 5, 5
_child: dict[str, Any] = {}


@dataclass(frozen=True)
class Setting:
    """One float graph and how it becomes integers. `kind` is tflite or onnx."""

    kind: str
    source: str  # the float graph; for ONNX after onnxruntime's preparation
    scope: str
    safe: bool = True


class Trials:
    """A process that makes graphs; a new one takes its place when it dies. A context manager."""

    def __init__(self, setting: Setting, fit: Path) -> None:
        self._setting, self._fit = setting, fit
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Trials:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def write(self, plan: Plan, floating: tuple[str, ...], path: Path) -> bool:
        """Write the graph with these operators in float; False where it cannot be made or the process died of it."""
        return bool(self._call(_write, plan, floating, str(path)))

    def outputs(self, path: Path | None, inputs: Path, logits: bool) -> Floats | None:
        """Return a graph's outputs on the images in `inputs` (the float graph's where `path` is None); None: died."""
        found: Floats | None = self._call(_outputs, None if path is None else str(path), str(inputs), logits)
        return found

    def losses(self, plan: Plan, units: Units, inputs: Path) -> dict[str, float]:
        """Return what the logits keep, dB, where one tensor and the weights that touch it are rounded, all else exact.

        Empty where the process died.
        """
        found: dict[str, float] | None = self._call(_losses, plan, units, str(inputs))
        return found or {}

    def latency(self, path: Path, other: Path) -> float | None:
        """Return a graph's latency as a share of another's, the two in turn; None: died."""
        found: float | None = self._call(_latency, str(path), str(other))
        return found

    def _call(self, work: Any, *arguments: Any) -> Any:
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(1, context, _begin, (self._setting, self._fit, os.getpid()))
        try:
            return self._pool.submit(work, *arguments).result()
        except BrokenProcessPool:
            self._pool = None
            return None


def graph_of(setting: Setting) -> Any:
    """Return the float graph as a `plans.Backend`."""
    if setting.kind == "tflite":
        from edgebench.converters.quantize import tflite_static

        return tflite_static.Graph(Path(setting.source).read_bytes())
    from edgebench.converters.quantize import onnx_graph

    return onnx_graph.Graph(onnx_graph.load(setting.source), setting.safe)


def _begin(setting: Setting, fit: Path, parent: int) -> None:
    os.environ[VARIABLE] = str(parent)
    die_with_parent()
    graph = graph_of(setting)
    inputs = np.load(fit, allow_pickle=False)
    _child.update(setting=setting, graph=graph, maker=Maker(graph, inputs), row=inputs[0])


def _write(plan: Plan, floating: tuple[str, ...], path: str) -> bool:
    try:
        _child["graph"].write(_child["maker"].make(plan, floating), Path(path))
    except (EdgebenchError, RuntimeError, ValueError, KeyError):
        return False
    return True


def _outputs(path: str | None, inputs: str, logits: bool) -> Floats | None:
    graph, rows = _child["graph"], np.load(inputs, mmap_mode="r", allow_pickle=False)
    try:
        made = None if path is None else graph.read(Path(path))
        found: Floats = graph.logits(made, rows) if logits else graph.outputs(made, rows)
    except (RuntimeError, ValueError):
        return None
    return found


def _losses(plan: Plan, units: Units, inputs: str) -> dict[str, float]:
    """Add up the noise of each rounding on its own: of the tensor's values, and of each product's weights."""
    graph, ranges = _child["maker"].backend(plan), _child["maker"].ranges(plan)
    rows = np.load(inputs, mmap_mode="r", allow_pickle=False)[:MOST_ROUNDED]
    places = {name: place for name, place in units.rounded.items() if place in ranges}
    first = graph.tensors(rows[:1], places.values())
    count = max(LEAST_ROUNDED, min(len(rows), MOST_HELD // max(1, sum(values.nbytes for values in first.values()))))
    rows = np.ascontiguousarray(rows[:count])
    exact, values = graph.logits(None, rows).astype(np.float64), graph.tensors(rows, places.values())
    noise: dict[str, float] = {}
    for operator in {name for tensor in places for name in units.operators[tensor]}:
        made = graph.coarse(operator)
        noise[operator] = 0.0 if made is None else float(np.square(graph.logits(made, rows) - exact).sum())
    found: dict[str, float] = {}
    for name, place in places.items():
        run = graph.fed(place)
        logits = [run(row[None], rounded(value, ranges[place])) for row, value in zip(rows, values[place], strict=True)]
        total = float(np.square(np.concatenate(logits) - exact).sum())
        total += sum(noise[operator] for operator in units.operators[name])
        found[name] = 10 * math.log10(float(np.square(exact).sum()) / total) if total else math.inf
    return found


def rounded(values: Floats, span: Range) -> Floats:
    """Return values as 8 bits hold them within `span`, zero exactly."""
    low, high = span
    scale = max(high - low, TINY) / STEPS
    zero = round(-low / scale)
    steps = np.clip(np.rint(values / scale) + zero, 0, STEPS)
    return np.asarray((steps - zero) * scale, np.float32)


def _latency(path: str, other: str) -> float | None:
    graph, row = _child["graph"], _child["row"]
    try:
        pair = [graph.opened(graph.read(Path(file))) for file in (path, other)]
        for run in pair:
            run(row)
        return statistics.median(_median(pair[0], row) / _median(pair[1], row) for _ in range(ROUNDS))
    except (RuntimeError, ValueError):
        return None


def _median(run: Any, row: Floats) -> float:
    samples = []
    for _ in range(RUNS):
        start = time.perf_counter_ns()
        run(row)
        samples.append(time.perf_counter_ns() - start)
    return float(statistics.median(samples))
