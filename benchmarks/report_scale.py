"""What a large report costs: thousands of made-up results into `edgebench report`, and its page into Chromium.

Ten models in ten variants on as many devices as it takes, each cell with a memory process and five latency processes of
200 samples, labelled images with classes and flips: files as `edgebench profile` writes them. Printed: seconds of the
processor and by the clock, the highest memory of the process, the sizes of what it wrote; then, where Chromium and its
driver are installed, the first paint, and how long sorting, filtering and a search take until the next frame is drawn.

    python -m benchmarks.report_scale --results 10000 --folder /tmp/scale
"""

from __future__ import annotations

import argparse
import base64
import dataclasses
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edgebench.measures.outputs import pack
from edgebench.records import ClassCounts, Evaluation, Flips, to_dict
from tests.make import make_accuracy, make_result, make_set

MODELS = ("mobilenet_v2", "mobilenet_v3", "efficientnet_b0", "resnet50", "vit_tiny", "nasnet", "densenet", "cnn_s",
          "cnn_m", "cnn_l")  # fmt: skip
VARIANTS = ("savedmodel:float32", "tflite:float32", "tflite:float16", "tflite:dynamic", "tflite:int8",
            "tflite:int16x8", "onnx:float32", "onnx:float16", "onnx:dynamic", "onnx:int8")  # fmt: skip
THUMBNAIL = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(3000)).decode()
PROCESSES, SAMPLES, CLASSES, IMAGES = 5, 200, 10, 500
TOUCHES = {
    "sort": "document.querySelector('th[data-field=latency_ms_median] button').click()",
    "filter": "const s = document.querySelector('select[name=model]'); s.value = s.options[1].value;"
    "s.dispatchEvent(new Event('change', {bubbles: true}))",
    "search": "const s = document.querySelector('input[type=search]'); s.value = 'int8';"
    "s.dispatchEvent(new Event('input', {bubbles: true}))",
}


def make(folder: Path, number: int, samples: int) -> None:
    """Write results into `<folder>/results`, one file a cell."""
    random = np.random.default_rng(0)
    for index in range(number):
        model, variant = MODELS[index % 10], VARIANTS[index // 10 % 10]
        device = f"board-{index // 100:03d}"
        place = folder / "results" / device / f"{model}-{variant.replace(':', '-')}.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        slow = (1 + index % 10) * (1 + 0.02 * (index // 100)) * (1 + 0.1 * (index // 10 % 10))
        place.write_text(json.dumps(_result(model, variant, device, slow, samples, random)))


def _result(model: str, variant: str, device: str, milliseconds: float, samples: int, random: Any) -> dict[str, Any]:
    lost = int(random.integers(0, 12))
    per = IMAGES // CLASSES
    classes = ClassCounts((per,) * CLASSES, (per,) * CLASSES, (per - 2,) * CLASSES, ((0, 1, 2), (3, 5, 2)))
    theirs = random.random(IMAGES) < 0.96
    own = theirs.copy()
    own[np.flatnonzero(theirs)[:lost]] = False
    both = int(own.sum())
    counts = {"classes": classes, "right": pack(own), "reference_right": pack(theirs)}
    accuracy = make_accuracy(IMAGES, lost=lost, both=both, **counts)
    flips = Flips(
        tuple(f"test/class {n % CLASSES}/image {n}.jpg" for n in range(lost)), tuple(range(lost)), tuple(range(lost)),
        (0.9,) * lost, (1,) * lost, (0.8,) * lost, (THUMBNAIL,) * min(lost, 3), tuple("0123456789"),
    )  # fmt: skip
    base = make_result(model, variant, milliseconds, device=device)
    base = dataclasses.replace(base, evaluations=(Evaluation(make_set(model, IMAGES), accuracy, flips=flips),))
    runs = [to_dict(base.runs[0])]
    for repetition in range(PROCESSES):
        centre = milliseconds * 1e6 * random.normal(1, 0.01)
        drawn = (centre * random.normal(1, 0.02, samples).clip(0.5)).astype(int).tolist()
        run = dataclasses.replace(base.runs[1], repetition=repetition, latency_ns=(), invoke_ns=())
        runs.append({**to_dict(run), "latency_ns": drawn, "invoke_ns": [int(one * 0.95) for one in drawn]})
    return {**to_dict(dataclasses.replace(base, runs=())), "runs": runs}


def report(folder: Path) -> dict[str, float]:
    """Run `edgebench report` once and return its figures."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    command = [sys.executable, "-m", "edgebench", "report", str(folder), "--out", str(folder)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": seconds, "processor_seconds": used, "peak_mb": after.ru_maxrss / 1e3}


def in_chromium(page: Path) -> Iterator[tuple[str, float]]:
    """Yield (what, milliseconds) of first paint, load, and of each touch until the second frame after it."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    for flag in ("--headless=new", "--no-sandbox", "--window-size=1600,1000"):
        options.add_argument(flag)
    options.binary_location = shutil.which("chromium") or ""
    with webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver"))) as browser:
        browser.get(page.as_uri())
        paint = "return performance.getEntriesByName('first-contentful-paint')[0].startTime"
        yield "first paint", browser.execute_script(paint)
        yield "loaded", browser.execute_script("return performance.getEntriesByType('navigation')[0].loadEventEnd")
        yield "nodes", browser.execute_script("return document.querySelectorAll('*').length")
        for name, script in TOUCHES.items():
            timed = (
                "const done = arguments[0], start = performance.now();" + script + ";"
                "requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - start)))"
            )
            yield name, browser.execute_async_script(timed)


def main() -> None:
    """Make the results where they are not there yet, report them, and print what it cost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=int, default=10_000)
    parser.add_argument("--samples", type=int, default=SAMPLES, help="of each latency process")
    parser.add_argument("--folder", type=Path, required=True, help="where the results lie, or are made")
    parser.add_argument("--no-browser", action="store_true")
    given = parser.parse_args()
    if not (given.folder / "results").is_dir():
        make(given.folder, given.results, given.samples)
    size = sum(path.stat().st_size for path in (given.folder / "results").rglob("*.json"))
    print(f"{given.results} results, {size / 1e6:.0f} MB, {os.cpu_count()} cores")
    for name, value in report(given.folder).items():
        print(f"{name:20} {value:10.1f}")
    for path in sorted((given.folder / "report").iterdir()):
        total = sum(one.stat().st_size for one in path.rglob("*")) if path.is_dir() else path.stat().st_size
        print(f"{path.name:20} {total / 1e6:10.2f} MB")
    if not given.no_browser:
        for name, value in in_chromium(given.folder / "report" / "report.html"):
            print(f"{name:20} {value:10.1f}{'' if name == 'nodes' else ' ms'}")


if __name__ == "__main__":
    main()
