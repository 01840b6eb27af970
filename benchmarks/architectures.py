"""Every Hugging Face architecture that edgebench stands for, to every format: what converts, and how exactly.

    python -m benchmarks.architectures                                  print the table
    python -m benchmarks.architectures --write docs/architectures.md    and keep it
    python -m benchmarks.architectures vit swin                         only these
    python -m benchmarks.architectures vit swin --write FILE            put them into the table that FILE has

A written table keeps its other rows, and is written after every row: the whole takes an hour, in as many pieces as one
likes. `--missing` takes the rows that it lacks.

Tiny random networks of `tests/models/huggingface.py`, whose logits depend on the image, taken through the same pipeline
as `edgebench convert`: each cell is the parity with torch in dB, measured in a fresh process. Quantised columns are
calibrated on noise and say that the artifact runs and how it was quantised, not how good a trained model would be.
Exit code 1 if a float32 cell failed; what is refused on purpose has a row with its reason.
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
from edgebench.errors import UsageError
from edgebench.files import atomic_path
from edgebench.pipeline.calibration import plan_images
from edgebench.pipeline.convert import convert
from edgebench.pipeline.manifests import Order
from edgebench.records import OK, Artifact
from tests.models.huggingface import ARCHITECTURES, MORE, REFUSED, checkpoint
from tests.models.timm_models import TIMM

ROWS = {
    **{name: each.model for name, each in {**ARCHITECTURES, **MORE}.items()},
    **{name: model for name, (model, _, _) in REFUSED.items()},
    **dict.fromkeys(TIMM, "timm"),
}
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
    """Convert, print and write; return the exit code."""
    parser = argparse.ArgumentParser(description="Convert every Hugging Face architecture to every format.")
    parser.add_argument("names", nargs="*", help=f"of {', '.join(ROWS)}; default: all")
    parser.add_argument("--write", type=Path, help="put the rows into the page in this file")
    parser.add_argument("--missing", action="store_true", help="only rows that the page in --write lacks")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    transformers.utils.logging.disable_progress_bar()
    rows, reasons = _read(arguments.write) if arguments.write and arguments.write.exists() else ({}, {})
    failures = 0
    for name in arguments.names or [name for name in ROWS if not (arguments.missing and name in rows)]:
        rows[name], reasons[name], failed = _made(name)
        failures += failed
        print("\n".join([rows[name], *reasons[name]]), flush=True)
        if arguments.write:
            with atomic_path(arguments.write) as temporary:
                temporary.write_text(_page(rows, reasons), encoding="utf-8")
    return 1 if failures else 0


def _read(path: Path) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Return name -> row and name -> reasons of a page that was written before."""
    lines = path.read_text(encoding="utf-8").splitlines()
    rows = {line.split("|")[1].strip(): line for line in lines if line.startswith("| ")}
    reasons = {name: [line for line in lines if line.startswith(f"- {name}, ")] for name in ROWS}
    return {name: row for name, row in rows.items() if name in ROWS}, reasons


def _page(rows: dict[str, str], reasons: dict[str, list[str]]) -> str:
    known = [name for name in ROWS if name in rows]
    why = [line for name in known for line in reasons.get(name, [])]
    tools = f"Made with {', '.join(f'{tool} {version(tool)}' for tool in TOOLS)}."
    return "\n".join([INTRODUCTION, *_head(), *(rows[name] for name in known), "", *why, *[""] * bool(why), tools, ""])


def _made(name: str) -> tuple[str, list[str], int]:
    """Return the row of one architecture, its reasons and how many float32 cells failed."""
    try:
        artifacts = _artifacts(name)
    except UsageError as error:
        cells = ["refused"] * len((*FLOAT, *QUANTISED))
        return f"| {' | '.join([name, ROWS[name], *cells, ''])} |", [f"- {name}, every format: {error}"], 0
    reasons = [f"- {name}, {each.variant}: {each.reason}" for each in artifacts if each.status != OK]
    return _row(name, artifacts), reasons, sum(each.status != OK and each.variant in FLOAT for each in artifacts)


def _artifacts(name: str) -> list[Artifact]:
    with tempfile.TemporaryDirectory(prefix="edgebench-architectures-") as folder:
        checkpoint(name, Path(folder) / name)
        source = sources.resolve(str(Path(folder) / name))
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
