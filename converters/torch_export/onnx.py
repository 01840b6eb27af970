"""torch -> ONNX through torch.onnx's dynamo exporter, without the exporter's stack traces."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from onnx import numpy_helper

NEARLY_ZERO = float(np.finfo(np.float32).tiny)


def onnx_bytes(module: torch.nn.Module, shape: tuple[int, ...], input_name: str, output_name: str) -> bytes:
    """Return `module`, traced on one input of `shape`, as a float32 .onnx."""
    program = torch.onnx.export(
        module,
        (torch.zeros(shape),),
        dynamo=True,
        input_names=[input_name],
        output_names=[output_name],
        verbose=False,
    )
    proto = program.model_proto
    _drop_traces(proto.graph)
    keep_pads_apart(proto.graph)
    return bytes(proto.SerializeToString())


def _drop_traces(graph: Any) -> None:
    """Traces are a quarter of a small file, and the shapes left by the exporter stop onnxruntime's quantiser."""
    del graph.value_info[:]
    del graph.metadata_props[:]
    for item in (*graph.node, *graph.initializer, *graph.input, *graph.output):
        del item.metadata_props[:]


def keep_pads_apart(graph: Any) -> None:
    """Pad with the smallest number above zero where a maximum follows zeros.

    onnxruntime's Pad_Fusion folds a Pad with zeros into the MaxPool behind it, whose own padding is minus infinity:
    with negative values at the border (BiT) the runtime then computes another function, 21 dB away. It leaves other
    values alone, and 1e-38 is zero to every sum.
    """
    values = {value.name: value for value in graph.initializer}
    constants = {node.output[0]: node.attribute[0].t for node in graph.node if node.op_type == "Constant"}
    pooled = {node.input[0] for node in graph.node if node.op_type == "MaxPool"}
    for node in graph.node:
        mode = next((item.s for item in node.attribute if item.name == "mode"), b"constant")
        if node.op_type != "Pad" or mode != b"constant" or node.output[0] not in pooled:
            continue
        given = node.input[2] if len(node.input) > 2 else ""
        tensor = values.get(given, constants.get(given))
        if given and (tensor is None or np.any(numpy_helper.to_array(tensor))):
            continue
        name = f"{node.output[0]}_nearly_zero"
        graph.initializer.append(numpy_helper.from_array(np.array(NEARLY_ZERO, np.float32), name))
        rest = [*node.input[:2], name, *node.input[3:]]
        del node.input[:]
        node.input.extend(rest)
