"""How fast our .onnx are beside one another: files of one graph in turn, one thread, as ratios within one run.

    python -m benchmarks.onnx_speed edgebench-out/artifacts/mobilenetv2-224 [MORE FOLDERS]

For each folder of artifacts that `edgebench convert` made: every .onnx against the float32 one. In each of --rounds
rounds each file is run --runs times, the files in turn, and the ratio of medians is taken; printed is the median ratio
over the rounds with its range. `--peer FILE.onnx` adds a file from another converter of the same model (tf2onnx's own).
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
import onnxruntime as ort


def opened(path: Path) -> tuple[ort.InferenceSession, dict[str, np.ndarray]]:
    """Return a session of one thread and an input for it."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    node = session.get_inputs()[0]
    shape = [edge if isinstance(edge, int) else 1 for edge in node.shape]
    return session, {node.name: np.random.default_rng(0).normal(size=shape).astype(np.float32)}


def median_ns(session: ort.InferenceSession, feed: dict[str, np.ndarray], runs: int) -> float:
    """Return the median time of one inference."""
    samples = []
    for _ in range(runs):
        start = time.perf_counter_ns()
        session.run(None, feed)
        samples.append(time.perf_counter_ns() - start)
    return statistics.median(samples)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--peer", type=Path, help="a .onnx of another converter, for a single folder")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--runs", type=int, default=20)
    options = parser.parse_args()
    for folder in options.folders:
        base = next(iter(sorted(folder.glob("*-float32.onnx"))), None)
        if base is None:
            parser.error(f"{folder} holds no *-float32.onnx: name a folder that `edgebench convert` filled")
        files = [path for path in sorted(folder.glob("*.onnx")) if path != base]
        files += [options.peer] if options.peer else []
        sessions = {path: opened(path) for path in (base, *files)}
        for session, feed in sessions.values():
            median_ns(session, feed, 5)
        ratios: dict[Path, list[float]] = {path: [] for path in files}
        for _ in range(options.rounds):
            own = median_ns(*sessions[base], options.runs)
            for path in files:
                ratios[path].append(median_ns(*sessions[path], options.runs) / own)
        for path, values in ratios.items():
            size = path.stat().st_size / base.stat().st_size
            spread = f"{min(values):.2f}..{max(values):.2f}"
            print(
                f"{path.name}: {statistics.median(values):.2f} of float32's latency ({spread}), {size:.2f} of its size"
            )


if __name__ == "__main__":
    main()
