"""The ONNX quantiser on small graphs, without a framework that trains: what is stored, what folds, what saturates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnxconverter_common")
import onnx
import onnxruntime
from onnx import helper

from edgebench.converters.quantize import onnx as quantize_onnx
from tests.models import onnx_models


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return onnx_models.convolutional(tmp_path_factory.mktemp("onnx") / "source.onnx")


@pytest.fixture(scope="module")
def inputs() -> np.ndarray:
    from tests.models.pixels import coarse

    return coarse(64, 16).transpose(0, 3, 1, 2).astype(np.float32)


def run(path: Path, inputs: np.ndarray, level: str = "ORT_ENABLE_ALL") -> np.ndarray:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    session = onnxruntime.InferenceSession(str(path), options)
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: row[None]})[0] for row in inputs])


def loaded(path: Path, place: Path) -> list[str]:
    """The kinds of operators that are left once onnxruntime has loaded a file."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(place)
    onnxruntime.InferenceSession(str(path), options)
    return [node.op_type for node in onnx.load(place).graph.node]


def with_dequantize_linear(model: Any) -> Any:
    """The same stored integers and scales behind DequantizeLinear."""
    casts = [node for node in model.graph.node if node.op_type == "Cast" and node.input[0].endswith("_int8")]
    for cast in casts:
        multiply = next(node for node in model.graph.node if cast.output[0] in node.input)
        scale = next(value for value in model.graph.initializer if value.name == multiply.input[1])
        scale.dims[:] = [scale.dims[0]]
        node = helper.make_node("DequantizeLinear", [cast.input[0], scale.name], list(multiply.output), axis=0)
        model.graph.node.remove(multiply)
        cast.CopyFrom(node)
    assert casts
    return model


def test_dynamic_convolution_weights_fold_at_load(source: Path, inputs: np.ndarray, tmp_path: Path) -> None:
    """`DequantizeLinear` on a constant would run at every inference; `Cast` and `Mul` are gone once it is loaded."""
    made = quantize_onnx.quantise(source, "dynamic", tmp_path / "dynamic.onnx")
    assert made.notes == ("2 convolutions with int8 weights",)  # the first has 432 weights, under 1024
    kinds = [node.op_type for node in onnx.load(tmp_path / "dynamic.onnx").graph.node]
    assert (kinds.count("Cast"), "DequantizeLinear" in kinds) == (3, False)  # one cast is the matrix product's
    left = loaded(tmp_path / "dynamic.onnx", tmp_path / "loaded.onnx")
    assert not {"Cast", "Mul"} & set(left[: left.index("GlobalAveragePool")])
    other = with_dequantize_linear(onnx.load(tmp_path / "dynamic.onnx"))
    onnx.save(other, tmp_path / "dequantised.onnx")
    one, two = (run(tmp_path / f"{name}.onnx", inputs, "ORT_DISABLE_ALL") for name in ("dequantised", "dynamic"))
    assert np.array_equal(one, two)  # optimised, the folded weights take a kernel that adds in another order
    assert abs((tmp_path / "dequantised.onnx").stat().st_size - (tmp_path / "dynamic.onnx").stat().st_size) < 300
