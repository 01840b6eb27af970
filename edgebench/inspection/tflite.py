"""A .tflite as a Graph, read with the schema that ai-edge-litert carries. The file is untrusted input."""

from __future__ import annotations

import re
import struct
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgebench.errors import UsageError
from edgebench.inspection.graph import Graph, Node, Tensor

IDENTIFIER = b"TFL3"
DTYPES = {
    schema.TensorType.FLOAT32: "float32",
    schema.TensorType.FLOAT16: "float16",
    schema.TensorType.FLOAT64: "float64",
    schema.TensorType.INT8: "int8",
    schema.TensorType.UINT8: "uint8",
    schema.TensorType.INT16: "int16",
    schema.TensorType.UINT16: "uint16",
    schema.TensorType.INT32: "int32",
    schema.TensorType.UINT32: "uint32",
    schema.TensorType.INT64: "int64",
    schema.TensorType.UINT64: "uint64",
    schema.TensorType.INT4: "int4",
    schema.TensorType.BOOL: "bool",
}
MALFORMED = (struct.error, LookupError, TypeError, ValueError, AttributeError, OverflowError, MemoryError)
"""What flatbuffers and a schema raise on bytes that are no whole model."""
FLOATS = {"float32": np.float32, "float16": np.float16, "float64": np.float64}
_KINDS = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}


def read(content: bytes, origin: str) -> Graph:
    """Return the main graph of a .tflite. Raises UsageError where it is truncated, foreign or inconsistent."""
    if content[4:8] != IDENTIFIER:
        raise UsageError(f"{origin} is not a .tflite file: its first bytes do not say TFL3")
    try:
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
        return _graph(model, content)
    except MALFORMED as error:
        raise UsageError(f"{origin} is not a whole .tflite file: was it cut short? Copy or convert it again") from error


def _graph(model: Any, content: bytes) -> Graph:
    graph = model.subgraphs[0]
    if len(model.subgraphs) and not graph.operators:
        raise ValueError("no operators")
    names = _names(graph)
    tensors = {name: _tensor(name, item, model, content) for name, item in zip(names, graph.tensors, strict=True)}

    def named(indices: Any) -> tuple[str, ...]:
        found = [int(index) for index in (indices if indices is not None else ())]
        if any(not -1 <= index < len(names) for index in found):
            raise IndexError("a tensor that does not exist")
        return tuple(names[index] for index in found if index >= 0)

    nodes = tuple(
        Node(f"{place}", _kind(model, operator), named(operator.inputs), named(operator.outputs))
        for place, operator in enumerate(graph.operators)
    )
    return Graph("tflite", nodes, tensors, named(graph.inputs), named(graph.outputs), _needs(model))


def _names(graph: Any) -> list[str]:
    """Return the tensors' names, made different where the file repeats one."""
    found: dict[str, int] = {}
    names = []
    for place, item in enumerate(graph.tensors):
        name = (item.name or b"").decode(errors="replace") or f"tensor {place}"
        names.append(name if name not in found else f"{name} ({place})")
        found[name] = place
    return names


def _tensor(name: str, item: Any, model: Any, content: bytes) -> Tensor:
    shape = item.shapeSignature if item.shapeSignature is not None and len(item.shapeSignature) else item.shape
    dtype = DTYPES.get(item.type, f"type {item.type}")
    data = _data(model.buffers[item.buffer], content)
    quantisation = item.quantization
    scales = quantisation.scale if quantisation is not None and quantisation.scale is not None else ()
    points = quantisation.zeroPoint if quantisation is not None and quantisation.zeroPoint is not None else ()
    sane = True
    if dtype in FLOATS and len(data):
        sane = not np.isnan(np.frombuffer(bytes(data), FLOATS[dtype])).any()
    return Tensor(
        name=name,
        shape=tuple(int(edge) for edge in (shape if shape is not None else ())),
        dtype=dtype,
        stored_bytes=len(data),
        scales=tuple(float(value) for value in scales),
        zero_points=tuple(int(value) for value in points),
        sane=sane,
    )


def _data(buffer: Any, content: bytes) -> Any:
    if buffer.offset > 1:  # large models keep their weights behind the flatbuffer
        if buffer.offset + buffer.size > len(content):
            raise ValueError("weights beyond the end of the file")
        return content[buffer.offset : buffer.offset + buffer.size]
    return buffer.data if buffer.data is not None else ()


def _kind(model: Any, operator: Any) -> str:
    code = model.operatorCodes[operator.opcodeIndex]
    if code.customCode:
        return f"custom {code.customCode.decode(errors='replace')}"
    return str(_KINDS[max(int(code.builtinCode), int(code.deprecatedBuiltinCode))])


def _needs(model: Any) -> str:
    """Return the version that the converter wrote down."""
    for entry in model.metadata or ():
        if entry.name == b"min_runtime_version":
            data = bytes(_data(model.buffers[entry.buffer], b""))
            version = data.split(b"\0")[0].decode(errors="replace")
            if re.fullmatch(r"\d+(\.\d+){1,2}", version):
                return f"TensorFlow Lite {version}"
    return ""
