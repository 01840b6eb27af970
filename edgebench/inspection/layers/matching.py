"""Which layer of a quantised graph is which layer of the float graph: by its output's name, else by the order."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from edgebench.inspection.audit import WORDS
from edgebench.inspection.graph import Graph, Node

ENOUGH = 0.5
"""From this share of layers found again by name on, names are believed; below, a tool has renamed them."""
STAND_IN = {
    "FusedConv": "Conv",
    "FusedMatMul": "MatMul",
    "FusedGemm": "Gemm",
    "QLinearConv": "Conv",
    "QLinearMatMul": "MatMul",
}


@dataclass(frozen=True)
class Match:
    """One layer in both graphs."""

    exact: Node
    found: Node


def match(exact: Graph, found: Graph) -> list[Match]:
    """Return the layers that stand in both graphs, in the order of execution."""
    ours, theirs = computing(exact), computing(found)
    named = {node.outputs[0]: node for node in theirs if node.outputs}
    # Not the kinds: Conv + Mul + Add + Clip become one Conv, which bears the name of the last one's output.
    by_name = [Match(node, named[node.outputs[0]]) for node in ours if node.outputs and node.outputs[0] in named]
    if len(by_name) >= ENOUGH * min(len(ours), len(theirs)):
        return by_name
    matcher = difflib.SequenceMatcher(None, [kind(n) for n in ours], [kind(n) for n in theirs], autojunk=False)
    return [
        Match(ours[block.a + step], theirs[block.b + step])
        for block in matcher.get_matching_blocks()
        for step in range(block.size)
    ]


def computing(graph: Graph) -> list[Node]:
    """Return the nodes that compute on what varies: no conversions, no copies, nothing that is folded at load."""
    words = WORDS[graph.format]
    return [
        node
        for node in graph.nodes
        if node.kind not in words.conversions | words.moving
        and any(graph.stored(name, words.unpacking) is None for name in node.inputs if name)
    ]


def kind(node: Node) -> str:
    """Return the kind that an operator has in either graph."""
    return STAND_IN.get(node.kind, node.kind)


def counterparts(exact: Graph, found: Graph, pairs: list[Match]) -> dict[str, str]:
    """Return, for each tensor of the quantised graph that has one, the tensor of the float graph that it stands for."""
    table = {name: name for name in found.tensors if name in exact.tensors or name in exact.producers}
    table |= {name: name for name in found.producers if name in exact.producers}
    table |= dict(zip(found.inputs, exact.inputs, strict=False))
    table |= {pair.found.outputs[0]: pair.exact.outputs[0] for pair in pairs}
    for node in found.nodes:  # in the order of execution, so that chains of conversions resolve
        if node.kind in WORDS[found.format].conversions and node.inputs[0] in table:
            for name in node.outputs:
                table.setdefault(name, table[node.inputs[0]])
    return table
