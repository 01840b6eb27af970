"""Pixels halfway between two steps of an int8 input are told, wherever the input is quantised."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgebench.pipeline.halves import halves_note
from edgebench.records import Preprocessing, TensorSpec

HALF = Preprocessing("half", scale=1 / 255, mean=(0.5,), std=(0.5,))
STEP = float(np.float32(2 / 255))


def quantised(path, scale, moved=True):
    """A float input that is quantised first of all, behind a transpose or not."""
    nodes = [helper.make_node("Transpose", ["x"], ["moved"], perm=[0, 3, 1, 2])] if moved else []
    nodes.append(helper.make_node("QuantizeLinear", ["moved" if moved else "x", "scale", "zero"], ["q"]))
    nodes.append(helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["y"]))
    constants = [
        numpy_helper.from_array(np.array(scale, np.float32), "scale"),
        numpy_helper.from_array(np.array(0, np.int8), "zero"),
    ]
    ends = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4, 4, 3])]
    out = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    onnx.save(helper.make_model(helper.make_graph(nodes, "g", ends, out, constants)), path)
    return path


def test_an_integer_input(tmp_path):
    said = halves_note(tmp_path, "tflite", TensorSpec("x", (1, 4, 4, 3), "int8", STEP, -1), HALF, 3)
    assert said == (
        "765 of 768 pixel values lie halfway between two steps of its int8 input: edgebench and predict.py round them "
        "up; an app that does not gives it other inputs"
    )
    assert (
        halves_note(tmp_path, "tflite", TensorSpec("x", (1, 4, 4, 3), "int8", 1.0, -128), Preprocessing("n"), 3) == ""
    )


@pytest.mark.parametrize("moved", [True, False])
def test_an_input_that_the_graph_quantises(tmp_path, moved):
    spec = TensorSpec("x", (1, 4, 4, 3), "float32")
    said = halves_note(quantised(tmp_path / "m.onnx", STEP, moved), "onnx", spec, HALF, 3)
    assert said.startswith("765 of 768 pixel values") and "the runtime rounds them to even" in said
    assert halves_note(quantised(tmp_path / "m.onnx", 0.0123, moved), "onnx", spec, HALF, 3) == ""
    assert halves_note(tmp_path, "tflite", spec, HALF, 3) == ""
