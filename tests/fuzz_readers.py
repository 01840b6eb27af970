"""The readers that `tests.fuzzing` feeds, each with a sound input that it damages."""

from __future__ import annotations

import io
import json
import os
import random
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from edgebench.cells import cell_key
from edgebench.cli.labels import read_labels
from edgebench.converters import sources
from edgebench.devices.config import read_devices
from edgebench.expression import parse as parse_condition
from edgebench.images.evaluation import evaluation_set, open_dataset
from edgebench.images.preprocessing import parse
from edgebench.pipeline.artifacts import find_artifacts
from edgebench.records import Preprocessing, Settings, to_dict
from edgebench.results.load import load_results
from tests.fuzzing import ODD_TEXTS, Read, damaged, damaged_json
from tests.make import make_artifact, make_result

INPUTS = {
    "labels": 150, "preprocess": 300, "csv": 200, "npz": 250, "folder": 60, "image": 150, "manifest": 250,
    "result": 200, "devices.toml": 200, "name": 200, "condition": 150, "keras": 250, "h5": 120, "savedmodel": 100,
}  # fmt: skip
NAMES = frozenset(("top1_drop", "latency_ms_median_ratio", "slower", "size_bytes"))
PLAIN = Preprocessing("none")


def readers(folder: Path) -> dict[str, Read]:
    """Return every reader of `INPUTS`; `folder` is where the sound inputs are kept."""
    from tests import fuzz_models

    return {
        "labels": _labels, "preprocess": _preprocess, "csv": _csv, "npz": _npz, "folder": _folder, "image": _image,
        "manifest": _manifest, "result": _result, "devices.toml": _devices, "name": _name, "condition": _condition,
        "keras": fuzz_models.keras_reader(folder), "h5": fuzz_models.h5_reader(folder),
        "savedmodel": fuzz_models.savedmodel_reader(folder),
    }  # fmt: skip


def _text(chance: random.Random, sound: str) -> str:
    return damaged(chance, sound.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")


def _labels(chance: random.Random, folder: Path) -> None:
    if chance.random() < 0.4:
        read_labels(_text(chance, chance.choice(("cat,dog", *ODD_TEXTS))))
    (folder / "labels.txt").write_bytes(damaged(chance, "cat\ndog\ncafé\n".encode()))
    read_labels(str(folder / "labels.txt"))


def _preprocess(chance: random.Random, folder: Path) -> None:
    sound = (
        "scale=1/255,mean=0.5,std=0.5",
        "keras:mobilenet_v2,resize=256",
        "none",
        "mean=1,2,3,channels=BGR,resize=2x3",
    )
    rule = parse(_text(chance, chance.choice(sound)))
    from edgebench.runner.preprocess import normalise

    assert np.isfinite(normalise(np.full((1, 2, 2, 3), 255, np.uint8), rule)).all()


def _decode(path: Path, folder: Path) -> None:
    dataset = open_dataset(path, chance_labels(path))
    evaluation_set(dataset, PLAIN, (4, 4, 3), folder / "cache")


def chance_labels(path: Path) -> tuple[str, ...] | None:
    """Every third input has labels beside it."""
    return ("cat", "dog") if sum(os.fsencode(path)) % 3 == 0 else None


def _picture(path: Path | io.BytesIO, kind: str = "PNG") -> None:
    Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3)).save(path, kind)


def _csv(chance: random.Random, folder: Path) -> None:
    _picture(folder / "a.png")
    sound = chance.choice(("path,label\na.png,cat\na.png,dog\n", "a.png,0\na.png,1\n", "a.png\na.png\n"))
    (folder / "data.csv").write_bytes(damaged(chance, sound.encode()))
    if chance.random() < 0.3:
        (folder / "data.csv").write_text(sound)
        split = b"path,label,split\na.png,cat,train\na.png,dog,test\n"
        (folder / "data.split.csv").write_bytes(damaged(chance, split))
    _decode(folder / "data.csv", folder)


def _npz(chance: random.Random, folder: Path) -> None:
    images = np.zeros((3, 4, 4, 3), np.uint8)
    labels: Any = np.array([0, 1, 2])
    if chance.random() < 0.5:
        labels = chance.choice(
            (np.array([0, -1, 2]), np.zeros((3, 2)), np.array(["a", "b", "c"]), np.array([2**63 - 1] * 3), np.array(3),
             np.array([2**64 - 1] * 3, np.uint64), np.zeros((0,), int), np.array([{}], dtype=object))
        )  # fmt: skip
        images = chance.choice(
            (images, np.zeros((0, 4, 4, 3), np.uint8), np.zeros((3, 0, 4, 3), np.uint8), np.zeros((3, 4, 4), np.uint8),
             images.astype(float), np.zeros(3, np.uint8), np.array(1, np.uint8))
        )  # fmt: skip
    buffer = io.BytesIO()
    np.savez(buffer, **{chance.choice(("x", "images", "other")): images, chance.choice(("y", "labels")): labels})
    content = buffer.getvalue()
    kind = chance.randrange(6)
    if kind == 0:
        content = b""
    elif kind == 1:
        single = io.BytesIO()
        np.save(single, images, allow_pickle=False)
        content = single.getvalue()  # an .npy that was renamed
    elif kind < 5:
        content = damaged(chance, content)
    (folder / "data.npz").write_bytes(content)
    _decode(folder / "data.npz", folder)


def _folder(chance: random.Random, folder: Path) -> None:
    root = folder / "photos"
    for _ in range(3):
        name = os.fsdecode(
            chance.choice((b"cat", b"caf\xe9", b"a\nb", b"test", b"VAL", b"x" * 200, b"..a", "é".encode()))
        )
        (root / name).mkdir(parents=True, exist_ok=True)
        _picture(root / name / os.fsdecode(chance.choice((b"a.png", b"\xff.png", b"b\n.png"))))
    _decode(root, folder)


def _image(chance: random.Random, folder: Path) -> None:
    buffer = io.BytesIO()
    _picture(buffer, chance.choice(("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")))
    (folder / "photos").mkdir()
    (folder / "photos" / "a.png").write_bytes(damaged(chance, buffer.getvalue()))
    _decode(folder / "photos", folder)


def _manifest(chance: random.Random, folder: Path) -> None:
    (folder / "m.tflite").write_bytes(b"x")
    from edgebench.files import sha256_file

    sound = to_dict(make_artifact(path="m.tflite", sha256=sha256_file(folder / "m.tflite")))
    content = json.dumps(damaged_json(chance, sound)).encode()
    (folder / "m.tflite.json").write_bytes(damaged(chance, content) if chance.random() < 0.2 else content)
    for found in find_artifacts([folder], None):
        name = cell_key(found.artifact, "cpu", "litert", Settings(), False, []).file_name
        assert Path(name).name == name and len(name) < 200, name


def _result(chance: random.Random, folder: Path) -> None:
    sound = to_dict(make_result(settings=Settings(processes=1)))
    for run in sound["runs"]:
        run["latency_ns"], run["invoke_ns"] = run["latency_ns"][:3], run["invoke_ns"][:3]
    content = json.dumps(damaged_json(chance, sound)).encode()
    (folder / "r.json").write_bytes(damaged(chance, content) if chance.random() < 0.2 else content)
    found = load_results([folder])
    if found and chance.random() < 0.1:
        from edgebench.report.write import write_report

        write_report([folder], folder / "report")


def _devices(chance: random.Random, folder: Path) -> None:
    sound = b'[pi]\nhost = "kitchen.local"\nuser = "pi"\nport = 22\nemulated = true\n[two]\nhost = "x"\n'
    (folder / "devices.toml").write_bytes(damaged(chance, sound))
    read_devices(folder)


def _name(chance: random.Random, folder: Path) -> None:
    sound = (
        "keras:MobileNetV2?weights=none&classes=10&input_size=96&alpha=0.35",
        "hf:owner/name@main",
        "model.keras",
        "x/y",
    )
    text = _text(chance, chance.choice(sound))
    if not text.startswith("hf:"):  # that would ask the hub
        source = sources.resolve(text, _text(chance, "96x128") if chance.random() < 0.3 else "")
        assert "/" not in sources.default_name(source)


def _condition(chance: random.Random, folder: Path) -> None:
    sound = ("top1_drop > 0.01 or latency_ms_median_ratio > 1.05", "slower", "not (size_bytes > 3e6) and slower")
    parse_condition(_text(chance, chance.choice(sound)), NAMES)


def archive(entries: dict[str, bytes]) -> bytes:
    """Return a zip archive of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as out:
        for name, content in entries.items():
            out.writestr(name, content)
    return buffer.getvalue()
