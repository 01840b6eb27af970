"""What quantisation costs on trained nets: ours against TFLiteConverter's own, with the same images.

    python -m benchmarks.quantization             about three minutes, most of it training
    python -m benchmarks.quantization --models DIR   keep the trained nets in DIR and use them again

The nets of benchmarks/nets.py, trained on the digits. For each, every quantised artifact is run on all test images by
the runner and held against the Keras model: SQNR of the outputs, agreement of the top-1. Exit code 1 where a figure is
missed: `tflite:int8` more than 1 dB under TFLiteConverter's, dynamic or int16x8 agreeing on less than 99 % of images,
int8 on less than 97 %.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from benchmarks import nets
from edgebench import registry
from edgebench.converters import sources
from edgebench.converters.keras import converter
from edgebench.converters.quantize import onnx as quantize_onnx
from edgebench.converters.quantize import tflite as quantize_tflite
from edgebench.demo import models as demo_models
from edgebench.devices.local import LocalDevice
from edgebench.files import sha256_file
from edgebench.measures import accuracy as drift
from edgebench.records import OK, Job, Settings

CALIBRATION_IMAGES = 100
LIMITS = {"dynamic": 0.99, "int8": 0.97, "int16x8": 0.99}
SLACK_DB = 1.0


def main() -> int:
    """Train, quantise, measure and print; return 1 where a figure is missed."""
    parser = argparse.ArgumentParser(description="Quantisation on trained nets, against TFLiteConverter.")
    parser.add_argument("--models", type=Path, help="folder to keep the trained nets in")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="edgebench-quantization-") as name, LocalDevice() as device:
        folder = arguments.models or Path(name)
        missed: list[str] = []
        for path in nets.trained(folder):
            missed += measure(path, Path(name), device)
    for line in missed:
        print(f"MISSED {line}")
    return 1 if missed else 0


def measure(path: Path, folder: Path, device: LocalDevice) -> list[str]:
    """Quantise one net every way, print a row for each artifact, return what missed its figure."""
    source = sources.resolve(str(path))
    model = converter.load(source, sources.own_preprocessing(source, path.name))
    shape = (model.height, model.width, model.channels)
    train_images, _, test_images, test_labels = demo_models.digits()
    rows = np.random.default_rng(0).permutation(len(train_images))[:CALIBRATION_IMAGES]
    inputs = demo_models.resized(train_images[rows], shape).astype(np.float32)
    tests = demo_models.resized(test_images, shape)
    np.save(folder / "tests.npy", tests)
    reference = converter.predict(model, tests)
    top1 = np.mean(reference.argmax(1) == test_labels)
    print(f"\n{path.stem}: top-1 {top1:.1%} of {len(tests)} test images, {model.parameters:,} parameters")
    print(f"  {'artifact':<24}{'bytes':>9}{'SQNR dB':>9}{'agree':>8}{'top-1':>8}")
    missed, ratios = [], {}
    for name, artifact in artifacts(model, inputs, folder).items():
        outputs = run(device, artifact, model, folder / "tests.npy")
        ratios[name] = drift.sqnr_db(outputs, reference)
        agreement = float(np.mean(outputs.argmax(1) == reference.argmax(1)))
        right = np.mean(outputs.argmax(1) == test_labels)
        print(f"  {name:<24}{artifact.stat().st_size:>9}{ratios[name]:>9.2f}{agreement:>8.4f}{right:>8.4f}", flush=True)
        limit = LIMITS.get(name.partition(":")[2], 0.0)
        if agreement < limit:
            missed.append(f"{path.stem} {name}: agrees on {agreement:.2%}, {limit:.0%} are required")
    if ratios["tflite:int8"] < ratios["TFLiteConverter int8"] - SLACK_DB:
        missed.append(f"{path.stem} tflite:int8: more than {SLACK_DB} dB under TFLiteConverter's")
    return missed


def artifacts(model: Any, inputs: npt.NDArray[np.float32], folder: Path) -> dict[str, Path]:
    """Make every quantised artifact of a model, and TFLiteConverter's int8 from the same SavedModel and images."""
    base_tflite, base_onnx = folder / "base.tflite", folder / "base.onnx"
    converter.to_tflite(model, base_tflite)
    converter.to_onnx(model, base_onnx)
    made: dict[str, Path] = {}
    for precision in ("float16", "dynamic", "int8", "int16x8"):
        made[f"tflite:{precision}"] = folder / f"{precision}.tflite"
        quantize_tflite.quantise(base_tflite, precision, made[f"tflite:{precision}"], inputs)
    for precision in ("float16", "dynamic", "int8"):
        made[f"onnx:{precision}"] = folder / f"{precision}.onnx"
        quantize_onnx.quantise(base_onnx, precision, made[f"onnx:{precision}"], inputs)
    peer = tf.lite.TFLiteConverter.from_saved_model(model.handle.saved.name)
    peer.optimizations = [tf.lite.Optimize.DEFAULT]
    peer.representative_dataset = lambda: ([row[None]] for row in inputs)
    peer.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    peer.inference_input_type = peer.inference_output_type = tf.int8
    made["TFLiteConverter int8"] = folder / "peer.tflite"
    made["TFLiteConverter int8"].write_bytes(peer.convert())
    return made


def run(device: LocalDevice, artifact: Path, model: Any, images: Path) -> npt.NDArray[np.float32]:
    """Return an artifact's outputs on all test images, from the runner in a fresh process."""
    runtime = registry.runtimes_of(artifact.suffix.removeprefix("."))[0]
    job = Job(
        kind="accuracy",
        artifact=str(artifact),
        artifact_sha256=sha256_file(artifact),
        runtime=runtime,
        runtime_module=runtime.module,
        input=None,
        output=None,
        layout="NHWC",
        preprocessing=model.preprocessing,
        images=str(images),
        images_sha256=sha256_file(images),
        settings=Settings(),
    )
    outcome = device.run(job, lambda _: None)
    if outcome.run.status != OK or outcome.outputs is None:
        raise SystemExit(f"{artifact.name}: {outcome.run.status}: {outcome.run.reason}")
    return outcome.outputs


if __name__ == "__main__":
    sys.exit(main())
