"""4 Keras models x 6 variants, killed with -9 at random moments and resumed: `python -m benchmarks.suite_kills`.

Prints what differs between its final table and that of a run that was let through (nothing but times should), and what
was done twice. With --workers the conversions go to two Dask workers, of which one is killed. With --speed it converts
8 models with one worker and with two and prints the ratio of the times.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from tests.suite.clusters import local_cluster
from tests.suite.studies import QUICK, Study, again, differences, kill_at, progress
from tests.waiting import wait_for

VARIANTS = ("tflite:float32", "tflite:float16", "tflite:dynamic", "tflite:int8", "onnx:float32", "onnx:int8")
SUITE = f"""
[[models]]
model = "models/*.keras"
preprocess = "none"

[convert]
to = {json.dumps(list(VARIANTS))}
data = "photos"

[profile]
data = "photos"
{QUICK}
"""
CONVERSIONS = SUITE.partition("[profile]")[0].replace(json.dumps(list(VARIANTS)), '["tflite:float32", "onnx:float32"]')


def main() -> None:
    """Print the figures of one run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", action="store_true", help="Two Dask workers, one of them killed.")
    parser.add_argument("--speed", action="store_true", help="One Dask worker against two, 8 models.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        if options.speed:
            speed(folder)
            return
        whole = make(folder / "whole", 4)
        done = whole.run()
        assert done.returncode == 0, done.stdout + done.stderr
        study = copied(whole, folder / "killed")
        if options.workers:
            lose_a_worker(folder, study)
        else:
            steps = progress(whole) + sum(whole.runs().values())
            moments = random.Random(options.seed).sample(range(1, steps - 30), options.kills)
            kills = kill_at(study, moments)
            print(
                f"killed {kills.kills} times, at {sorted(moments)} of {steps} steps; journaled runs lost: {kills.lost}"
            )
        print(f"cells: {len(study.table())}; steps done twice: {len(again(study))}")
        print(f"runs of each result as without kills: {study.runs() == whole.runs()}")
        print(f"rows that differ: {differences(study, whole) or 'none'}")


def lose_a_worker(folder: Path, study: Study) -> None:
    """Run a study on two workers and kill one as soon as it has converted something."""
    with local_cluster(folder / "cluster", study) as cluster:
        first = cluster.start("one")
        cluster.start("two")
        process = study.start("--scheduler", cluster.address)
        wait_for(lambda: study.lines("converted"), lambda: process.poll() is None)
        first.kill()
        stdout, stderr = process.communicate()
        assert process.returncode == 0, stdout + stderr
    print("one of two workers killed after the first conversion")


def speed(folder: Path) -> None:
    """Convert 8 models with one worker and with two, three times each in turn; print the ratio of the medians."""
    seconds: dict[int, list[float]] = {1: [], 2: []}
    for number in range(3):
        for workers in (1, 2):
            study = make(folder / f"{number}-{workers}", 8, CONVERSIONS)
            with local_cluster(folder / f"cluster-{number}-{workers}", study) as cluster:
                for name in ("one", "two")[:workers]:
                    cluster.start(name)
                plan = ("--dry-run", "--scheduler", cluster.address)
                wait_for(lambda study=study, plan=plan: "0 finished" in study.run(*plan).stdout)
                start = time.monotonic()
                done = study.run("--scheduler", cluster.address)
                seconds[workers].append(time.monotonic() - start)
                assert done.returncode == 0, done.stdout + done.stderr
            print(f"{workers} workers: {seconds[workers][-1]:.1f} s", flush=True)
    one, two = (float(np.median(seconds[workers])) for workers in (1, 2))
    print(f"8 models: {one:.1f} s with one worker, {two:.1f} s with two: {two / one:.2f}")


def copied(study: Study, folder: Path) -> Study:
    """Return a study of the very same models and images: a model that is saved twice is not the same file."""
    folder.mkdir()
    for name in ("models", "photos"):
        shutil.copytree(study.folder / name, folder / name)
    shutil.copy(study.folder / "suite.toml", folder)
    return Study(folder, folder)


def make(folder: Path, models: int, suite: str = SUITE) -> Study:
    """Write small classifiers of random weights, random images of three classes and suite.toml."""
    from tests.models import keras_models

    (folder / "models").mkdir(parents=True)
    for number in range(models):
        model = keras_models.classifier(size=(8 + 2 * number, 8 + 2 * number, 3))
        keras_models.save(model, folder / f"models/net{number}.keras")
    generator = np.random.default_rng(0)
    for split in ("train", "test"):
        for name in "abc":
            place = folder / "photos" / split / name
            place.mkdir(parents=True)
            for index in range(8):
                pixels = generator.integers(0, 256, (16, 16, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(place / f"{index}.png")
    (folder / "suite.toml").write_text(suite)
    return Study(folder, folder)


if __name__ == "__main__":
    main()
