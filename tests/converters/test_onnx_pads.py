"""What onnxruntime makes of a Pad with zeros before a MaxPool is what the model says."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytestmark = pytest.mark.huggingface

import onnxruntime  # noqa: E402
from onnx import TensorProto, helper  # noqa: E402

from edgebench.converters.torch_export.onnx import keep_pads_apart  # noqa: E402


@pytest.mark.parametrize("value", [0.0, -1.0, None])
def test_a_maximum_over_padded_zeros_is_not_folded(value: float | None) -> None:
    nodes = [
        helper.make_node("Pad", ["x", "pads", *(["value"] if value is not None else [])], ["padded"]),
        helper.make_node("MaxPool", ["padded"], ["y"], kernel_shape=[3, 3], strides=[2, 2]),
    ]
    constants = [helper.make_tensor("pads", TensorProto.INT64, [8], [0, 0, 1, 1, 0, 0, 1, 1])]
    if value is not None:
        constants.append(helper.make_tensor("value", TensorProto.FLOAT, [], [value]))
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", [1, 2, 8, 8]), ("y", None))]
    model = helper.make_model(
        helper.make_graph(nodes, "g", ends[:1], ends[1:], constants),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=9,
    )
    x = -2 - np.random.default_rng(0).random((1, 2, 8, 8), dtype=np.float32)
    border = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=value or 0.0)
    windows = np.lib.stride_tricks.sliding_window_view(border, (3, 3), (2, 3))[:, :, ::2, ::2]
    keep_pads_apart(model.graph)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    np.testing.assert_allclose(session.run(None, {"x": x})[0], windows.max((-2, -1)), atol=1e-30)
