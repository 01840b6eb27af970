"""A trained Keras model to every variant, through the command line, and what the manifests say."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edgebench.files import read_record, sha256_file
from edgebench.records import OK, Artifact, Preprocessing
from edgebench.variants import VARIANTS


def manifests(out: Path, name: str) -> dict[str, Artifact]:
    files = (out / "artifacts" / name).glob("*.json")
    found = [read_record(Artifact, file) for file in files]
    return {artifact.variant: artifact for artifact in found}


def test_every_variant_with_its_manifest(converted: Path, photos: Path) -> None:
    made = manifests(converted, "small")
    assert set(made) == set(VARIANTS)
    for variant, artifact in made.items():
        file = converted / "artifacts" / "small" / artifact.path
        assert artifact.status == OK
        assert file.name == f"small-{artifact.precision}.{artifact.format}"
        assert artifact.sha256 == sha256_file(file)
        assert artifact.parameters == made["tflite:float32"].parameters > 3000
        assert artifact.output_kind == "probabilities"
        assert artifact.preprocessing is not None and artifact.preprocessing.rule == "none"
        assert artifact.preprocessing.channels == "L"
        assert artifact.input is not None and artifact.input.shape == (1, 16, 16, 1)
        assert artifact.output is not None and artifact.output.shape == (1, 10)
        assert artifact.layout == "NHWC"
        assert artifact.parity_inputs == "16 images"
        assert artifact.tools["tensorflow"]
        assert (artifact.calibration is not None) == (artifact.precision in ("int8", "int16x8")), variant


def test_parity_and_sizes_follow_the_precision(converted: Path) -> None:
    made = manifests(converted, "small")
    decibels = {variant: artifact.parity_db or 999 for variant, artifact in made.items()}
    assert min(decibels[v] for v in VARIANTS if v.endswith("float32")) >= 100
    assert min(decibels[v] for v in VARIANTS if v.endswith("float16")) >= 50
    assert min(decibels[v] for v in VARIANTS if v.split(":")[1] in ("dynamic", "int8", "int16x8")) >= 20
    assert made["tflite:int8"].size_bytes < made["tflite:float32"].size_bytes


def test_an_int8_tflite_is_int8(converted: Path) -> None:
    artifact = manifests(converted, "small")["tflite:int8"]
    assert artifact.input is not None and artifact.output is not None
    assert (artifact.input.dtype, artifact.output.dtype) == ("int8", "int8")
    assert artifact.notes[0].endswith("0 in float")
    from edgebench.converters.quantize.tflite import audit

    found = audit((converted / "artifacts/small/small-int8.tflite").read_bytes())
    assert not found.floating
    assert found.integer["CONV_2D"] == 2 and found.integer["DEPTHWISE_CONV_2D"] == 1


def test_calibration_takes_the_train_split_and_is_recorded(converted: Path) -> None:
    made = manifests(converted, "small")
    calibration = made["onnx:int8"].calibration
    assert calibration is not None
    assert (calibration.kind, calibration.images) == ("data", 80)  # train/ has 8 of each digit
    assert calibration == made["tflite:int16x8"].calibration


def test_an_unchanged_conversion_is_found_without_a_framework(converted: Path, small_keras: Path, photos: Path) -> None:
    script = (
        "import sys\nfrom edgebench.cli import cli\n"
        "code = cli.main(sys.argv[1:], standalone_mode=False)\n"
        "heavy = {'tensorflow', 'keras', 'torch', 'onnx', 'pandas', 'ai_edge_litert'} & set(sys.modules)\n"
        "print(sorted(heavy))"
    )
    arguments = ["convert", str(small_keras), "--to", "all", "--data", str(photos), "--out", str(converted)]
    script = script.replace("code = cli", "\ntry: cli").replace(
        "standalone_mode=False)", "standalone_mode=False)\nexcept SystemExit as end: assert end.code == 0, end.code"
    )
    done = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True)
    assert done.stderr.count("unchanged") == len(VARIANTS)
    assert done.stdout.splitlines()[-1] == "[]"


def test_json_lists_the_manifests(edgebench, converted: Path, small_keras: Path) -> None:
    done = edgebench("convert", small_keras, "--to", "tflite:float32", "--out", converted, "--json")
    (manifest,) = json.loads(done.stdout)
    assert manifest["format"] == "tflite" and manifest["status"] == OK
    assert done.stderr == ""


def test_random_calibration_must_be_typed_and_is_noted(edgebench, small_keras: Path, tmp_path: Path) -> None:
    refused = edgebench("convert", small_keras, "--to", "tflite:int8", "--out", tmp_path)
    assert refused.returncode == 2
    assert "tflite:int8 needs images to calibrate on: give --data" in refused.stderr
    done = edgebench("convert", small_keras, "--to", "tflite:int8", "--calibration", "random", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    artifact = manifests(tmp_path, "small")["tflite:int8"]
    assert artifact.calibration is not None and artifact.calibration.kind == "random"
    assert "calibrated on random inputs: its accuracy means nothing" in artifact.notes
    assert artifact.parity_inputs == "16 seeded random inputs"


def test_a_crash_costs_one_variant(small_keras: Path, photos: Path, tmp_path: Path, monkeypatch) -> None:
    """The worker is killed by a signal in the middle of onnx:float16; what is left is made by a new one."""
    from edgebench.converters import sources
    from edgebench.pipeline import workers
    from edgebench.pipeline.calibration import plan_images
    from edgebench.pipeline.convert import convert
    from edgebench.pipeline.manifests import Order

    stub = tmp_path / "crashing_worker.py"
    stub.write_text(
        "import os, signal, sys\nfrom edgebench.converters.quantize import worker\n"
        "from edgebench.converters.quantize import onnx\n"
        "onnx._float16 = lambda *_: os.kill(os.getpid(), signal.SIGSEGV)\n"
        "sys.exit(worker.main(sys.argv[1:]))\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(workers, "QUANTISER", "crashing_worker")
    source = sources.resolve(str(small_keras))
    variants = ("onnx:float32", "onnx:float16", "onnx:dynamic")
    order = Order(
        source,
        "small",
        sources.own_preprocessing(source, "x"),
        variants,
        (),
        plan_images(None, False, 1, 0, ()),
        tmp_path,
    )
    made = {artifact.variant: artifact for artifact in convert(order, lambda event: None)}
    assert made["onnx:float16"].status == "crashed"
    assert made["onnx:float16"].reason == "the quantiser died of SIGSEGV"
    assert made["onnx:float32"].status == made["onnx:dynamic"].status == OK


def test_interrupted_keeps_what_was_finished(edgebench, small_keras: Path, photos: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "edgebench", "convert", str(small_keras), "--to", "all", "--data", str(photos)]
    with subprocess.Popen([*command, "--out", str(tmp_path)], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        first = next(line for line in process.stderr if line.startswith("small "))  # not how far it is
        assert "savedmodel:float32" in first or "tflite:float32" in first, first
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait() == 130, rest
    assert "interrupted" in rest and "Traceback" not in rest
    assert not list((tmp_path / "artifacts" / "small").glob(".work-*"))
    kept = [a for a in manifests(tmp_path, "small").values() if a.status == OK]
    assert kept
    again = edgebench("convert", small_keras, "--to", kept[0].variant, "--out", tmp_path)
    assert "unchanged" in again.stderr


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that not even root may write to")
def test_an_unwritable_folder_is_one_line(edgebench, small_keras: Path) -> None:
    done = edgebench("convert", small_keras, "--to", "tflite:float32", "--out", "/proc/edgebench-out")
    assert done.returncode == 2
    assert "cannot write to /proc/edgebench-out" in done.stderr


def test_an_output_folder_that_is_a_file_is_one_line(edgebench, small_keras: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "artifacts").write_text("")
    done = edgebench("convert", small_keras, "--to", "tflite:float32", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "choose another folder with --out" in done.stderr


def test_the_reference_is_the_keras_model(small_keras: Path, photos: Path, tmp_path: Path) -> None:
    import keras
    import numpy as np

    from edgebench.converters import sources
    from edgebench.pipeline.reference import reference_outputs

    images = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 1), np.uint8)
    np.save(tmp_path / "images.npy", images)
    source = sources.resolve(str(small_keras))
    rule = Preprocessing("none", channels="L")
    reference_outputs(source, rule, tmp_path / "images.npy", tmp_path / "outputs.npy")
    expected = keras.saving.load_model(small_keras).predict(images.astype(np.float32), verbose=0)
    np.testing.assert_allclose(np.load(tmp_path / "outputs.npy"), expected, atol=1e-6)
