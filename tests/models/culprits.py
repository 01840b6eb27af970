"""Nets whose function is kept while int8 breaks in a layer that is known: for `mixed` and for `explain`.

One layer's output channel times c and the next layer's weights for it divided by c: behind ReLU nothing changes in real
numbers, but the channel now sets the layer's scale and leaves the others a few steps.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper


def onnx_culprit(source: Path, path: Path, first: str, second: str, factor: float, channels: list[int]) -> str:
    """Scale `channels` of the Conv with weights and bias `first`, undo it in the product with weights `second`.

    `first` is (weights, bias) separated by a comma. Returns the name of the tensor that int8 now destroys.
    """
    model = onnx.load(source)
    constants = {value.name: value for value in model.graph.initializer}
    for name in first.split(","):
        values = numpy_helper.to_array(constants[name]).copy()
        values[channels] *= np.float32(factor)
        constants[name].CopyFrom(numpy_helper.from_array(values, name))
    values = numpy_helper.to_array(constants[second]).copy()
    values[:, channels] /= np.float32(factor)
    constants[second].CopyFrom(numpy_helper.from_array(values, second))
    onnx.save(model, path)
    return next(node.output[0] for node in model.graph.node if first.split(",")[0] in node.input)
