"""torch -> ONNX through torch.onnx's dynamo exporter, without the exporter's stack traces."""

from __future__ import annotations

from typing import Any

import torch


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
    return bytes(proto.SerializeToString())


def _drop_traces(graph: Any) -> None:
    """Traces are a quarter of a small file, and the shapes left by the exporter stop onnxruntime's quantiser."""
    del graph.value_info[:]
    del graph.metadata_props[:]
    for item in (*graph.node, *graph.initializer, *graph.input, *graph.output):
        del item.metadata_props[:]
