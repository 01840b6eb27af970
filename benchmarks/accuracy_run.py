"""How fast an accuracy run is, and how much memory it needs as the images grow.

    python benchmarks/accuracy_run.py [--images 2000] [--edge 96] [--rounds 3]

Peer: a bare loop in one process, one thread, over the same images with the same runtime. Both in turn, the ratio of the
fastest rounds; limit 1.6 on 2 cores. Memory: the highest peak of a runner's process with 10,000 images less that with
1,000; limit 20 MB. The same of `edgebench profile`'s own process with 500 photos of 224 pixels less that with 50.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from edgebench.devices.bundle import write_bundle
from edgebench.devices.local import LocalDevice
from edgebench.files import write_json
from edgebench.records import Job, Preprocessing, Settings

BARE = """
import sys, numpy as np, onnxruntime as ort
options = ort.SessionOptions(); options.intra_op_num_threads = 1; options.inter_op_num_threads = 1
session = ort.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
images = np.load(sys.argv[2], mmap_mode="r")
np.save(sys.argv[3], np.concatenate([session.run(None, {"pixels": i[None].astype(np.float32)})[0] for i in images]))
"""
PEAK = """
import runpy, sys
sys.argv = sys.argv[1:]
try:
    if sys.argv[0] == "-m": runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
    else: runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit: pass
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1], file=sys.stderr)
"""


def network(path: Path, edge: int) -> Path:
    """A plain net of six 3x3 convolutions with 24 channels, random weights, 24 outputs."""
    generator, nodes, weights, last = np.random.default_rng(0), [], [], "planes"
    nodes.append(helper.make_node("Transpose", ["pixels"], ["planes"], perm=[0, 3, 1, 2]))
    for number in range(6):
        shape = (24, 3 if number == 0 else 24, 3, 3)
        weights.append(numpy_helper.from_array(generator.normal(0, 0.1, shape).astype(np.float32), f"w{number}"))
        strides = [2, 2] if number in (0, 3) else [1, 1]
        nodes.append(helper.make_node("Conv", [last, f"w{number}"], [f"c{number}"], pads=[1] * 4, strides=strides))
        nodes.append(helper.make_node("Relu", [f"c{number}"], [f"r{number}"]))
        last = f"r{number}"
    nodes.append(helper.make_node("GlobalAveragePool", [last], ["mean"]))
    nodes.append(helper.make_node("Flatten", ["mean"], ["logits"]))
    pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [1, edge, edge, 3])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 24])
    graph = helper.make_graph(nodes, "net", [pixels], [logits], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    return path


def job_for(model: Path, images: Path) -> Job:
    """The accuracy job of a model on a .npy of images."""
    return Job(
        kind="accuracy", artifact=str(model), artifact_sha256="a" * 64, runtime="onnxruntime",
        runtime_module="edgebench.runner.runtimes.onnxruntime", input=None, output=None, layout="NHWC",
        preprocessing=Preprocessing("none"), images=str(images), images_sha256="b" * 64, settings=Settings(),
    )  # fmt: skip


def write_images(path: Path, count: int, edge: int) -> Path:
    """Seeded noise."""
    np.save(path, np.random.default_rng(0).integers(0, 256, (count, edge, edge, 3), np.uint8))
    return path


def peak_bytes(folder: Path, model: Path, count: int) -> int:
    """The peak of one runner's process with so many images."""
    out = folder / f"run-{count}"
    out.mkdir()
    write_json(out / "job.json", job_for(model, write_images(folder / f"{count}.npy", count, 32)))
    command = [sys.executable, "-c", PEAK, str(write_bundle(folder)), str(out / "job.json"), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads((out / "run.json").read_text())["images"] == count, done.stderr
    return int(done.stderr.split()[-1]) * 1024


def host_peak_bytes(folder: Path, model: Path, count: int) -> int:
    """The peak of `edgebench profile`'s own process, the runners apart, with so many photos of 224 pixels."""
    photos, generator = folder / f"photos-{count}", np.random.default_rng(0)
    for number in range(count):
        file = photos / f"class{number % 24:02}" / f"{number}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(generator.integers(0, 256, (28, 28, 3), np.uint8))
        coarse.resize((224, 224)).save(file)
    quick = [
        "--processes",
        "1",
        "--max-processes",
        "1",
        "--min-runs",
        "3",
        "--min-seconds",
        "0",
        "--max-seconds",
        "0.2",
    ]
    options = ["--preprocess", "none", "--data", str(photos), "--out", str(folder / f"out-{count}"), *quick]
    command = [sys.executable, "-c", PEAK, "-m", "edgebench", "profile", str(model), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stderr.split()[-1]) * 1024


def main() -> int:
    """Print both figures; return 1 where a limit is missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--edge", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, LocalDevice() as device:
        folder = Path(name)
        model, bare = network(folder / "net.onnx", options.edge), folder / "bare.npy"
        images = write_images(folder / "images.npy", options.images, options.edge)
        seconds: dict[str, list[float]] = {"bare": [], "ours": []}
        for _ in range(options.rounds):
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", BARE, model, images, bare], check=True)
            seconds["bare"].append(time.perf_counter() - start)
            start = time.perf_counter()
            outcome = device.run(job_for(model, images), lambda _event: None)
            seconds["ours"].append(time.perf_counter() - start)
        assert outcome.outputs is not None
        equal = bool((outcome.outputs == np.load(bare)).all())
        small = network(folder / "small.onnx", 32)
        more = peak_bytes(folder, small, 10_000) - peak_bytes(folder, small, 1000)
        photos = network(folder / "photos.onnx", 224)
        host = host_peak_bytes(folder, photos, 500) - host_peak_bytes(folder, photos, 50)
    ratio = min(seconds["bare"]) / min(seconds["ours"])
    print(f"images a second over the bare loop's   {ratio:6.2f}   limit 1.6, outputs equal bit for bit: {equal}")
    print(f"peak with 10,000 images less 1,000     {more / 1e6:6.1f} MB   limit 20")
    print(f"host, 500 photos of 224 px less 50     {host / 1e6:6.1f} MB   limit 20")
    return 0 if ratio >= 1.6 and max(more, host) <= 20e6 and equal else 1


if __name__ == "__main__":
    sys.exit(main())
