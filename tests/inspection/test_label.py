"""What is inside real artifacts, and labels that are not true of them."""

from __future__ import annotations

import dataclasses
import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest

from edgebench.errors import UsageError
from edgebench.files import sha256_file, write_json
from edgebench.inspection.audit import audit
from edgebench.inspection.graph import Graph
from edgebench.inspection.label import HONEST, lies
from edgebench.inspection.read import read_graph
from edgebench.pipeline.artifacts import Found, find_artifacts
from edgebench.records import Artifact
from edgebench.variants import PRECISIONS
from tests.conftest import Command

TRUE = {
    "tflite:float32": "float32",
    "tflite:float16": "float16",
    "tflite:dynamic": "dynamic",
    "tflite:int8": "int8",
    "tflite:int16x8": "int16x8",
    "onnx:float32": "float32",
    "onnx:float16": "float16",
    "onnx:dynamic": "dynamic",
    "onnx:int8": "int8",
}
Change = Callable[[Artifact], Artifact]


@pytest.fixture(scope="module")
def found(converted: Path) -> dict[str, Found]:
    return {f.artifact.variant: f for f in find_artifacts([converted / "artifacts"], None)}


def graph_of(found: Found) -> Graph:
    assert found.file is not None
    return read_graph(found.file, found.artifact.format)[1]


@pytest.mark.parametrize("variant", TRUE)
def test_an_honest_label_is_not_accused(variant: str, found: dict[str, Found]) -> None:
    graph = graph_of(found[variant])
    inside = audit(graph)
    assert inside.precision == TRUE[variant]
    assert lies(found[variant].artifact, graph, inside) == []
    assert sum(inside.operators.values()) == len(graph.nodes)
    assert len(inside.weighted) == 4  # three convolutions, one of them depthwise, and the head


def test_what_computes_in_what(found: dict[str, Found]) -> None:
    float32, int8, mixed16 = (audit(graph_of(found[f"tflite:{p}"])) for p in ("float32", "int8", "int16x8"))
    assert not float32.integer and not int8.floating
    assert {item.activations for item in int8.weighted} == {"int8"} == {item.weights for item in mixed16.weighted}
    assert {item.activations for item in mixed16.weighted} == {"int16"}
    assert float32.weight_bytes["float32"] > 3.5 * int8.weight_bytes["int8"]
    qdq = audit(graph_of(found["onnx:int8"]))  # most of its conversions are notation, which the runtime fuses
    notation = qdq.operators["QuantizeLinear"] + qdq.operators["DequantizeLinear"]
    assert int8.conversions == 0 < 2 <= qdq.conversions < notation / 2


RELABELLED = [(true, said) for true in TRUE for said in ("float32", "float16", "dynamic", "int8", "int16x8")]


@pytest.mark.parametrize(("true", "said"), [pair for pair in RELABELLED if pair[0].partition(":")[2] != pair[1]])
def test_a_wrong_precision_is_named(true: str, said: str, found: dict[str, Found]) -> None:
    graph = graph_of(found[true])
    wrong = dataclasses.replace(found[true].artifact, precision=said)
    (line,) = lies(wrong, graph, audit(graph))
    assert f"called {said}" in line and TRUE[true] in line


def changed(**values: object) -> Change:
    return lambda artifact: dataclasses.replace(artifact, **values)  # type: ignore[arg-type]


def on_spec(which: str, **values: object) -> Change:
    def change(artifact: Artifact) -> Artifact:
        return dataclasses.replace(artifact, **{which: dataclasses.replace(getattr(artifact, which), **values)})

    return change


@pytest.mark.parametrize(
    ("variant", "change", "words"),
    [
        ("tflite:int8", on_spec("input", scale=0.5), "quantised with scale"),
        ("tflite:int8", on_spec("output", zero_point=3), "zero point"),
        ("tflite:int8", on_spec("input", dtype="float32"), "the input is int8, the label says float32"),
        ("onnx:float32", on_spec("input", shape=(1, 9, 9, 1)), "the input has shape"),
        ("onnx:float32", on_spec("output", name="other"), "the output is called"),
        ("tflite:float32", changed(labels=("a", "b")), "names 2 classes and has 10 outputs"),
    ],
)
def test_a_changed_manifest_is_named(variant: str, change: Change, words: str, found: dict[str, Found]) -> None:
    graph = graph_of(found[variant])
    (line,) = lies(change(found[variant].artifact), graph, audit(graph))
    assert words in line


def test_values_that_are_no_numbers_are_named(found: dict[str, Found], tmp_path: Path) -> None:
    source = found["onnx:float32"]
    assert source.file is not None
    model = onnx.load(str(source.file))
    weights = max(model.graph.initializer, key=lambda value: len(value.raw_data))
    values = onnx.numpy_helper.to_array(weights).copy()
    values.flat[0] = np.nan
    weights.CopyFrom(onnx.numpy_helper.from_array(values, weights.name))
    onnx.save(model, str(tmp_path / "nan.onnx"))
    graph = read_graph(tmp_path / "nan.onnx", "onnx")[1]
    assert any("not numbers" in line for line in lies(source.artifact, graph, audit(graph)))


def test_profile_refuses_a_file_whose_label_lies(converted: Path, tmp_path: Path, edgebench: Command) -> None:
    folder = tmp_path / "artifacts"
    shutil.copytree(next((converted / "artifacts").iterdir()), folder)
    for name in ("small-int8.tflite", "small-float32.onnx"):
        (folder / name).with_name(f"{name}.json").unlink()
        (folder / name).unlink()
    manifest = json.loads((folder / "small-float32.tflite.json").read_text())
    liar = folder / "small-int8.tflite"
    shutil.copyfile(folder / "small-float32.tflite", liar)
    write_json(liar.with_name(f"{liar.name}.json"), {**manifest, "precision": "int8", "path": liar.name})
    done = edgebench("profile", liar, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert "its label is not true" in " ".join(done.stdout.split()) and "called int8" in " ".join(done.stdout.split())
    done = edgebench("explain", liar)
    assert done.returncode == 1 and "The label is not true" in done.stdout


def mutated(content: bytes, seed: int) -> Iterator[bytes]:
    generator = random.Random(seed)
    for _ in range(60):
        cut = bytearray(content[: generator.randrange(len(content))] if generator.random() < 0.5 else content)
        for _ in range(generator.randrange(1, 20)):
            if cut:
                cut[generator.randrange(len(cut))] = generator.randrange(256)
        yield bytes(cut)


@pytest.mark.parametrize("variant", ["tflite:int8", "onnx:int8"])
def test_damaged_files_are_one_clear_line(variant: str, found: dict[str, Found], tmp_path: Path) -> None:
    file = found[variant].file
    assert file is not None
    damaged = tmp_path / f"damaged.{found[variant].artifact.format}"
    for content in mutated(file.read_bytes(), 1):
        damaged.write_bytes(content)
        try:
            audit(read_graph(damaged, damaged.suffix[1:])[1])  # a file that still reads is audited
        except UsageError as error:
            assert str(damaged) in str(error)


def test_other_files_are_refused(tmp_path: Path) -> None:
    for name, message in (("photo.tflite", "do not say TFL3"), ("photo.onnx", "is not")):
        (tmp_path / name).write_bytes(b"\x89PNG\r\n\x1a\n" * 100)
        with pytest.raises(UsageError, match=message):
            read_graph(tmp_path / name, name.partition(".")[2])
    with pytest.raises(UsageError, match="a savedmodel is not read"):
        read_graph(tmp_path, "savedmodel")


def test_a_sha_that_fits_hides_nothing(found: dict[str, Found], tmp_path: Path) -> None:
    """A file that was exchanged together with the hash in its manifest: the label still has to be true."""
    honest, other = found["tflite:int8"], found["tflite:dynamic"]
    assert other.file is not None
    file = tmp_path / honest.artifact.path
    shutil.copyfile(other.file, file)
    artifact = dataclasses.replace(honest.artifact, sha256=sha256_file(file))
    write_json(file.with_name(f"{file.name}.json"), artifact)
    (item,) = find_artifacts([file], None)
    assert item.file is None and item.artifact.status == "failed" and "called int8" in item.artifact.reason


def test_every_precision_says_what_a_file_of_it_may_hold() -> None:
    """One that is not in the table would be checked by nobody."""
    assert set(HONEST) == set(PRECISIONS)
