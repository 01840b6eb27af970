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
from edgebench.converters.quantize import onnx_graph, onnx_static, safe_weights
from edgebench.converters.quantize.choice import UNSEEN, choose
from edgebench.errors import ConversionError
from edgebench.measures.accuracy import sqnr_db
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


def pairs_of(rows: np.ndarray) -> np.ndarray:
    padded = np.pad(rows, ((0, 0), (0, rows.shape[1] % 2)))
    return padded.reshape(len(rows), -1, 2)


def saturates(integers: np.ndarray) -> bool:
    """Tell whether two neighbours of `integers` (output channels, inputs) can overflow 16 bits."""
    pairs = pairs_of(np.asarray(integers, np.int64))
    positive, negative = np.maximum(pairs, 0).sum(axis=2), np.minimum(pairs, 0).sum(axis=2)
    return bool(positive.max(initial=0) > safe_weights.PAIR or negative.min(initial=0) < -safe_weights.PAIR)


def product(activations: np.ndarray, integers: np.ndarray) -> np.ndarray:
    """Return (n, inputs) x (outputs, inputs) -> (n, outputs) as a processor without VNNI computes it: an emulation."""
    left, right = pairs_of(activations.astype(np.int64)), pairs_of(integers.astype(np.int64))
    sums = np.einsum("npk,opk->nop", left, right)
    clipped: np.ndarray = np.clip(sums, -32768, 32767).sum(axis=2)
    return clipped


def test_safe_weights_hold_on_every_processor_and_lose_little() -> None:
    """Two neighbours of 127 would need 64,770 in 16 bits; 7 bits for all weights are the price that is not paid."""
    rows = np.random.default_rng(1).normal(size=(32, 145)).astype(np.float32)
    rows[0, :2] = 10, 10  # the two largest are neighbours: this channel needs its scale doubled
    plain, plain_scale = safe_weights.quantise_channels(rows, safe=False)
    safe, scale = safe_weights.quantise_channels(rows)
    assert saturates(plain) and not saturates(safe)
    activations = np.full((1, 145), 255, np.uint8)
    exact = activations.astype(np.int64) @ safe.astype(np.int64).T
    assert np.array_equal(product(activations, safe), exact)
    true = activations.astype(np.int64) @ plain.astype(np.int64).T
    assert product(activations, plain)[0, 0] == true[0, 0] - (255 * 254 - 32767)
    assert (safe[0, 0], safe[0, 1]) == (64, 64)

    def error(integers: np.ndarray, scales: np.ndarray) -> float:
        return float(np.square(integers * scales[:, None] - rows)[1:].sum())  # the channel that pays left out

    seven_scale = np.abs(rows).max(axis=1) / 63
    seven = np.rint(rows / seven_scale[:, None])
    assert error(plain, plain_scale) < error(safe, scale) < error(seven, seven_scale) / 2


def test_neighbours_of_different_sign_keep_all_eight_bits() -> None:
    integers, scale = safe_weights.quantise_channels(np.array([[1.27, -1.27, 0.5]], np.float32))
    assert integers.tolist() == [[127, -127, 50]] and scale == pytest.approx(0.01)


def stored_weights(path: Path) -> dict[str, np.ndarray]:
    model = onnx.load(path)
    return {
        value.name: onnx.numpy_helper.to_array(value)
        for value in model.graph.initializer
        if value.data_type == onnx.TensorProto.INT8 and len(value.dims) > 1
    }


@pytest.mark.parametrize(("target", "words"), [("any", "no processor saturates"), ("x86-vnni", "x86 with VNNI only")])
def test_the_target_decides_how_weights_are_stored(
    source: Path, inputs: np.ndarray, tmp_path: Path, target: str, words: str
) -> None:
    made = quantize_onnx.quantise(source, "int8", tmp_path / "int8.onnx", inputs, target=target)
    assert words in made.recipe
    stored = stored_weights(tmp_path / "int8.onnx").values()
    rows = [np.moveaxis(weights, 1, -1).reshape(len(weights), -1) for weights in stored if weights.ndim == 4]
    assert len(rows) == 3
    assert any(saturates(row) for row in rows) == (target != "any")
    reference = run(source, inputs)
    assert sqnr_db(run(tmp_path / "int8.onnx", inputs), reference) > 30
    (note,) = [note for note in made.notes if note.startswith("SQNR of the logits")]
    assert note.count("/last") >= 3 and "/all" in note


def test_every_way_is_tried_and_the_best_is_kept(source: Path, inputs: np.ndarray) -> None:
    choice = choose(onnx_graph.Graph(onnx_graph.load(str(source))), inputs)
    ratios = {
        name: float(ratio)
        for name, _, ratio in (part.rpartition(" ") for part in choice.notes[0].partition(": ")[2].split(", "))
    }
    best = max(ratio for name, ratio in ratios.items() if name.startswith(choice.plan.scope))
    assert best - UNSEEN <= ratios[choice.plan.short] <= best  # ranges that cut must be better by more than that
    assert len(ratios) == 8 and sum("/equalised " in name for name in ratios) >= 2


def test_fewer_than_eight_images_are_not_split(source: Path, inputs: np.ndarray) -> None:
    choice = choose(onnx_graph.Graph(onnx_graph.load(str(source))), inputs[:7])
    assert choice.notes == () and choice.plan.ranges == "minimum and maximum"


def test_group_normalisation_keeps_its_float_islands(inputs: np.ndarray, tmp_path: Path) -> None:
    path = onnx_models.convolutional(tmp_path / "group.onnx", group_norm=True)
    made = quantize_onnx.quantise(path, "int8", tmp_path / "int8.onnx", inputs)
    assert made.recipe.startswith("convolutions and matrix products only")
    assert sqnr_db(run(tmp_path / "int8.onnx", inputs), run(path, inputs)) > 25


def test_an_unknown_target_is_refused(source: Path, tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="unknown target x86: known are any, x86-vnni, arm"):
        quantize_onnx.quantise(source, "int8", tmp_path / "x.onnx", target="x86")


def test_only_depthwise_kernels_add_without_pairs() -> None:
    """A grey picture's first convolution has one channel too, and its kernel does add neighbours in 16 bits."""

    def convolution(name: str, shape: tuple[int, ...], group: int) -> tuple[Any, Any]:
        weights = onnx.numpy_helper.from_array(np.ones(shape, np.float32), f"{name}_w")
        return helper.make_node("Conv", ["x", f"{name}_w"], [name], name=name, group=group), weights

    made = [convolution("grey", (8, 1, 3, 3), 1), convolution("depthwise", (8, 1, 3, 3), 8)]
    made += [convolution("doubled", (16, 1, 3, 3), 8), convolution("grouped", (8, 4, 3, 3), 2)]
    graph = helper.make_graph([node for node, _ in made], "g", [], [], [weights for _, weights in made])
    pairs = {found.node: found.pairs for found in onnx_static.products(helper.make_model(graph))}
    assert pairs == {"grey": True, "depthwise": False, "doubled": True, "grouped": True}
