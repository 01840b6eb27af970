"""The unit of `mixed`: a tensor with all the operators that touch it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Units:
    """The tensors of a graph that can stay in float, each as one."""

    operators: dict[str, tuple[str, ...]]
    """Tensor -> the operators that touch it, in the graph's order."""
    rounded: dict[str, str]
    """Tensor -> where it is stored: the same values behind what alone reads them and hands them on (a ReLU)."""


def units(operators: Iterable[tuple[str, bool, Sequence[str], Sequence[str]]]) -> Units:
    """Return the units of a graph.

    `operators` are (name, whether it only hands its values on, inputs, outputs) in the graph's order. What an operator
    hands on (a ReLU, a pooling) is the same tensor: with one half of it in integers nothing would be gained.
    """
    root: dict[str, str] = {}
    touching: dict[str, list[str]] = {}
    readers: dict[str, list[str | None]] = {}
    for name, passing, inputs, outputs in operators:
        sources = [root.setdefault(source, source) for source in inputs]
        for source in inputs:
            readers.setdefault(source, []).append(outputs[0] if passing else None)
        for output in outputs:
            root[output] = sources[0] if passing and sources else output
        for tensor in (*sources, *(root[output] for output in outputs)):
            if name not in touching.setdefault(tensor, []):
                touching[tensor].append(name)
    read = {root[tensor] for tensor in readers}
    kept = {tensor: tuple(names) for tensor, names in touching.items() if tensor in read}
    return Units(kept, {tensor: _end(tensor, readers) for tensor in kept})


def _end(tensor: str, readers: dict[str, list[str | None]]) -> str:
    while True:
        (first, *others) = readers.get(tensor, [None])
        if first is None or others:
            return tensor
        tensor = first
