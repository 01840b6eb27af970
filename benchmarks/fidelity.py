"""Does the runner measure what is there? Against the runtimes' own tools, interleaved, the same threads and cores.

    python benchmarks/fidelity.py [--rounds 15] [--threads 1]

Latency: the runner's steady median against `litert-benchmark` and against a bare loop over onnxruntime, as the median
of the ratios of neighbouring processes. Memory: the runner's peak against a ten-line script that loads and invokes.
Exit code 1 where a ratio leaves 0.97-1.03 or the memory is more than 12 MB above.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from edgebench import registry
from edgebench.devices.local import LocalDevice
from edgebench.files import read_record
from edgebench.records import Artifact, Job, Preprocessing, Settings

RUNS = 200
MODEL = "keras:MobileNetV2?weights=none"

BARE_LATENCY = """
import sys, time, statistics, numpy as np, onnxruntime as ort
options = ort.SessionOptions(); options.intra_op_num_threads = int(sys.argv[2]); options.inter_op_num_threads = 1
session = ort.InferenceSession(sys.argv[1], options)
x = {session.get_inputs()[0].name: np.random.rand(*session.get_inputs()[0].shape).astype(np.float32)}
times = []
for i in range(int(sys.argv[3]) + 20):
    start = time.perf_counter_ns(); session.run(None, x); times.append(time.perf_counter_ns() - start)
print(statistics.median(times[20:]))
"""
BARE_MEMORY = {
    "onnxruntime": """
import sys, numpy as np, onnxruntime as ort
options = ort.SessionOptions(); options.intra_op_num_threads = 1
session = ort.InferenceSession(sys.argv[1], options)
x = np.random.rand(*session.get_inputs()[0].shape).astype(np.float32)
for _ in range(20): session.run(None, {session.get_inputs()[0].name: x})
print([int(l.split()[1]) * 1024 for l in open("/proc/self/status") if l.startswith("VmHWM")][0])
""",
    "litert": """
import sys, numpy as np
from ai_edge_litert.interpreter import Interpreter
model = Interpreter(sys.argv[1], num_threads=1); model.allocate_tensors()
spec = model.get_input_details()[0]
for _ in range(20):
    model.set_tensor(spec["index"], np.zeros(spec["shape"], np.float32)); model.invoke()
    model.get_tensor(model.get_output_details()[0]["index"])
print([int(l.split()[1]) * 1024 for l in open("/proc/self/status") if l.startswith("VmHWM")][0])
""",
}


def main() -> int:
    """Convert the model, print every figure, return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, LocalDevice() as device:
        files = convert(Path(name))
        good = True
        for runtime, peer, measure in (
            ("litert", "litert-benchmark", litert_benchmark),
            ("onnxruntime", "a bare loop", bare_loop),
        ):
            good &= latency(device, runtime, peer, measure, files[runtime], options.rounds, options.threads)
            good &= memory(device, runtime, files[runtime])
    return 0 if good else 1


def convert(folder: Path) -> dict[str, Artifact]:
    """Return the float32 artifacts, their paths made absolute, by runtime."""
    command = [sys.executable, "-m", "edgebench", "convert", MODEL, "--to", "tflite:float32", "--to", "onnx:float32"]
    subprocess.run([*command, "--out", str(folder)], check=True, stdout=subprocess.DEVNULL)
    found = {}
    for manifest in (folder / "artifacts").rglob("*.json"):
        artifact = read_record(Artifact, manifest)
        path = str(manifest.parent / artifact.path)
        found[{"tflite": "litert", "onnx": "onnxruntime"}[artifact.format]] = dataclasses.replace(artifact, path=path)
    return found


def job(kind: str, runtime: str, artifact: Artifact, threads: int) -> Job:
    """A job with the runner's default settings but for the number of threads."""
    return Job(
        kind=kind,
        artifact=artifact.path,
        artifact_sha256=artifact.sha256,
        runtime=runtime,
        runtime_module=registry.find_runtime(runtime).module,
        input=artifact.input,
        output=artifact.output,
        layout=artifact.layout,
        preprocessing=artifact.preprocessing or Preprocessing("none"),
        images="",
        images_sha256="",
        settings=Settings(threads=threads),
    )


def nothing(event: object) -> None:
    """Progress is not shown."""


def litert_benchmark(artifact: Artifact, threads: int) -> float:
    """Median in ns by LiteRT's own tool."""
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        command = [str(Path(sys.executable).parent / "litert-benchmark"), "--model", artifact.path]
        command += ["--num_runs", str(RUNS), "--warmup_runs", "20", "--num_threads", str(threads)]
        subprocess.run([*command, "--result_json", out.name], check=True, capture_output=True)
        return float(json.loads(Path(out.name).read_text())["latency"]["median_ms"]) * 1e6


def bare_loop(artifact: Artifact, threads: int) -> float:
    """Median in ns of onnxruntime's `run` and nothing else."""
    return float(script(BARE_LATENCY, artifact.path, str(threads), str(RUNS)))


def script(code: str, *arguments: str) -> str:
    """Run a few lines in a fresh Python and return what they print."""
    done = subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True)
    return done.stdout


def latency(
    device: LocalDevice,
    runtime: str,
    peer: str,
    measure: Callable[[Artifact, int], float],
    artifact: Artifact,
    rounds: int,
    threads: int,
) -> bool:
    """Print the ratio of runner and peer over interleaved rounds, in both orders."""
    ratios, own, other = [], [], []
    for index in range(rounds):
        pair: dict[str, float] = {}
        for who in ("runner", "peer") if index % 2 else ("peer", "runner"):
            if who == "peer":
                pair[who] = measure(artifact, threads)
            else:
                run = device.run(job("latency", runtime, artifact, threads), nothing).run
                pair[who] = statistics.median(run.latency_ns)
        ratios.append(pair["runner"] / pair["peer"])
        own.append(pair["runner"])
        other.append(pair["peer"])
    ratio = statistics.median(ratios)
    print(
        f"{runtime}: runner {statistics.median(own) / 1e6:.3f} ms, {peer} {statistics.median(other) / 1e6:.3f} ms, "
        f"ratio {ratio:.3f} (of {rounds} pairs: {min(ratios):.3f} to {max(ratios):.3f}), wanted 0.97 to 1.03"
    )
    return 0.97 <= ratio <= 1.03


def memory(device: LocalDevice, runtime: str, artifact: Artifact) -> bool:
    """Print the runner's peak above that of a script which only loads and invokes."""
    run = device.run(job("memory", runtime, artifact, 1), nothing).run
    peak = max(phase.peak_rss_bytes for phase in run.memory)
    bare = int(script(BARE_MEMORY[runtime], artifact.path))
    print(
        f"{runtime}: runner's peak {peak / 1e6:.1f} MB, ten lines {bare / 1e6:.1f} MB, "
        f"{(peak - bare) / 1e6:+.1f} MB, wanted at most +12"
    )
    return peak - bare <= 12e6


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.exit(main())
