"""A prepared float .onnx as what plans, choices and searches ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from edgebench.converters.quantize import onnx_static
from edgebench.converters.quantize.equalise import Factors, Operator
from edgebench.converters.quantize.onnx_equalised import channels, scaled
from edgebench.converters.quantize.onnx_running import fed, opened, outputs, run_session, tensors
from edgebench.converters.quantize.ranges import Observed, Range
from edgebench.converters.quantize.units import Units, units


def load(path: str) -> Any:
    """Read a graph with its inferred shapes."""
    return onnx.shape_inference.infer_shapes(onnx.load(path))


class Graph:
    """A prepared float .onnx as a `plans.Backend`; `safe` as in `build`."""

    def __init__(self, model: Any, safe: bool = True) -> None:
        self.model, self._safe = onnx_static.prepare(model), safe

    def observe(self, inputs: npt.NDArray[np.float32]) -> dict[str, Observed]:
        """Return what every activation was on `inputs`."""
        return onnx_static.observe(self.model, inputs)

    def build(self, ranges: Mapping[str, Range], scope: str, floating: Iterable[str] = ()) -> Any:
        """Return the QDQ graph."""
        return onnx_static.build(self.model, ranges, scope, floating, self._safe)

    def corrected(
        self, made: Any, inputs: npt.NDArray[np.float32], names: Iterable[str], reference: Mapping[str, Any]
    ) -> Any:
        """Return the graph with the named nodes' biases corrected."""
        return onnx_static.correct_biases(made, inputs, names, reference)

    def products(self) -> list[str]:
        """Return the names of the convolutions and matrix products with a bias of their own."""
        constants = {value.name for value in self.model.graph.initializer}
        return [
            node.name
            for node in self.model.graph.node
            if node.op_type in ("Conv", "Gemm") and len(node.input) == 3 and node.input[2] in constants
        ]

    def means(self, inputs: npt.NDArray[np.float32], names: Iterable[str]) -> dict[str, npt.NDArray[np.float64]]:
        """Return the float graph's means."""
        return onnx_static.means(self.model, inputs, names)

    def logits(self, made: Any | None, inputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the logits of a graph, of the float graph where it is None; unsafe weights are computed in float."""
        return outputs(
            onnx_static.cut(self.model if made is None else made), inputs, optimise=made is None or self._safe
        )

    def outputs(self, made: Any | None, inputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the outputs of a graph, of the float graph where it is None."""
        return outputs(self.model if made is None else made, inputs, optimise=made is None or self._safe)

    def opened(self, made: Any) -> Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]:
        """Load a graph to be timed, one thread: one input -> its output."""
        return opened(run_session(made, threads=1))

    def channels(self) -> tuple[list[Operator], list[str]]:
        """Return the operators as equalisation sees them, and the activations that it must leave."""
        return channels(self.model)

    def scaled(self, scales: Mapping[str, Factors]) -> Graph:
        """Return the float graph with the channels of activations multiplied."""
        return Graph(scaled(self.model, scales), self._safe)

    def tensors(self, inputs: npt.NDArray[np.float32], names: Iterable[str]) -> dict[str, npt.NDArray[np.float32]]:
        """Return the values (n, ..) of named activations of the float graph on `inputs`."""
        return tensors(self.model, inputs, list(names))

    def fed(self, name: str) -> Callable[[npt.NDArray[np.float32], npt.NDArray[np.float32]], npt.NDArray[np.float32]]:
        """Return a function of one input and of one activation's values in it: the float graph's logits from there."""
        return fed(onnx_static.cut(self.model), name)

    def coarse(self, name: str) -> Any | None:
        """Return the float graph with one product's weights rounded to int8; None where `name` is no product's."""
        return onnx_static.coarse(self.model, name, self._safe)

    def units(self) -> Units:
        """Return every activation that is handed on, with the names of the operators that touch it, in order."""
        constants = {value.name for value in self.model.graph.initializer}
        return units(
            (
                node.name,
                node.op_type in onnx_static.PASSING,
                [name for name in node.input if name not in constants],
                node.output,
            )
            for node in self.model.graph.node
        )

    def write(self, made: Any, path: Path) -> None:
        """Write a graph."""
        onnx.save(made, str(path))

    def read(self, path: Path) -> Any:
        """Read a graph that `write` wrote."""
        return onnx.load(str(path))
