"""The graph of a file, the same value for every format; nothing here knows a format's library."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

LIMITS = {"int8": (-128, 127), "uint8": (0, 255), "int16": (-32768, 32767), "uint16": (0, 65535)}
"""What an integer of a quantised tensor can be."""


@dataclass(frozen=True)
class Tensor:
    """One tensor. `shape` has -1 where an edge is free; `stored_bytes` is 0 unless the file holds its values.

    Real value = (stored - zero_points) * scales, one of each or one a channel; empty where it is not quantised.
    `sane` is False where stored values are not numbers.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str  # numpy's name; empty where the file does not say
    stored_bytes: int = 0
    scales: tuple[float, ...] = ()
    zero_points: tuple[int, ...] = ()
    sane: bool = True

    @property
    def constant(self) -> bool:
        """Whether the file holds its values."""
        return self.stored_bytes > 0

    @property
    def holds(self) -> tuple[float, float]:
        """The real values between which it can lie; infinite where it is not quantised with one scale."""
        if len(self.scales) != 1 or self.dtype not in LIMITS:
            return -math.inf, math.inf
        low, high = ((edge - self.zero_points[0]) * self.scales[0] for edge in LIMITS[self.dtype])
        return low, high

    @property
    def elements(self) -> int:
        """How many numbers it has; free edges count as one."""
        return math.prod(max(edge, 1) for edge in self.shape)


@dataclass(frozen=True)
class Node:
    """One operator: `kind` in its format's own words (CONV_2D, Conv), tensors by name."""

    name: str
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Graph:
    """A file's main graph in the order of execution."""

    format: str
    nodes: tuple[Node, ...]
    tensors: dict[str, Tensor] = field(repr=False)
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    needs: str  # the smallest runtime version that takes it, in words; empty where the file does not say

    @cached_property
    def producers(self) -> dict[str, Node]:
        """Tensor name -> the node that makes it."""
        return {name: node for node in self.nodes for name in node.outputs}

    @cached_property
    def consumers(self) -> dict[str, tuple[Node, ...]]:
        """Tensor name -> the nodes that read it."""
        table: dict[str, list[Node]] = {}
        for node in self.nodes:
            for name in dict.fromkeys(node.inputs):
                table.setdefault(name, []).append(node)
        return {name: tuple(nodes) for name, nodes in table.items()}

    def producer_kind(self, name: str) -> str:
        """Return the kind of the node that makes a tensor, empty for inputs and constants."""
        node = self.producers.get(name)
        return node.kind if node else ""

    def stored(self, name: str, through: Iterable[str]) -> Tensor | None:
        """Return the constant behind a tensor, following nodes of the kinds `through`; None where it varies."""
        for _ in range(len(self.nodes) + 1):
            tensor = self.tensors.get(name)
            if tensor is not None and tensor.constant:
                return tensor
            node = self.producers.get(name)
            if node is None or node.kind not in through:
                return None
            # a chain such as Mul(Cast(weights), scale): the weights are the largest of its inputs
            varying = [item for item in node.inputs if item in self.producers]
            name = varying[0] if varying else max(node.inputs, key=self._elements)
        return None

    def _elements(self, name: str) -> int:
        tensor = self.tensors.get(name)
        return tensor.elements if tensor else 0

    def constants(self) -> Iterator[Tensor]:
        """Yield the tensors whose values the file holds."""
        return (tensor for tensor in self.tensors.values() if tensor.constant)
