"""The five studies of benchmarks/suites/ in a reduced form, without downloads: `python -m benchmarks.studies [NUMBER]`.

The suites stay as they are but for this: every network gets random weights and a small input, a checkpoint of the hub
becomes a tiny one made here, images are scikit-learn's handwritten digits (a second set is the same digits, darker),
trainings have two epochs, measurements are short, and there is no GPU. Layers are freed of a MobileNetV2 whose random
weights lie where imagenet's would. So every table, chart and test of the report has its rows; what they say of accuracy
means nothing.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.training import pretend

SUITES = Path(__file__).parent / "suites"
OUT = Path("build/studies")
CLASSES = 4
IMAGES = 10  # a class, in each split
LEAST = {"Xception": 71, "InceptionV3": 75, "InceptionResNetV2": 75}
PIXELS = 32
PRETENDED = "keras:MobileNetV2?weights=imagenet&input_size=96"
QUICK = {"processes": 1, "max-processes": 1, "min-runs": 5, "min-seconds": 0.05, "max-seconds": 0.5}
FEWER = {"epochs": 2, "batch": 16, "patience": 0}


def main() -> int:
    """Write the reduced suites, run them, print where the reports are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("numbers", nargs="*", help="Which studies, 1 to 5; all of them where none is given.")
    parser.add_argument("--only", action="append", default=[], help="As `edgebench run --only`.")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    os.environ["KERAS_HOME"] = str(options.out.absolute() / "keras")
    if not (options.out / "keras/models").exists():
        pretend(options.out.absolute() / "keras/models")
    worst = 0
    for path in sorted(SUITES.glob("*.toml")):
        if not options.numbers or path.name[0] in options.numbers:
            suite = reduce(path, options.out)
            only = [word for glob in options.only for word in ("--only", glob)]
            print(f"\n$ edgebench run {suite} {' '.join(only)}", flush=True)
            worst = max(worst, subprocess.run([sys.executable, "-m", "edgebench", "run", suite, *only]).returncode)
    return worst


def reduce(path: Path, out: Path) -> Path:
    """Write the reduced form of a suite into `out`, with the images that it names, and return it."""
    folder = out.absolute() / path.stem
    folder.mkdir(parents=True, exist_ok=True)
    suite = tomllib.loads(path.read_text())
    suite["suite"]["out"] = "out"
    for number, name in enumerate(sorted(_image_folders(suite))):
        write_digits(folder / name, darker=40 * number)
    for table in suite.get("train", {}).values():
        table["base"] = [_small(text, folder) for text in table["base"]]
        table |= {key: value for key, value in FEWER.items() if not isinstance(table.get(key), list)}
    _free_last_layers(suite)
    for table in suite["models"]:
        if "model" in table:
            table["model"] = [_small(text, folder, classes=True) for text in table["model"]]
            table["preprocess"] = "none"
    suite["convert"]["calibration-images"] = 8
    profile = suite["profile"] | QUICK
    profile["device"] = [device for device in profile["device"] if device != "gpu"]
    if "perturb" in profile:
        profile["perturb"] = ["noise=0,50,100", "patch=4,8"]
    suite["profile"] = profile
    suite["exclude"] = [one for one in suite.get("exclude", []) if one.get("device") != "gpu"]
    file = folder / path.name
    file.write_text(as_toml({key: value for key, value in suite.items() if value}))
    return file


def _free_last_layers(suite: dict[str, Any]) -> None:
    """Leave `fine-tune` to one base with pretended pretrained weights: from random ones every layer is free."""
    for name, table in list(suite.get("train", {}).items()):
        depths = table.pop("fine-tune", None)
        if depths is not None:
            suite["train"][f"{name}-depths"] = {**table, "base": [PRETENDED], "fine-tune": depths}
            suite["models"].append({"train": f"{name}-depths"})


def _image_folders(suite: dict[str, Any]) -> set[str]:
    tables = [suite["convert"], *suite.get("train", {}).values()]
    names = {table["data"] for table in tables} | set(suite["profile"]["data"].values())
    return {name.partition("/")[0] for name in names}


def _small(text: str, folder: Path, classes: bool = False) -> str:
    """Return the same network with random weights and the smallest input; a checkpoint of the hub as a tiny one."""
    if text.startswith("hf:"):
        return checkpoint(folder, "deit" if "deit" in text else "vit")
    name = re.sub(r"\?.*", "", text).removeprefix("keras:")
    more = f"&classes={CLASSES}" if classes else ""
    return f"keras:{name}?weights=none&input_size={LEAST.get(name, PIXELS)}{more}"


def checkpoint(folder: Path, kind: str) -> str:
    """Write a tiny ViT or DeiT with random weights and its processor; return its name beside the suite."""
    place = folder / kind
    if not (place / "model.safetensors").exists():
        import torch

        from edgebench.converters.huggingface import torchvision_operators  # noqa: F401  # isort: skip (before transformers)
        from transformers import (
            DeiTConfig,
            DeiTForImageClassification,
            DeiTImageProcessorPil,
            ViTConfig,
            ViTForImageClassification,
            ViTImageProcessorPil,
        )

        torch.manual_seed(0)
        size = {"image_size": PIXELS, "patch_size": 8, "hidden_size": 16, "num_hidden_layers": 2}
        size |= {"num_attention_heads": 2, "intermediate_size": 32, "num_labels": CLASSES}
        config, model, processor = {
            "vit": (ViTConfig, ViTForImageClassification, ViTImageProcessorPil),
            "deit": (DeiTConfig, DeiTForImageClassification, DeiTImageProcessorPil),
        }[kind]
        model(config(**size)).save_pretrained(place)
        processor(size={"height": PIXELS, "width": PIXELS}, do_center_crop=False).save_pretrained(place)
    return kind


def write_digits(folder: Path, darker: int = 0) -> None:
    """Write train/, val/ and test/ of real digits in colour, one folder a class; nothing where they are there."""
    from sklearn.datasets import load_digits

    if folder.exists():
        return
    data = load_digits()
    for label in range(CLASSES):
        images = data.images[data.target == label]
        for index, split in enumerate(("train", "val", "test")):
            place = folder / split / f"digit-{label}"
            place.mkdir(parents=True)
            for number, image in enumerate(images[IMAGES * index : IMAGES * (index + 1)]):
                grey = np.clip(image * 15 - darker, 0, 255).astype(np.uint8)
                Image.fromarray(grey).resize((PIXELS, PIXELS)).convert("RGB").save(place / f"{number}.png")


def as_toml(suite: dict[str, Any]) -> str:
    """Return plain tables as TOML: texts, numbers, lists, inline tables, tables and arrays of tables."""
    lines: list[str] = []
    for name, value in suite.items():
        if name == "train":
            for inner, table in value.items():
                lines += [f"\n[train.{inner}]", *_pairs(table)]
        elif isinstance(value, list):
            for table in value:
                lines += [f"\n[[{name}]]", *_pairs(table)]
        else:
            lines += [f"\n[{name}]", *_pairs(value)]
    return "\n".join(lines).lstrip() + "\n"


def _pairs(table: dict[str, Any]) -> list[str]:
    return [f"{key} = {_value(value)}" for key, value in table.items()]


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_value(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_value(inner) for inner in value) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


if __name__ == "__main__":
    sys.exit(main())
