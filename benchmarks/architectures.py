"""Every Hugging Face architecture that edgebench stands for, to every format: what converts, and how exactly.

    python -m benchmarks.architectures                                  print the table
    python -m benchmarks.architectures --write docs/architectures.md    and keep it
    python -m benchmarks.architectures vit swin                         only these

Tiny random networks of `tests/models/huggingface.py`, whose logits depend on the image, taken through the same pipeline
as `edgebench convert`: each cell is the parity with torch in dB, measured in a fresh process. Quantised columns are
calibrated on noise and say that the artifact runs and how it was quantised, not how good a trained model would be.
Exit code 1 if a float32 cell failed.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import transformers

from edgebench.converters import sources
from edgebench.pipeline.calibration import plan_images
from edgebench.pipeline.convert import convert
from edgebench.pipeline.manifests import Order
from edgebench.records import OK, Artifact
from tests.models.huggingface import ARCHITECTURES, MORE, checkpoint
from tests.models.timm_models import TIMM

ROWS = {**{name: each.model for name, each in {**ARCHITECTURES, **MORE}.items()}, **dict.fromkeys(TIMM, "timm")}
"""architecture -> the class behind it."""
FLOAT = ("savedmodel:float32", "tflite:float32", "onnx:float32")
QUANTISED = ("tflite:dynamic", "tflite:int8", "tflite:int16x8", "onnx:dynamic", "onnx:int8")
IMAGES = 16
TOOLS = ("transformers", "torch", "litert-torch", "tensorflow", "ai-edge-quantizer", "onnxruntime")
INTRODUCTION = """\
# Hugging Face architectures

Parity with torch in dB (signal to noise of the logits; float32 must reach 60), each in a fresh process of the runtime
that will execute the artifact. The networks are tiny and random, scaled so that their logits have unit-ish variance
and depend on the image; the quantised columns are calibrated on noise and say that the artifact runs, not how good a
trained model would be. `mixed`: only convolutions and matrix products in integers; LayerNorm, Softmax, GELU and
residual sums stay in float.

This page is written by `python -m benchmarks.architectures --write docs/architectures.md`.
"""


def main() -> int:
    """Convert and print; return the exit code."""
    parser = argparse.ArgumentParser(description="Convert every Hugging Face architecture to every format.")
    parser.add_argument("names", nargs="*", help=f"of {', '.join(ROWS)}; default: all")
    parser.add_argument("--write", type=Path, help="also write the page to this file")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    transformers.utils.logging.disable_progress_bar()
    page, failures, reasons = [INTRODUCTION, *_head()], 0, []
    for line in page:
        print(line)
    for name in arguments.names or ROWS:
        artifacts = _artifacts(name)
        page.append(_row(name, artifacts))
        print(page[-1], flush=True)
        reasons += [f"- {name}, {each.variant}: {each.reason}" for each in artifacts if each.status != OK]
        failures += sum(each.status != OK and each.variant in FLOAT for each in artifacts)
    page += [
        "",
        *reasons,
        *[""] * bool(reasons),
        f"Made with {', '.join(f'{tool} {version(tool)}' for tool in TOOLS)}.",
    ]
    print("\n".join(page[-len(reasons) - 2 :]))
    if arguments.write:
        arguments.write.parent.mkdir(parents=True, exist_ok=True)
        arguments.write.write_text("\n".join(page) + "\n", encoding="utf-8")
    return 1 if failures else 0


def _artifacts(name: str) -> list[Artifact]:
    with tempfile.TemporaryDirectory(prefix="edgebench-architectures-") as folder:
        source = sources.resolve(str(checkpoint(name, Path(folder) / name)))
        images = plan_images(None, True, IMAGES, 0, ())
        order = Order(source, name, None, (*FLOAT, *QUANTISED), (), images, Path(folder) / "out")
        return list(convert(order, lambda _: None))


def _head() -> list[str]:
    columns = ["architecture", "class", *(f"`{variant}`" for variant in (*FLOAT, *QUANTISED)), "int8 recipe"]
    return [f"| {' | '.join(columns)} |", f"| --- | --- |{' ---: |' * (len(columns) - 3)} --- |"]


def _row(name: str, artifacts: list[Artifact]) -> str:
    by_variant = {artifact.variant: artifact for artifact in artifacts}
    cells = [_cell(by_variant[variant]) for variant in (*FLOAT, *QUANTISED)]
    recipe = "mixed" if by_variant["tflite:int8"].recipe.startswith("convolutions") else "full"
    return f"| {' | '.join([name, ROWS[name], *cells, recipe])} |"


def _cell(artifact: Artifact) -> str:
    """Parity in dB, `exact`, or the status."""
    if artifact.status != OK:
        return artifact.status
    return "exact" if artifact.parity_db is None else f"{artifact.parity_db:.0f}"


if __name__ == "__main__":
    sys.exit(main())
