"""Running ONNX graphs in memory, while the best quantised one is looked for."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
from onnx import TensorProto, helper


def run_session(model: Any, optimise: bool = True, threads: int = 2) -> Any:
    """Return an onnxruntime session of a model; without optimisation QDQ graphs are computed in float."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if not optimise:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def opened(session: Any) -> Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]:
    """Return a function of one input (..) that gives the session's first output (1, ..)."""
    source, target = session.get_inputs()[0].name, session.get_outputs()[0].name

    def run(row: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        found: npt.NDArray[np.float32] = session.run([target], {source: row[None]})[0]
        return found

    return run


def outputs(model: Any, inputs: npt.NDArray[np.float32], optimise: bool = True) -> npt.NDArray[np.float32]:
    """Return the first output (n, ..) for `inputs`, one image at a time."""
    return np.concatenate([*map(opened(run_session(model, optimise)), inputs)])


def tensors(model: Any, inputs: npt.NDArray[np.float32], names: list[str]) -> dict[str, npt.NDArray[np.float32]]:
    """Return the values (n, ..) of named activations on `inputs`."""
    watched = copy.deepcopy(model)
    source = watched.graph.input[0].name
    known = {value.name for value in watched.graph.output} | {source}
    new = [name for name in names if name not in known]
    watched.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in new)
    session = run_session(watched, optimise=False)
    made = [name for name in names if name != source]
    rows = [session.run(made, {source: row[None]}) for row in inputs]
    found = {name: np.stack(values) for name, values in zip(made, zip(*rows, strict=True), strict=True)}
    return found | ({source: inputs[:, None]} if source in names else {})


def fed(model: Any, name: str) -> Callable[[npt.NDArray[np.float32], npt.NDArray[np.float32]], npt.NDArray[np.float32]]:
    """Return a function of (one input (1, ..), the values of activation `name`) -> the model's first output (1, ..)."""
    short = copy.deepcopy(model)
    source = short.graph.input[0].name
    wanted, kept = {value.name for value in short.graph.output}, []
    for node in reversed(short.graph.node):
        if wanted & set(node.output) and name not in node.output:
            kept.append(node)
            wanted |= set(node.input)
    del short.graph.node[:]
    short.graph.node.extend(kept[::-1])
    if name != source:
        short.graph.input.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    if source not in wanted:
        short.graph.input.remove(short.graph.input[0])
    session = run_session(short)
    taken = [value.name for value in session.get_inputs()]
    target = session.get_outputs()[0].name

    def run(row: npt.NDArray[np.float32], values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        feeds = {source: row} | {name: values}
        found: npt.NDArray[np.float32] = session.run([target], {key: feeds[key] for key in taken})[0]
        return found

    return run
