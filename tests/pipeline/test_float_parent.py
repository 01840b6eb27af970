"""What is made from a float32 graph that nobody asked for stands or falls with it."""

from pathlib import Path

import pytest

from edgebench.files import read_record
from edgebench.pipeline import workers
from edgebench.pipeline.calibration import plan_images
from edgebench.pipeline.convert import convert
from edgebench.pipeline.manifests import Order
from edgebench.records import FAILED, OK, Artifact, Source

WORKER = """
import sys
import numpy as np, onnxruntime
from edgebench.converters import worker
from edgebench.converters.base import SourceModel
from edgebench.records import Preprocessing
from tests.models import onnx_models

class Module:
    @staticmethod
    def to_onnx(model, path):
        onnx_models.classifier(path)
        with open({log!r}, "a") as stream:
            stream.write("float graph\\n")

    @staticmethod
    def predict(model, images):
        session = onnxruntime.InferenceSession(str(onnx_models.classifier({right!r})))
        rows = [session.run(None, {{"pixels": image[None].astype(np.float32)}})[0] for image in images]
        return np.concatenate(rows) * (1 + {error} * np.array([1, -1, 1, -1], np.float32))

def load(request):
    return Module, SourceModel(request.source, 8, 8, 3, 4, (), 16, Preprocessing("none"), None)

worker.load = load
sys.exit(worker.main(sys.argv[1:]))
"""


@pytest.fixture
def ordered(tmp_path, monkeypatch):
    """Convert a source whose outputs are those of its float graph, but for a relative error."""

    def make(*variants, error=0.0):
        text = WORKER.format(right=str(tmp_path / "right.onnx"), error=error, log=str(tmp_path / "log"))
        (tmp_path / "stub_worker.py").write_text(text)
        source = Source("keras", "/nowhere", "s")
        order = Order(source, "digits", None, variants, (), plan_images(None, False, 1, 0, ()), tmp_path / "out")
        return {artifact.variant: artifact for artifact in convert(order, lambda event: None)}

    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).parents[2]}")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setattr(workers, "CONVERTER", "stub_worker")
    return make


def test_a_float_graph_that_nobody_asked_for_is_tested_like_any_other(ordered, tmp_path):
    (made,) = ordered("onnx:dynamic", error=0.01).values()
    assert made.status == FAILED and made.path == ""
    assert made.reason == (
        "made from onnx:float32, which failed: parity with the source model is 40.0 dB, 60 are required"
    )
    assert sorted(path.name for path in (tmp_path / "out/artifacts/digits").iterdir()) == ["digits-dynamic.onnx.json"]


def test_it_counts_where_the_float_graph_is_right_whatever_the_order_of_the_variants(ordered, tmp_path):
    folder = tmp_path / "out/artifacts/digits"
    assert ordered("onnx:dynamic")["onnx:dynamic"].status == OK
    assert not (folder / "digits-float32.onnx").exists()
    both = ordered("onnx:float16", "onnx:float32")
    assert list(both) == ["onnx:float16", "onnx:float32"] and {one.status for one in both.values()} == {OK}
    (folder / "digits-dynamic.onnx").unlink()
    calls = (tmp_path / "log").read_text()
    assert ordered("onnx:dynamic")["onnx:dynamic"].status == OK
    assert (tmp_path / "log").read_text() == calls  # from the float graph that lies there, tested before
    assert read_record(Artifact, folder / "digits-dynamic.onnx.json").status == OK
