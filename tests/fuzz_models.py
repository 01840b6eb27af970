"""Model files for `tests.fuzzing`: what is read of them before a framework is loaded."""

from __future__ import annotations

import json
import random
import zipfile
from pathlib import Path

from edgebench.converters import sources
from tests.fuzz_readers import archive
from tests.fuzzing import Read, damaged, damaged_json

CONFIG = {
    "module": "keras",
    "class_name": "Sequential",
    "config": {
        "name": "net",
        "layers": [
            {"class_name": "InputLayer", "config": {"batch_shape": [None, 8, 8, 3], "dtype": "float32", "name": "in"}},
            {"class_name": "Rescaling", "config": {"name": "r", "scale": 0.00392, "offset": 0.0}},
            {"class_name": "Flatten", "config": {"name": "f"}},
            {"class_name": "Dense", "config": {"name": "d", "units": 3}},
        ],
    },
}


def keras_reader(_: Path) -> Read:
    """Archives whose config.json is odd, and damaged archives."""

    def read(chance: random.Random, folder: Path) -> None:
        config = json.dumps(damaged_json(chance, CONFIG)).encode()
        if chance.random() < 0.1:
            config = b"[" * 100_000 if chance.random() < 0.5 else b'{"a":' * 90_000 + b"1" + b"}" * 90_000
        content = archive({"config.json": config, "model.weights.h5": b"x", "metadata.json": b"{}"})
        if chance.random() < 0.6:
            content = damaged(chance, content)
        if chance.random() < 0.1:  # marked as encrypted
            content = content.replace(b"PK\x01\x02\x14\x03\x14\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01")
        path = folder / "model.keras"
        path.write_bytes(content)
        source = sources.resolve(str(path))
        sources.own_preprocessing(source, "model")
        zipfile.ZipFile(path).close()

    return read


def h5_reader(_: Path) -> Read:
    """Files that begin like HDF5, and those that do not."""

    def read(chance: random.Random, folder: Path) -> None:
        path = folder / chance.choice(("model.h5", "model.hdf5", "model.weights.h5", "model.H5"))
        path.write_bytes(damaged(chance, sources.HDF5_MAGIC + chance.randbytes(400)))
        sources.own_preprocessing(sources.resolve(str(path)), "model")

    return read


def savedmodel_reader(_: Path) -> Read:
    """Folders that lack a part, have a file where a folder should be, or other names."""

    def read(chance: random.Random, folder: Path) -> None:
        path = folder / "model"
        names = (
            "saved_model.pb",
            "variables/variables.index",
            "variables",
            "assets/x",
            "config.json",
            "fingerprint.pb",
        )
        for name in chance.sample(names, chance.randrange(1, len(names))):
            file = path / name
            if not file.exists() and not (path / "variables").is_file():
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(chance.randbytes(chance.choice((0, 10, 300))))
        sources.own_preprocessing(sources.resolve(str(path)), "model")

    return read
