"""Memory does not grow with the number of images: where they are decoded, perturbed and scored, and where they run."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgebench.devices.bundle import write_bundle
from edgebench.files import write_json
from edgebench.records import Settings
from tests.make import make_job
from tests.models import onnx_models

EDGE = 72
FEW, MANY = 200, 1800
PIXELS = (MANY - FEW) * EDGE * EDGE * 3  # 25 MB more, four times that as float32
LIMIT = 10 << 20

PEAK = """
import sys
print("peak", next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1], file=sys.stderr)
"""
HOST = """
import sys
from pathlib import Path
import numpy as np
from edgebench.images.evaluation import evaluation_set, open_dataset
from edgebench.measures.accuracy import score
from edgebench.pipeline.perturbed import PerturbedImages
from edgebench.pipeline.scoring import Exam
from edgebench.records import LOGITS, Perturbation, Preprocessing
table, cache, edge = sys.argv[1:]
made = evaluation_set(open_dataset(Path(table)), Preprocessing("none"), (int(edge), int(edge), 3), Path(cache))
exam = Exam(made, made.labels, None, perturbation=Perturbation("noise", 20))
with PerturbedImages(exam, (), Path(cache)) as images:
    assert images.path().stat().st_size > made.record.images * int(edge) ** 2 * 3
outputs = np.random.default_rng(0).normal(size=(made.record.images, 2)).astype(np.float32)
assert score(outputs, made.labels, outputs, LOGITS).images == made.record.images
"""
RUNNER = """
import runpy, sys
sys.argv = sys.argv[1:]
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
except SystemExit as end:
    assert not end.code, end.code
"""

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peaks are read from /proc")


def peak(program, *arguments):
    """The most memory that a process of its own held at once, in bytes."""
    one_core = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-c", program + PEAK, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=one_core)
    assert done.returncode == 0, done.stderr
    return int(done.stderr.split()[-1]) * 1024


def test_of_the_host(tmp_path):
    photo = np.random.default_rng(0).integers(0, 256, (EDGE, EDGE, 3), np.uint8)
    Image.fromarray(photo).save(tmp_path / "a.png")
    peaks = []
    for count in (FEW, MANY):
        table = tmp_path / f"{count}.csv"
        table.write_text("a.png,cat\n" * (count - 1) + "a.png,dog\n")
        peaks.append(peak(HOST, table, tmp_path / f"cache-{count}", EDGE))
    assert PIXELS > 2 * LIMIT and peaks[1] - peaks[0] < LIMIT


def test_of_the_runner(tmp_path):
    model, bundle = onnx_models.classifier(tmp_path / "net.onnx", size=EDGE), write_bundle(tmp_path)
    peaks = []
    for count in (FEW, MANY):
        images, folder = tmp_path / f"{count}.npy", tmp_path / str(count)
        np.save(images, np.random.default_rng(0).integers(0, 256, (count, EDGE, EDGE, 3), np.uint8))
        folder.mkdir()
        job = make_job(runtime="onnxruntime", artifact=model, images=images, settings=Settings(pin=False))
        write_json(folder / "job.json", job)
        peaks.append(peak(RUNNER, bundle, folder / "job.json", folder))
        assert len(np.load(folder / "outputs.npy")) == count
    assert peaks[1] - peaks[0] < LIMIT
