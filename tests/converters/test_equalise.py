"""Cross-layer equalisation: which channels may be scaled, by how much, and that the function stays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

pytest.importorskip("ai_edge_quantizer")
from edgebench.converters.quantize import onnx_equalised, onnx_graph, tflite_static
from edgebench.converters.quantize.equalise import MARGIN, Operator, factors
from edgebench.converters.quantize.plans import Maker, Plan, sqnr_db
from edgebench.converters.quantize.ranges import Observed
from tests.models import culprits, onnx_models
from tests.models.pixels import coarse

PEAKS = {"a": np.array([1, 4, 0], np.float32), "b": np.array([16, 4, 0], np.float32)}
CHAIN = [
    Operator(("image",), ("a",), product=True),
    Operator(("a",), ("b",), product=True),
    Operator(("b",), ("out",), product=True),
]


def test_each_channel_fills_the_range_half_of_the_way_or_all_of_it() -> None:
    for strength, first in ((0.5, 2.0), (1.0, 4.0)):
        found = factors(CHAIN, ("image", "out"), PEAKS, strength)
        assert found["a"].tolist() == [first, 1, 1] and found["b"].tolist() == [1, first, 1]  # the silent one stays
        assert set(found) == {"a", "b"}


def test_what_is_added_is_scaled_alike() -> None:
    stream = [*CHAIN[:2], Operator(("a", "b"), ("c",), passes=True), Operator(("c",), ("out",), product=True)]
    found = factors(stream, ("image", "out"), PEAKS, 1.0)
    assert {name: scale.tolist() for name, scale in found.items()} == {name: [2, 2, 1] for name in "abc"}
    assert not factors([*stream, Operator(("b",), ("d",))], ("image", "out"), PEAKS, 1.0)  # a sigmoid reads it as well


def test_a_relu6_is_not_made_to_cut() -> None:
    cut = [Operator(("image",), ("a",), product=True, ceiling=6.0), CHAIN[1], Operator(("b",), ("out",))]
    (scale,) = factors(cut, ("image", "out"), {"a": np.array([1.5, 4], np.float32)}, 1.0).values()
    assert scale.tolist() == pytest.approx([min(4 / 1.5, 6 / (MARGIN * 1.5)), 1])


def test_what_a_relu_alone_reads_is_not_looked_at() -> None:
    chain = [
        Operator(("image",), ("c",), product=True),
        Operator(("c",), ("a",), passes=True, fuses=True),
        Operator(("a",), ("out",), product=True),
    ]
    peaks = {**PEAKS, "c": np.array([100, 1, 1], np.float32)}
    assert factors(chain, ("image", "out"), peaks, 1.0)["c"].tolist() == [4, 1, 1]


def test_what_was_observed_is_scaled_as_the_graph_is() -> None:
    generator = np.random.default_rng(0)
    scale = np.array([1, 3, 0.5], np.float32)
    images = [generator.normal(size=(1, 3, 40, 40)).astype(np.float32) for _ in range(2)]
    plain, louder = Observed(), Observed()
    for image in images:
        plain.add(image, 1)
        louder.add(image * scale.reshape(1, 3, 1, 1), 1)
    found = plain.scaled(scale)
    assert (found.low, found.high) == (louder.low, louder.high) and found.peaks.tolist() == louder.peaks.tolist()
    for ours, theirs in zip(found.samples, louder.samples, strict=True):
        assert ours.tolist() == theirs.tolist()
    assert found.range("mean squared error") == louder.range("mean squared error")


def test_onnx_keeps_its_function_and_loses_less(tmp_path: Path) -> None:
    inputs = coarse(40, 16).transpose(0, 3, 1, 2).astype(np.float32)
    plain = onnx_models.convolutional(tmp_path / "plain.onnx")
    culprits.onnx_culprit(plain, tmp_path / "culprit.onnx", "w1,b1", "w2", 200.0, [3])
    graph = onnx_graph.Graph(onnx_graph.load(str(tmp_path / "culprit.onnx")))
    held_against_plain(graph, inputs)


def test_tflite_keeps_its_function_and_loses_less() -> None:
    """Depthwise, a residual sum, ReLU6 and a mean: what MobileNets are made of."""
    tf = pytest.importorskip("tensorflow")
    generator = np.random.default_rng(4)

    def weights(*shape: int) -> object:
        return tf.constant((generator.normal(size=shape) / np.sqrt(np.prod(shape[:-1]))).astype(np.float32))

    loud = np.geomspace(0.01, 1, 8).astype(np.float32).reshape(8, 1)  # one channel sets the scale of `deep`
    kernels = [weights(3, 3, 3, 8), 3 * weights(3, 3, 8, 1) * loud, weights(1, 1, 8, 6) / loud]
    kernels += [weights(1, 1, *shape) for shape in ((6, 8), (8, 6), (6, 10))]
    head = weights(10, 4)

    @tf.function(input_signature=[tf.TensorSpec((1, 12, 12, 3), tf.float32)])
    def net(image: object) -> object:
        first = tf.nn.relu6(tf.nn.conv2d(image, kernels[0], 1, "SAME"))
        deep = tf.nn.relu(tf.nn.depthwise_conv2d(first, kernels[1], [1, 1, 1, 1], "SAME"))
        narrow = tf.nn.conv2d(deep, kernels[2], 1, "SAME")
        more = tf.nn.conv2d(tf.nn.relu(tf.nn.conv2d(narrow, kernels[3], 1, "SAME")), kernels[4], 1, "SAME")
        last = tf.nn.relu(tf.nn.conv2d(narrow + more, kernels[5], 1, "SAME"))
        return tf.linalg.matmul(tf.reduce_mean(last, (1, 2)), head)

    inputs = coarse(40, 12).astype(np.float32) / 255
    content = tf.lite.TFLiteConverter.from_concrete_functions([net.get_concrete_function()]).convert()
    graph = tflite_static.Graph(content)
    operators, fixed = graph.channels()
    peaks = {name: found.peaks for name, found in graph.observe(inputs).items()}
    assert sorted(len(scale) for scale in factors(operators, fixed, peaks, 1.0).values()) == [6, 6, 6, 8, 8, 8, 10, 10]
    held_against_plain(graph, inputs)
    maker = Maker(graph, inputs)
    sizes = [len(maker.make(Plan(equalised=strength))) for strength in (0.0, 0.5)]
    assert abs(sizes[1] - sizes[0]) < 100  # nothing of the weights as they were is left in the file


def held_against_plain(graph: object, inputs: np.ndarray) -> None:
    """Equalised, the float graph answers the same, and int8 is nearer to it."""
    maker, reference = Maker(graph, inputs), graph.logits(None, inputs)
    assert maker.equalises()
    louder = maker.backend(Plan(equalised=0.5))
    assert sqnr_db(louder.logits(None, inputs), reference) > 100
    found = [sqnr_db(graph.logits(maker.make(Plan(equalised=s)), inputs), reference) for s in (0.0, 0.5)]
    assert found[1] > found[0] + 3


def test_onnx_operators_that_may_not_be_scaled_are_left() -> None:
    """Grouped convolutions, a MatMul with a constant added, a Gemm with a factor, a Clip that does not begin at 0."""
    weights = {"grouped": (8, 4, 3, 3), "deep": (8, 1, 3, 3), "matrix": (8, 5), "zero": (), "one": (), "six": ()}
    constants = {
        name: numpy_helper.from_array(np.full(shape, {"one": 1, "six": 6}.get(name, 0), np.float32), name)
        for name, shape in weights.items()
    }

    def seen(kind: str, *inputs: str, **attributes: object) -> Operator:
        node = helper.make_node(kind, list(inputs), ["y"], **attributes)
        graph = helper.make_graph([node], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, None)], [])
        graph.initializer.extend(constants.values())
        ((found,), fixed) = onnx_equalised.channels(onnx.helper.make_model(graph))
        assert fixed == ["x"]
        return found

    left = Operator(("x",), ("y",))
    assert seen("Conv", "x", "grouped", group=2) == left == seen("Gemm", "x", "matrix", alpha=0.5)
    assert seen("Add", "x", "one") == left == seen("Sigmoid", "x")
    assert seen("Conv", "x", "deep", group=8) == Operator(("x",), ("y",), product=True) == seen("Gemm", "x", "matrix")
    assert seen("MatMul", "x", "matrix") == Operator(("x",), ("y",), product=True)
    assert seen("Clip", "x", "zero", "six") == Operator(("x",), ("y",), passes=True, ceiling=6.0, fuses=True)
    assert not seen("Clip", "x", "one", "six").passes and not seen("Pad", "x", "pads", "one").passes
