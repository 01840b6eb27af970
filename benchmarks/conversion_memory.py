"""Peak memory of one whole conversion, by process, from the kernel's high-water marks.

    python -m benchmarks.conversion_memory keras:ResNet50V2?weights=none
    python -m benchmarks.conversion_memory vit-b16                         a random ViT-B/16 of transformers
    python -m benchmarks.conversion_memory MODEL --to onnx:int8

Every process of the command's tree is looked at ten times a second: what it is, its VmHWM, and the sum of all resident
memory at that moment (pages that processes share count for each). Exit code 1 where one process took more than LIMIT.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

LIMIT = 3e9
ROLES = ("edgebench.converters.worker", "edgebench.converters.quantize.worker", "runner")
"""In a command line; the first one found names the process."""


def main() -> int:
    """Convert and print each kind of process with its peak."""
    parser = argparse.ArgumentParser(description="Peak memory of one conversion, by process.")
    parser.add_argument("model")
    parser.add_argument("--to", default="all")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="edgebench-memory-") as name:
        folder = Path(name)
        model = vit(folder / "vit-b16") if arguments.model == "vit-b16" else arguments.model
        command = [sys.executable, "-m", "edgebench", "convert", model, "--to", arguments.to, "--calibration", "random"]
        process = subprocess.Popen([*command, "--out", str(folder / "out")])
        peaks, total = watch(psutil.Process(process.pid), process)
        floats = [path for path in (folder / "out").rglob("*-float32.*") if path.suffix in (".tflite", ".onnx")]
        size = max((path.stat().st_size for path in floats), default=0)
    for role, peak in sorted(peaks.items(), key=lambda each: -each[1]):
        print(f"{role:<44}{peak / 1e6:8.0f} MB")
    print(f"{'all at once, shared pages counted for each':<44}{total / 1e6:8.0f} MB, float model {size / 1e6:.0f} MB")
    return 1 if max(peaks.values(), default=0) > LIMIT or process.returncode else 0


def watch(root: psutil.Process, process: subprocess.Popen[bytes]) -> tuple[dict[str, int], int]:
    """Return role -> highest VmHWM in bytes, and the highest sum of resident memory, until the process ends."""
    peaks: dict[str, int] = {}
    total = 0
    while process.poll() is None:
        now = 0
        try:
            tree = [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            break
        for each in tree:
            try:
                status = Path(f"/proc/{each.pid}/status").read_text()
                role = role_of(each.cmdline())
            except (OSError, psutil.Error):
                continue
            sizes = {line.split(":")[0]: int(line.split()[1]) * 1024 for line in status.splitlines() if " kB" in line}
            peaks[role] = max(peaks.get(role, 0), sizes.get("VmHWM", 0))
            now += sizes.get("VmRSS", 0)
        total = max(total, now)
        time.sleep(0.1)
    return peaks, total


def role_of(command: list[str]) -> str:
    """Return what a process of edgebench does; a quantiser with its format."""
    text = " ".join(command)
    role = next((each for each in ROLES if each in text), "edgebench itself")
    place = Path(command[-1]).parent.name if role == ROLES[1] else ""
    return f"{role} {place}".strip()


def vit(folder: Path) -> str:
    """Write a random ViT-B/16 and return its folder."""
    import transformers

    import edgebench.converters.huggingface.torchvision_operators  # noqa: F401 (before transformers loads a model)

    network = transformers.ViTForImageClassification(transformers.ViTConfig(num_labels=1000))
    network.save_pretrained(folder)
    transformers.ViTImageProcessor().save_pretrained(folder)
    return str(folder)


if __name__ == "__main__":
    sys.exit(main())
