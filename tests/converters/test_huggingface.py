"""Every architecture that must convert, built tiny, converted once, invoked by the runtimes that will run it."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from edgebench.converters.base import SourceModel
from edgebench.measures.accuracy import sqnr_db
from edgebench.records import Settings
from edgebench.registry import find_runtime
from edgebench.runner.preprocess import guess_layout, normalise, to_input, to_real

pytest.importorskip("transformers")
pytestmark = pytest.mark.huggingface

import torch  # noqa: E402

from edgebench.converters.huggingface import converter as huggingface  # noqa: E402
from edgebench.converters.huggingface import source as huggingface_source  # noqa: E402
from edgebench.converters.quantize import tflite as quantize_tflite  # noqa: E402
from tests.models.huggingface import ARCHITECTURES, checkpoint  # noqa: E402

RUNTIME = {"tflite": "litert", "onnx": "onnxruntime"}
LAYOUT = {"savedmodel": "NHWC", "tflite": "NHWC", "onnx": "NCHW"}
GATE_DB = 60.0
SPLIT = ("beit", "swin", "levit-teacher")  # operators that XNNPACK does not take; all others it takes whole
TESTED = [name for name in ARCHITECTURES if name not in ("deit", "levit")]  # their teacher variants are harder


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """So small nets gain nothing from more, and spinning threads slow whatever else runs."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module", params=TESTED)
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> SourceModel:
    folder = checkpoint(request.param, tmp_path_factory.mktemp("checkpoint") / request.param)
    return huggingface.load(huggingface_source.resolve(str(folder)), None)


@pytest.fixture(scope="module")
def images(source: SourceModel) -> npt.NDArray[np.uint8]:
    shape = (6, source.height, source.width, source.channels)
    return np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture(scope="module")
def reference(source: SourceModel, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    logits = huggingface.predict(source, images)
    assert logits.std(axis=0).mean() > 0.1, "logits that hardly depend on the image prove nothing"
    return logits


@pytest.mark.parametrize("kind", LAYOUT)
def test_every_architecture_matches_torch_in_every_format(
    kind: str,
    source: SourceModel,
    images: npt.NDArray[np.uint8],
    reference: npt.NDArray[np.float32],
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    path = tmp_path / f"model.{kind}"
    getattr(huggingface, f"to_{kind}")(source, path)
    session = _open(kind, path)
    assert guess_layout(session.input.shape) == LAYOUT[kind]
    assert session.input.shape[0] == 1
    assert session.output.shape == (1, source.classes)
    if kind == "tflite" and request.node.callspec.params["source"] not in SPLIT:
        assert session.facts()["operators_off_xnnpack"] == "none"

    outputs = _outputs(session, normalise(images, source.preprocessing, LAYOUT[kind]))
    assert sqnr_db(outputs, reference) >= GATE_DB


def _open(kind: str, path: Path) -> Any:
    """A session as the runner opens it; TensorFlow, busy in this process already, takes no other thread settings."""
    if kind == "savedmodel":
        import tensorflow as tf

        from edgebench.runner.runtimes.tensorflow import TensorFlowSession

        return TensorFlowSession(tf.saved_model.load(str(path)), Settings())
    runtime = find_runtime(RUNTIME[kind])
    return importlib.import_module(runtime.module).open_session(runtime.name, str(path), Settings())


def _outputs(session: Any, inputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    rows = []
    for row in inputs:
        session.copy_in(row[None])
        session.invoke()
        rows.append(session.copy_out())
    session.close()
    return np.concatenate(rows)


def test_a_savedmodel_may_run_on_another_platform_than_the_cpu(tmp_path: Path) -> None:
    """XlaCallModule refuses any but the one it was made for, unless that check is off: here, it would refuse a GPU."""
    import tensorflow as tf

    source = huggingface.load(huggingface_source.resolve(str(checkpoint("vit", tmp_path / "vit"))), None)
    huggingface.to_savedmodel(source, tmp_path / "model")
    graph = tf.saved_model.load(str(tmp_path / "model")).signatures["serving_default"].graph.as_graph_def()
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    assert [list(n.attr["disabled_checks"].list.s) for n in nodes if n.op == "XlaCallModule"] == [[b"platform"]]


def test_the_teacher_variant_averages_both_heads(tmp_path: Path) -> None:
    folder = checkpoint("deit-teacher", tmp_path / "deit")
    model = huggingface.load(huggingface_source.resolve(str(folder)), None)
    images = np.random.default_rng(2).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    pixels = torch.from_numpy(normalise(images, model.preprocessing, "NCHW"))
    with torch.inference_mode():
        both = model.handle(pixels)
    assert not torch.allclose(both.cls_logits, both.distillation_logits, atol=0.1)
    expected = (both.cls_logits + both.distillation_logits) / 2
    np.testing.assert_allclose(huggingface.predict(model, images), expected, atol=1e-6)


@pytest.mark.parametrize("name", ["resnet", "convnext", "efficientnet"])
def test_int8_runs_where_the_float_graph_needed_mending(name: str, tmp_path: Path) -> None:
    """ResNet's padded maximum and ConvNeXt's biases were refused once quantised; EfficientNet's pooling lost all."""
    model = huggingface.load(huggingface_source.resolve(str(checkpoint(name, tmp_path / name))), None)
    images = np.random.default_rng(3).integers(0, 256, (16, 32, 32, 3), dtype=np.uint8)
    huggingface.to_tflite(model, tmp_path / "float32.tflite")
    inputs = normalise(images, model.preprocessing)
    made = quantize_tflite.quantise(tmp_path / "float32.tflite", "int8", tmp_path / "int8", inputs)
    assert made.recipe.startswith("convolutions and matrix products only" if name == "convnext" else "every operator")

    session = _open("tflite", tmp_path / "int8")
    rows = []
    for row in inputs:
        session.copy_in(to_input(row[None], session.input))
        session.invoke()
        rows.append(to_real(session.copy_out(), session.output))
    assert sqnr_db(np.concatenate(rows), huggingface.predict(model, images)) > 15
