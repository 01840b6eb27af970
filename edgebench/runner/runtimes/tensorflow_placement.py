"""On which device TensorFlow put each operator of a function.

What has no kernel for the GPU, TensorFlow places on the CPU without a word. The graphs it really ran, after its own
rewriting, are collected by the context that also serves its profiler; the public interface shows them nowhere.
"""

from __future__ import annotations

from collections import Counter

import tensorflow as tf
from tensorflow.python.eager import context

# Hand values over, or hold them; nothing is computed.
_STRUCTURE = frozenset(
    ["_Arg", "_Retval", "_Send", "_Recv", "_HostSend", "_HostRecv", "NoOp", "Const", "Identity", "IdentityN"]
)
_SIZES = (tf.int32.as_datatype_enum, tf.int64.as_datatype_enum)


def watch() -> None:
    """Collect the graphs of functions that run for the first time from now on."""
    context.context().enable_graph_collection()


def ran_on_cpu() -> dict[str, int]:
    """Return the operators that computed on the CPU since `watch` and how many of each, the most frequent first."""
    metadata = context.context().export_run_metadata()
    graphs = (graph for function in metadata.function_graphs for graph in function.partition_graphs)
    nodes = (node for graph in graphs for node in graph.node if "device:CPU" in node.device)
    # Arithmetic on shapes belongs on the CPU, and structure computes nothing.
    found = Counter(n.op for n in nodes if n.op not in _STRUCTURE and n.attr["T"].type not in _SIZES)
    return dict(found.most_common())
