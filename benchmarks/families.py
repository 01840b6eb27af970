"""Every Keras Applications family to every variant, untrained, at a small size: what converts, and how exactly.

    python benchmarks/families.py             one model a family (the smallest)
    python benchmarks/families.py --every     all of them; hours, and 32 GB of memory for the largest
    python benchmarks/families.py MobileNetV3Large EfficientNetB3

Prints one row a model: parity with the source model in dB where it converted, the reason below where it did not. Exit
code 1 if any cell failed. Calibrated on random inputs, so int8 columns say that the artifact runs, not how good it is.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from edgebench.converters import sources
from edgebench.converters.keras.applications import APPLICATIONS
from edgebench.errors import UsageError
from edgebench.pipeline.calibration import plan_images
from edgebench.pipeline.convert import convert
from edgebench.pipeline.manifests import Order
from edgebench.records import OK, Artifact
from edgebench.variants import VARIANTS

SMALLEST = (
    "ConvNeXtTiny", "DenseNet121", "EfficientNetB0", "EfficientNetV2B0", "InceptionResNetV2", "InceptionV3",
    "MobileNet", "MobileNetV2", "MobileNetV3Small", "MobileNetV3Large", "NASNetMobile", "ResNet50", "ResNet50V2",
    "VGG16", "VGG19", "Xception",
)  # fmt: skip
CLASSES = 10


def main() -> int:
    """Convert and print; return the exit code."""
    parser = argparse.ArgumentParser(description="Convert every Keras Applications family to every variant.")
    parser.add_argument("models", nargs="*", help="names of Keras Applications; default: one a family")
    parser.add_argument("--every", action="store_true", help="all Keras Applications")
    arguments = parser.parse_args()
    names = arguments.models or (list(APPLICATIONS) if arguments.every else list(SMALLEST))
    print(f"{'model':<20}{'size':>5}" + "".join(f"{short(variant):>10}" for variant in VARIANTS), flush=True)
    failures = 0
    for name in names:
        failures += row(name)
    return 1 if failures else 0


def row(name: str) -> int:
    """Convert one model, print its row and what failed; return how many cells failed."""
    size = max(64, APPLICATIONS[name][2])
    text = f"keras:{name}?weights=none&classes={CLASSES}&input_size={size}"
    source = sources.resolve(text)
    with tempfile.TemporaryDirectory(prefix="edgebench-families-") as folder:
        images = plan_images(None, True, 16, 0, ())
        rule = sources.own_preprocessing(source, text)
        order = Order(source, name.lower(), rule, VARIANTS, (), images, Path(folder))
        try:
            artifacts = convert(order, lambda _: None)
        except UsageError as error:
            print(f"{name:<20}{size:>5}  {error}", flush=True)
            return len(VARIANTS)
    print(f"{name:<20}{size:>5}" + "".join(f"{cell(artifact):>10}" for artifact in artifacts), flush=True)
    failed = [artifact for artifact in artifacts if artifact.status != OK]
    for artifact in failed:
        print(f"    {artifact.variant}: {artifact.status}: {artifact.reason}", flush=True)
    return len(failed)


def cell(artifact: Artifact) -> str:
    """Parity in dB, `exact`, or the status."""
    if artifact.status != OK:
        return artifact.status
    return "exact" if artifact.parity_db is None else f"{artifact.parity_db:.1f}"


def short(variant: str) -> str:
    """Return a column head of at most nine characters."""
    kind, _, precision = variant.partition(":")
    return {"savedmodel": "sm", "tflite": "tfl", "onnx": "onnx"}[kind] + "-" + precision.replace("float", "f")[:5]


if __name__ == "__main__":
    sys.exit(main())
