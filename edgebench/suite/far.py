"""What runs on a worker of a Dask cluster: plain texts and bytes in, plain texts and bytes out.

A file travels once: a worker keeps what it was sent under its sha256, beside its own local directory, and says what it
lacks.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from distributed import get_worker

from edgebench import __version__
from edgebench.devices.local import LocalDevice
from edgebench.errors import UsageError
from edgebench.files import parse_record, scratch_folder, sha256_file
from edgebench.lifeline import python_module, with_parent
from edgebench.pipeline.reference import reference_outputs
from edgebench.records import Job, Preprocessing, Source, to_dict

STORE = "edgebench-store"
MOST_ERROR = 4000  # characters of a command's errors that travel back
Files = list[tuple[str, str]]
"""Where each file lies below the folder of a command, and its sha256."""


def version(dask_worker: Any) -> str:
    """Return the version of edgebench there."""
    del dask_worker
    return __version__


def keep(sha256: str, offset: int, size: int, data: bytes, dask_worker: Any) -> bool:
    """Take one piece of a file; with its last piece it is checked and can be used. Pieces come in order."""
    store = _store(dask_worker.local_directory)
    part = store / f".{sha256}.part"
    if offset == 0:
        part.unlink(missing_ok=True)
    if not part.exists() and offset:
        return (store / sha256).exists()
    with part.open("ab") as stream:
        if stream.tell() != offset:
            return False
        stream.write(data)
    if part.stat().st_size < size:
        return True
    if sha256_file(part) != sha256:
        part.unlink()
        return False
    part.replace(store / sha256)
    return True


def command(words: list[str], files: Files, wanted: str) -> dict[str, Any]:
    """Run `edgebench WORDS` in a folder of its own with these files, and return every file it leaves below `wanted`.

    Returns `lacks` and `worker` where files must come first; else `code`, `error` (the end of its words) and `files`.
    """
    worker = get_worker()
    store = _store(worker.local_directory)
    lacks = sorted({sha256 for _, sha256 in files if not (store / sha256).exists()})
    if lacks:
        return {"lacks": lacks, "worker": worker.address}
    with scratch_folder(Path(worker.local_directory)) as folder:
        _lay_out(store, files, folder)
        environment = with_parent(TMPDIR=str(_made(folder / "tmp")), TF_CPP_MIN_LOG_LEVEL="3")
        with tempfile.TemporaryFile() as said:
            code = subprocess.run(
                [*python_module("edgebench"), *words],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
                check=False,
            ).returncode
            said.seek(max(0, said.seek(0, os.SEEK_END) - MOST_ERROR))
            error = said.read().decode(errors="replace")
        made = folder / wanted
        found = [path for path in sorted(made.rglob("*")) if path.is_file()] if made.is_dir() else []
        content = [(path.relative_to(made).as_posix(), path.read_bytes()) for path in found]
    return {"code": code, "error": error, "files": content, "worker": worker.address}


def predict(source: bytes, rule: bytes, files: Files, images: str) -> dict[str, Any]:
    """Run a source model on images that were kept; return float32 outputs and their shape, or what is lacking."""
    worker = get_worker()
    store = _store(worker.local_directory)
    lacks = sorted({sha256 for sha256 in (*(one for _, one in files), images) if not (store / sha256).exists()})
    if lacks:
        return {"lacks": lacks, "worker": worker.address}
    asked = parse_record(Source, source, "the host's source")
    with scratch_folder(Path(worker.local_directory)) as folder:
        _lay_out(store, files, folder)
        if files:
            asked = dataclasses.replace(asked, spec=str(folder / asked.spec))
        out = folder / "outputs.npy"
        reference_outputs(asked, parse_record(Preprocessing, rule, "the host's rule"), store / images, out)
        outputs = np.load(out, allow_pickle=False)
    return {"outputs": outputs.astype("<f4").tobytes(), "shape": list(outputs.shape), "worker": worker.address}


def facts() -> dict[str, str]:
    """Return the runtimes of this worker and their versions."""
    with LocalDevice() as device:
        return device.info().runtimes


def measure(job: bytes, artifact: str, name: str, images: str) -> dict[str, Any]:
    """Run one job in a fresh process here; return its run as JSON and its outputs, or `lacks`: what must come first.

    `artifact` is a line `sha256 path` for each of its files, the path empty where it is one file; `name` is what it is
    called. `images` is the hash of what was kept, empty where there are none.
    """
    worker = get_worker()
    store = _store(worker.local_directory)
    parts = [line.partition(" ")[::2] for line in artifact.splitlines()]
    needed = [sha256 for sha256, _ in parts] + ([images] if images else [])
    lacks = sorted({sha256 for sha256 in needed if not (store / sha256).exists()})
    if lacks:
        return {"lacks": lacks, "worker": worker.address}
    asked = parse_record(Job, job, "the host's job")
    with scratch_folder(Path(worker.local_directory)) as folder, LocalDevice() as device:
        place = folder / _inside(name)
        for sha256, inner in parts:
            target = place / _inside(inner) if inner else place
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(store / sha256, target)
        here = {**to_dict(asked), "artifact": str(place), "images": str(store / images) if images else ""}
        outcome = device.run(parse_record(Job, _json(here), "the host's job"), lambda _event: None)
    outputs = b"" if outcome.outputs is None else outcome.outputs.astype("<f4").tobytes()
    shape = [] if outcome.outputs is None else list(outcome.outputs.shape)
    return {"run": _json(to_dict(outcome.run)), "outputs": outputs, "shape": shape, "worker": worker.address}


def _lay_out(store: Path, files: Files, folder: Path) -> None:
    for name, sha256 in files:
        place = folder / _inside(name)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(store / sha256, place)


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _store(local_directory: str) -> Path:
    """Return where files are kept: beside the worker's own folder, so that a worker that comes again finds them."""
    return _made(Path(local_directory).parent / STORE)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _inside(name: str) -> PurePosixPath:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise UsageError(f"{name!r} leads out of the folder")
    return path
