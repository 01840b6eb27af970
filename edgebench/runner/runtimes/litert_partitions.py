"""What XNNPACK took over of a LiteRT graph: how many partitions, and which operators fell off the fast path."""

from __future__ import annotations

from collections import Counter
from typing import Any, Iterable, Mapping, Sequence  # noqa: UP035 (Python 3.9 on devices)

DELEGATE = "DELEGATE"


def partitions(nodes: Sequence[Mapping[str, Any]]) -> tuple[int, dict[str, int]]:
    """Return the number of delegate nodes, and the operators outside them with their counts.

    `nodes` are the interpreter's `_get_ops_details()`: the original nodes first, then one DELEGATE node for each
    partition. The interpreter does not say which nodes a partition replaced: they are those between its outputs
    and its inputs.
    """
    original = [node for node in nodes if node["op_name"] != DELEGATE]
    delegates = [node for node in nodes if node["op_name"] == DELEGATE]
    maker = {int(tensor): node["index"] for node in original for tensor in node["outputs"]}
    inputs = {node["index"]: [int(tensor) for tensor in node["inputs"]] for node in original}
    replaced: set[int] = set()
    for delegate in delegates:
        replaced |= _between(delegate["outputs"], delegate["inputs"], maker, inputs)
    left = Counter(node["op_name"] for node in original if node["index"] not in replaced)
    return len(delegates), dict(left.most_common())


def _between(
    outputs: Iterable[Any], stops: Iterable[Any], maker: Mapping[int, int], inputs: Mapping[int, Sequence[int]]
) -> set[int]:
    found: set[int] = set()
    border = {int(tensor) for tensor in stops}
    waiting = [int(tensor) for tensor in outputs]
    while waiting:
        node = maker.get(waiting.pop())
        if node is None or node in found:
            continue
        found.add(node)
        waiting += [tensor for tensor in inputs[node] if tensor not in border]
    return found
