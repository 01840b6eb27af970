"""The quantisers on trained nets and on made-up graphs: labels tell the truth, figures hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgebench.errors import ConversionError
from edgebench.measures.accuracy import sqnr_db

pytest.importorskip("ai_edge_quantizer")
from edgebench.converters.quantize import onnx as quantize_onnx
from edgebench.converters.quantize import tflite as quantize_tflite


@pytest.fixture(scope="module")
def small(converted: Path) -> Path:
    return converted / "artifacts" / "small"


@pytest.fixture(scope="module")
def inputs() -> np.ndarray:
    from edgebench.demo import models as demo_models

    return demo_models.resized(demo_models.digits()[2], (16, 16, 1)).astype(np.float32)


def lite(path: Path, inputs: np.ndarray) -> np.ndarray:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path))
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    outputs = []
    for row in inputs:
        value = row[None]
        if source["quantization"][0]:
            scale, zero = source["quantization"]
            bounds = np.iinfo(source["dtype"])
            value = np.clip(np.rint(value / scale) + zero, bounds.min, bounds.max).astype(source["dtype"])
        interpreter.set_tensor(source["index"], value)
        interpreter.invoke()
        output = interpreter.get_tensor(target["index"]).astype(np.float32)
        scale, zero = target["quantization"]
        outputs.append((output - zero) * scale if scale else output)
    return np.concatenate(outputs).astype(np.float32)


def onnx_run(path: Path, inputs: np.ndarray) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path))
    return np.concatenate([session.run(None, {"image": row[None]})[0] for row in inputs])


@pytest.mark.parametrize(("precision", "agree"), [("dynamic", 0.99), ("int8", 0.97), ("int16x8", 0.99)])
def test_tflite_agrees_with_float(small: Path, inputs: np.ndarray, precision: str, agree: float) -> None:
    expected = lite(small / "small-float32.tflite", inputs)
    outputs = lite(small / f"small-{precision}.tflite", inputs)
    assert np.mean(outputs.argmax(1) == expected.argmax(1)) >= agree
    assert sqnr_db(outputs, expected) > 20


@pytest.mark.parametrize(("precision", "agree"), [("float16", 1.0), ("dynamic", 0.99), ("int8", 0.97)])
def test_onnx_agrees_with_float(small: Path, inputs: np.ndarray, precision: str, agree: float) -> None:
    expected = onnx_run(small / "small-float32.onnx", inputs)
    outputs = onnx_run(small / f"small-{precision}.onnx", inputs)
    assert outputs.dtype == np.float32
    assert np.mean(outputs.argmax(1) == expected.argmax(1)) >= agree


def test_int8_ranges_are_the_true_ones(small: Path, inputs: np.ndarray) -> None:
    """An average over images would clip the one white image among black ones."""
    from edgebench.converters.quantize import tflite_static
    from edgebench.converters.quantize.plans import Maker, Plan

    calibration = np.zeros_like(inputs[:50])
    calibration[7] = 255
    graph = tflite_static.Graph((small / "small-float32.tflite").read_bytes())
    made = Maker(graph, calibration).make(Plan())
    from ai_edge_litert.interpreter import Interpreter

    scale, zero = Interpreter(model_content=made).get_input_details()[0]["quantization"]
    assert (127 - zero) * scale == pytest.approx(255, rel=0.01)


def test_biases_take_back_the_mean_error(small: Path, inputs: np.ndarray) -> None:
    from ai_edge_litert.tools import flatbuffer_utils as flatbuffers

    from edgebench.converters.quantize import tflite_static
    from edgebench.converters.quantize.plans import Maker, Plan

    content = (small / "small-float32.tflite").read_bytes()
    graph = tflite_static.Graph(content)
    some = inputs[:60]
    expected = graph.logits(None, some).mean(axis=0)
    errors = [
        np.abs(graph.logits(Maker(graph, some).make(Plan(biases=biases)), some).mean(axis=0) - expected).max()
        for biases in ("none", "last", "all")
    ]
    assert max(errors[1:]) < errors[0] / 2
    names = graph.products()
    assert len(names) == 4
    unchanged = flatbuffers.convert_object_to_bytearray(flatbuffers.read_model_from_bytearray(bytearray(content)))
    assert graph.corrected(content, some, names, graph.means(some, names)) == bytes(unchanged)


def test_calibration_is_needed(small: Path, tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="int8 needs calibration inputs"):
        quantize_tflite.quantise(small / "small-float32.tflite", "int8", tmp_path / "x.tflite")
    with pytest.raises(ConversionError, match="int8 needs calibration inputs"):
        quantize_onnx.quantise(small / "small-float32.onnx", "int8", tmp_path / "x.onnx")


def test_the_label_int8_is_refused_where_it_would_lie(small: Path) -> None:
    found = quantize_tflite.audit((small / "small-float32.tflite").read_bytes())
    assert found.integer == {} and found.floating["CONV_2D"] == 2
    with pytest.raises(ConversionError, match=r"would not be int8: 2 CONV_2D, .* would compute in float"):
        quantize_tflite.check(found, "int8", "every")


def test_transformers_are_told_from_convolutional_nets(small: Path, tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    from edgebench.converters.keras import frozen_graph
    from edgebench.converters.keras.converter import Graph
    from tests.models.keras_models import layers

    pixels = keras.Input((8, 8, 3))
    tokens = layers.Reshape((16, 32))(layers.Conv2D(32, 2, 2)(pixels))
    for _ in range(2):
        attended = layers.MultiHeadAttention(2, 16)(layers.LayerNormalization()(tokens), tokens)
        tokens = layers.add([tokens, attended])
    model = keras.Model(pixels, layers.Dense(4, "softmax")(layers.GlobalAveragePooling1D()(tokens)))
    graph = Graph(lambda x: model(x, training=False), [v.value for v in model.variables], model, (8, 8, 3))
    import onnx
    import tensorflow as tf

    content = tf.lite.TFLiteConverter.from_saved_model(graph.saved.name).convert()
    assert quantize_tflite.choose_scope(content) == "products"
    assert quantize_tflite.choose_scope((small / "small-float32.tflite").read_bytes()) == "auto"
    exported = frozen_graph.to_onnx(frozen_graph.freeze(graph.call, graph.spec))
    assert quantize_onnx.choose_scope(exported) == "products"
    assert quantize_onnx.choose_scope(onnx.load(small / "small-float32.onnx")) == "auto"
    inputs = np.random.default_rng(0).normal(size=(20, 8, 8, 3)).astype(np.float32)
    (tmp_path / "float32.tflite").write_bytes(content)
    made = quantize_tflite.quantise(tmp_path / "float32.tflite", "int8", tmp_path / "int8.tflite", inputs)
    assert made.recipe.startswith("convolutions and matrix products only")
    found = quantize_tflite.audit((tmp_path / "int8.tflite").read_bytes())
    assert "SOFTMAX" in found.floating and "FULLY_CONNECTED" not in found.floating
    assert np.isfinite(lite(tmp_path / "int8.tflite", inputs)).all()


def test_activations_are_fused(small: Path) -> None:
    import onnx

    names = [node.op_type for node in onnx.load(small / "small-float32.onnx").graph.node]
    assert names.count("HardSwish") == 1
    assert names.count("GlobalAveragePool") == 1
    assert "Sub" not in names and names.count("Erf") == 1


def test_mobilenet_v3_has_no_transposes_left(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    assert keras
    import onnx

    from edgebench.converters import sources
    from edgebench.converters.keras import converter

    source = sources.resolve("keras:MobileNetV3Small?weights=none&classes=4&input_size=32")
    model = converter.load(source, sources.own_preprocessing(source, "x"))
    converter.to_onnx(model, tmp_path / "v3.onnx")
    names = [node.op_type for node in onnx.load(tmp_path / "v3.onnx").graph.node]
    assert names.count("Transpose") <= 2
    assert names.count("HardSwish") == 19
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    outputs = onnx_run(tmp_path / "v3.onnx", images.astype(np.float32))
    assert sqnr_db(outputs, converter.predict(model, images)) > 60
