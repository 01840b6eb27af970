"""Layer by layer: figures on known arrays, and real artifacts beside their float siblings."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from edgebench.images.evaluation import open_dataset
from edgebench.inspection.explanation import Explanation
from edgebench.inspection.layers.figures import ErrorSums, RangeSums
from edgebench.pipeline.artifacts import find_artifacts
from edgebench.pipeline.explain import explain
from tests.conftest import Command


def test_errors_by_hand() -> None:
    exact = np.array([[[3.0, 0.1], [4.0, 0.2]]], np.float32)
    found = exact + np.array([0.0, 0.1], np.float32)
    sums = ErrorSums(-1)
    for _ in range(3):  # as often as you like: ratios do not change
        sums.add(exact, found)
    error = sums.figures()
    assert error is not None
    assert error.sqnr_db == pytest.approx(10 * math.log10(25.05 / 0.02), abs=1e-6)
    assert error.channel_db == math.inf  # the median of inf and 10 log10(0.05 / 0.02)
    product = 25 + 0.1 * 0.2 + 0.2 * 0.3
    assert error.cosine == pytest.approx(product / math.sqrt(25.05 * (25 + 0.04 + 0.09)), abs=1e-7)


def test_one_loud_channel_hides_the_rest_from_the_whole() -> None:
    generator = np.random.default_rng(0)
    exact = generator.normal(size=(1, 50, 16)).astype(np.float32)
    exact[..., 3] *= 1000
    found = np.round(exact / 8) * 8
    sums, ranges = ErrorSums(-1), RangeSums(-1, (-4000.0, 4000.0))
    sums.add(exact, found.astype(np.float32))
    ranges.add(exact)
    error, spread = sums.figures(), ranges.figures()
    assert error is not None and spread is not None
    assert error.sqnr_db > 30 and error.channel_db == pytest.approx(0, abs=0.5) and error.worst_db == error.channel_db
    assert spread.loudest_channel == 3 and spread.loudest_ratio > 500
    assert spread.clipped == 0 and spread.used == pytest.approx((exact.max() - exact.min()) / 8000)


def test_clipping_is_counted() -> None:
    ranges = RangeSums(-1, (0.0, 1.0))
    ranges.add(np.array([[-1.0, 0.5, 0.9995, 2.0]], np.float32))
    spread = ranges.figures()
    assert spread is not None
    assert spread.clipped == 0.5 and (spread.low, spread.high) == (-1.0, 2.0) and spread.used == 1.0


@pytest.fixture(scope="module", params=["tflite", "onnx"])
def seen(request: pytest.FixtureRequest, converted: Path, photos: Path) -> dict[str, Explanation]:
    dataset = open_dataset(photos)
    wanted = {f"{request.param}:{precision}" for precision in ("float16", "dynamic", "int8", "float32")}
    found = [f for f in find_artifacts([converted / "artifacts"], None) if f.artifact.variant in wanted]
    return {f.artifact.precision: explain(f, dataset, 4) for f in found}


def test_a_float_file_beside_itself_loses_nothing(seen: dict[str, Explanation]) -> None:
    layers = seen["float32"].layers
    assert layers and all(layer.accumulated.sqnr_db == math.inf for layer in layers)
    assert all(layer.alone is None or layer.alone.sqnr_db == math.inf for layer in layers)
    assert not any(layer.quantised for layer in layers)


@pytest.mark.parametrize("precision", ["int8", "dynamic", "float16"])
def test_every_layer_is_found_again(seen: dict[str, Explanation], precision: str) -> None:
    found = seen[precision]
    weighted = {item.node.outputs[0] for item in seen["float32"].audit.weighted}
    assert len(found.layers) >= len(weighted)
    assert all(math.isfinite(layer.accumulated.sqnr_db) or layer.accumulated.sqnr_db > 0 for layer in found.layers)
    alone = {layer.name for layer in found.layers if layer.alone is not None}
    # onnx: preparing for quantisation fuses one of them with what follows, and dynamic splits the Gemm
    assert len(weighted - alone) <= (2 if found.artifact.format == "onnx" else 0)
    assert all(layer.reason for layer in found.layers)
    assert [layer.place for layer in found.layers] == sorted(layer.place for layer in found.layers)


def test_errors_add_up(seen: dict[str, Explanation]) -> None:
    """With exact inputs a layer is hardly worse than in the network."""
    layers = seen["int8"].layers
    better = [one.alone is None or one.alone.sqnr_db >= one.accumulated.sqnr_db - 1 for one in layers]
    assert sum(better) >= 0.8 * len(better)
    assert all(layer.quantised for layer in layers if layer.kind in ("CONV_2D", "Conv"))


def test_the_command_leaves_a_page_and_node_data(
    converted: Path, photos: Path, tmp_path: Path, edgebench: Command
) -> None:
    artifact = converted / "artifacts/small/small-int8.tflite"
    done = edgebench("explain", artifact, "--data", photos, "--images", 4, "--out", tmp_path, "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    folder = tmp_path / "explain/small-tflite-int8"
    assert said == json.loads((folder / "layers.json").read_text())
    assert said["precision"] == "int8" and said["images"] == 4 and said["lies"] == []
    nodes = json.loads((folder / "model-explorer.json").read_text())["results"]
    assert set(nodes) == {layer["name"] for layer in said["layers"]}
    page = (folder / "layers.html").read_text()
    assert "http://" not in page.partition("<script>")[0] and all(layer["kind"] in page for layer in said["layers"])
    assert page.count('<svg class="plot"') == 1 and ".g{stroke" in page  # the curve, and how its lines look


def test_what_cannot_be_explained_is_one_line(
    converted: Path, photos: Path, tmp_path: Path, edgebench: Command
) -> None:
    lone = tmp_path / "lone.tflite"
    lone.write_bytes((converted / "artifacts/small/small-int8.tflite").read_bytes())
    for arguments, message in (
        ((converted / "artifacts/small/small-float32.savedmodel",), "a savedmodel is not read"),
        ((converted / "artifacts/small",), "name one of its files"),
        ((lone, "--data", photos), "name it with --against"),
        ((lone, "--data", photos, "--against", tmp_path / "no.tflite"), "cannot read"),
        ((lone, "--data", photos, "--against", converted / "artifacts/small/small-float32.tflite"), "--preprocess"),
    ):
        done = edgebench("explain", *arguments, "--out", tmp_path / "out")
        assert done.returncode == 2 and message in done.stderr, done.stderr
    exact = converted / "artifacts/small/small-float32.tflite"
    done = edgebench("explain", lone, "--data", photos, "--against", exact, "--preprocess", "none", "--images", 2)
    assert done.returncode == 0 and "By itself" in done.stdout
