"""Uploads by content: what is there is not sent again, what was interrupted goes on, what arrived is verified."""

from __future__ import annotations

import functools
import re
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from edgebench.devices.base import Progress, Upload
from edgebench.devices.ssh.connection import Connection
from edgebench.devices.ssh.link import Link, RefusedByDeviceError
from edgebench.devices.text import clean_text
from edgebench.errors import DeviceError
from edgebench.files import scratch_folder, sha256_file

PIECE = 256 * 1024
REPORT_SECONDS = 0.5
EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Thing:
    """A file to upload. `sha256` is its place in the store, `content` the hash of the bytes that travel."""

    kind: str  # objects, packages or lent
    sha256: str
    content: str
    name: str
    unpack: bool = False


def upload(connection: Connection, path: Path, sha256: str, progress: Progress, kind: str = "objects") -> str:
    """Make a file or folder available on the device and return its path there; `sha256` names its content."""
    if not path.exists():
        raise DeviceError(f"cannot send {path}: it is not there")
    if path.is_file():
        thing = Thing(kind, sha256, sha256_file(path), safe_name(path.name))
        return send(connection, path, thing, progress)
    with scratch_folder() as folder:
        packed = folder / "packed.zip"
        pack_folder(path, packed)
        thing = Thing("objects", sha256, sha256_file(packed), safe_name(path.name), unpack=True)
        return send(connection, packed, thing, progress)


def send(connection: Connection, path: Path, thing: Thing, progress: Progress) -> str:
    """Send one file and return its path on the device."""
    try:
        try:
            return connection.persist(lambda link: _attempt(link, path, thing, progress))
        except RefusedByDeviceError as error:
            if error.code != "refused":
                raise
            return connection.persist(lambda link: _attempt(link, path, thing, progress))  # it arrived damaged
    except RefusedByDeviceError as error:
        if error.code in ("ENOSPC", "EDQUOT"):
            raise DeviceError(
                f"{error}: {thing.name or path.name} needs {path.stat().st_size / 1e6:.1f} MB there; free some space, "
                "or remove what edgebench keeps there with `edgebench devices clean`"
            ) from error
        raise


def pack_folder(folder: Path, target: Path) -> None:
    """Pack a folder into a zip; the same content gives the same bytes."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(file.relative_to(folder).as_posix(), EPOCH)
            archive.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED)


def safe_name(name: str) -> str:
    """Return a file name that a store takes."""
    return re.sub(r"[^A-Za-z0-9._+-]", "_", name).lstrip(".+-")[-100:] or "file"


def _attempt(link: Link, path: Path, thing: Thing, progress: Progress) -> str:
    ask = functools.partial(link.request, kind=thing.kind, sha256=thing.sha256, content=thing.content, name=thing.name)
    there, _ = ask("stat")
    if there.get("present") is True:
        return _path(there)
    total = path.stat().st_size
    partial = there.get("partial")
    offset = partial if type(partial) is int and 0 <= partial <= total else 0
    with path.open("rb") as stream:
        stream.seek(offset)
        _pieces(link, stream, offset, total, thing, progress)
    done, _ = ask("commit", patience=600.0, unpack=thing.unpack)
    return _path(done)


def _pieces(link: Link, stream: BinaryIO, offset: int, total: int, thing: Thing, progress: Progress) -> None:
    """Send the rest of a file from `offset` on, and tell how far and how fast."""
    began, first, reported = time.monotonic(), offset, 0.0
    if total == 0:
        link.request("write", content=thing.content, offset=0)
    while offset < total:
        piece = stream.read(PIECE)
        if not piece:
            raise DeviceError(f"{stream.name} became shorter while it was sent")
        link.request("write", body=piece, content=thing.content, offset=offset)
        offset += len(piece)
        elapsed = time.monotonic() - began
        if elapsed - reported > REPORT_SECONDS or offset == total:
            reported = elapsed
            rate = (offset - first) / max(elapsed, 1e-9)
            name = thing.name or "-".join(Path(stream.name).stem.split("-")[:2])  # of a wheel: name and version
            progress(Upload(name, offset, total, rate))


def _path(answer: dict[str, object]) -> str:
    path = answer.get("path")
    if not isinstance(path, str) or not path.startswith("/") or len(path) > 4096 or not path.isprintable():
        raise DeviceError(f"the device answered with something that is no path: {clean_text(path, 80)!r}")
    return path
