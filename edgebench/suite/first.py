"""The text of a first suite, with what was found in it and a word on every line that one may want to change."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from edgebench.suite.finding import Findings, Images, Model

HEAD = """\
# A study for `edgebench run {name}`: written by `edgebench init`, yours to change.
# Every key is an option of `edgebench convert`, `profile`, `train` or `report` and means the same (docs/suites.md).
# Look first:  edgebench run {name} --dry-run

[suite]
# name = "{stem}"              # default: this file's name
# out = "edgebench-out"       # where everything goes; paths are relative to this file
# seed = 0                    # of everything that draws
"""
CONVERT = """
[convert]
to = [{variants}]
# further: "tflite:float16", "tflite:dynamic", "tflite:int16x8", "onnx:float16", "onnx:dynamic", "savedmodel", or "all"
"""
PROFILE = """
[profile]
device = [{devices}]{known}
"""
REST = """\
# threads = [1, 4]            # a list makes a run of each of its values
# cool-down = 30              # seconds of rest before each round of latency

# [[exclude]]                 # cells to leave out: globs, all that are given must match
# model = "{model}"
# variant = "tflite:*"
# device = "pi*"

# [schedule]
# jobs = 2                    # conversions side by side
"""
NO_IMAGES = """\
# data = "photos"             # a folder of class folders, a CSV or an NPZ: int8 needs it, and accuracy
"""
TRAIN = """
[train.first]                 # there is no model yet: this trains one on your images
base = "keras:MobileNetV2?weights=imagenet"
data = {data}
fine-tune = "15"
# learning-rate = [0.001, 0.0001]   # a list trains a model with each of its values
"""
FLOAT = ('"tflite:float32"', '"onnx:float32"')
INT8 = ('"tflite:int8"', '"onnx:int8"')


def text_of(findings: Findings, folder: Path, file: Path, devices: Sequence[str]) -> str:
    """Return the suite for what was found below `folder`; `devices` are the names that devices.toml has."""
    images = findings.images[0] if findings.images else None
    parts = [HEAD.format(name=file.name, stem=file.stem)]
    if not findings.models:
        assert images is not None
        parts.append(TRAIN.format(data=_shown(images.path, folder)))
        parts.append('\n[[models]]\ntrain = "first"\n')
    parts += [_model(model, folder) for model in findings.models]
    parts.append(CONVERT.format(variants=", ".join((*FLOAT, *(INT8 if images else ())))))
    parts.append(_data(images, folder) if images else NO_IMAGES)
    known = f"  # also known here: {', '.join(devices)}" if devices else "  # or a name of devices.toml, ssh://pi@host"
    parts.append(PROFILE.format(devices='"cpu"', known=known))
    parts.append(_sets(findings.images, folder) if images else NO_IMAGES)
    parts.append(REST.format(model=findings.models[0].path.stem if findings.models else "*"))
    return "".join(parts)


def _model(model: Model, folder: Path) -> str:
    hint = f"  # maybe a {model.hint.replace('--preprocess ', 'preprocess = ')}" if model.hint else ""
    line = f'# preprocess = ".."         # how images become input, where the model does not say{hint}\n'
    return f"\n[[models]]\nmodel = {_shown(model.path, folder)}\n{line}"


def _data(images: Images, folder: Path) -> str:
    return f"data = {_shown(images.path, folder)}  # calibrates int8; {images.count} images, {images.classes} classes\n"


def _sets(found: Sequence[Images], folder: Path) -> str:
    first, *others = found
    lines = [f"data = {{main = {_shown(first.path, folder)}}}"]
    lines += [f"# another set: {name} = {_shown(one.path, folder)}" for name, one in _named(others)]
    lines.append('# perturb = ["noise=0:100:25"]   # the same images, worse and worse')
    return "\n".join(lines) + "\n"


def _named(found: Sequence[Images]) -> list[tuple[str, Images]]:
    return [(f"set{number}", one) for number, one in enumerate(found, 2)]


def _shown(path: Path, folder: Path) -> str:
    return json.dumps(path.relative_to(folder).as_posix(), ensure_ascii=False)  # a TOML string is written as JSON's
