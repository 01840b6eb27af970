"""Running ONNX graphs in memory, while the best quantised one is looked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime


def run_session(model: Any, optimise: bool = True) -> Any:
    """Return an onnxruntime session of a model; without optimisation QDQ graphs are computed in float."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 2
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if not optimise:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def outputs(model: Any, inputs: npt.NDArray[np.float32], optimise: bool = True) -> npt.NDArray[np.float32]:
    """Return the first output (n, ..) for `inputs`, one image at a time."""
    session = run_session(model, optimise)
    source, target = session.get_inputs()[0].name, session.get_outputs()[0].name
    return np.concatenate([session.run([target], {source: row[None]})[0] for row in inputs])
