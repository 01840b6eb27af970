"""From a folder to measured files on two sets of images, every way to train: `python -m benchmarks.training_studies`.

Digits, and drawn shapes; frozen, fine-tuned and from scratch; Keras and Hugging Face. One command each: `train`,
`convert --to all`, `profile`. No pretrained weights can be had offline, so frozen bases hold random ones: the figures
show that every way leads from photos to measured files, not how well transfer learning works.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import edgebench.converters.huggingface.torchvision_operators  # noqa: F401 (before transformers)
from benchmarks.training import pretend, shapes
from edgebench.demo import huggingface as demo_huggingface
from edgebench.demo.models import write_digits

KERAS = "keras:MobileNetV2?input_size=96"
WAYS = (
    ("keras frozen", KERAS, ()),
    ("keras fine-tuned", KERAS, ("--fine-tune", "15")),
    ("keras scratch", "cnn:8-16-32?input_size=32", ("--learning-rate", "0.003")),
    ("hf frozen", "{vit}", ()),
    ("hf fine-tuned", "{vit}", ("--fine-tune", "all", "--fine-tune-rate", "0.001")),
    ("hf scratch", "{vit}?weights=none", ()),
)


def main() -> None:
    """Print one line a set and way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=400, help="Of the drawn set.")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--to", default="all")
    parser.add_argument("--only", default="", help="Ways and sets whose names hold this text.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        os.environ["KERAS_HOME"] = str(folder / "keras")
        pretend(folder / "keras" / "models")
        vit = demo_huggingface.save(demo_huggingface.build(), folder / "vit")
        write_digits(folder / "digits")
        sets = {"digits": folder / "digits", "shapes": shapes(folder / "shapes", options.images)}
        print(f"{'set':8}{'way':18}{'seconds':>8}{'right':>8}  {'files':16}top-1 of the files")
        for name, data in sets.items():
            for way, base, more in WAYS:
                if options.only in f"{name} {way}":
                    study(folder / f"{name}-{way.replace(' ', '-')}", data, base.format(vit=vit), more, options)


def study(out: Path, data: Path, base: str, more: tuple[str, ...], options: argparse.Namespace) -> None:
    """Train, convert and measure one model, and print its line."""
    trained = json.loads(run("train", base, "--data", data, "--epochs", options.epochs, *more, "--json", "--out", out))
    run("convert", trained["path"], "--to", options.to, "--data", data, "--out", out)
    run("profile", out / "artifacts", "--data", data, "--processes", 1, "--max-seconds", 1, "--out", out)
    run("report", out / "results", "--out", out)
    with (out / "report" / "report.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    tops = [float(row["top1"]) for row in rows if row["top1"]]
    files = ", ".join(f"{count} {status}" for status, count in Counter(row["status"] for row in rows).items())
    span = f"{100 * min(tops):.1f} to {100 * max(tops):.1f} %" if tops else "none"
    name, way = out.name.split("-", 1)
    print(f"{name:8}{way:18}{trained['seconds']:8.1f}{100 * trained['accuracy']:7.1f}%  {files:16}{span}", flush=True)


def run(*arguments: object) -> str:
    """Run one edgebench command and return what it prints; a refusal is shown, and the study goes on."""
    command = [sys.executable, "-m", "edgebench", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{arguments[0]} ended with {done.returncode}: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
    return done.stdout


if __name__ == "__main__":
    main()
