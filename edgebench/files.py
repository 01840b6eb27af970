"""Reading and writing that loses nothing: atomic writes, content hashes, checked records."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from edgebench import leftovers, records
from edgebench.errors import FormatVersionError, UsageError

R = TypeVar("R")
MAX_RECORD_BYTES = 64 * 1024 * 1024


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` that becomes `path` (fsync, rename) only if the block succeeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with leftovers.held_file(path.parent, path.name) as temporary:
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)


@contextmanager
def scratch_folder(parent: Path | None = None) -> Iterator[Path]:
    """Yield a new temporary folder, in `parent` or where the system keeps such; what killed processes left goes first.

    Only folders that this function made, of this user, and that no living process holds are removed.
    """
    place = parent or Path(tempfile.gettempdir())
    leftovers.drop(place)
    with leftovers.held_folder(place) as folder:
        yield folder


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, value: Any, indent: int | None = 1) -> None:
    """Write a record or plain JSON value atomically. Non-finite floats are an error: JSON has none."""
    plain = records.to_dict(value) if hasattr(value, "__dataclass_fields__") else value
    write_bytes(path, (json.dumps(plain, indent=indent, allow_nan=False) + "\n").encode())


def append_line(path: Path, value: Any) -> None:
    """Append one JSON line and flush it to disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(value, allow_nan=False) + "\n")
        stream.flush()
        os.fsync(stream.fileno())


def read_record(cls: type[R], path: Path) -> R:
    """Read and check a record. Raises UsageError naming the file and the field that is wrong."""
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= MAX_RECORD_BYTES else b""
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    if size > MAX_RECORD_BYTES:
        raise UsageError(f"{path} has {size} bytes, more than any edgebench record: is it the right file?")
    return parse_record(cls, content, str(path))


def parse_record(cls: type[R], content: bytes, origin: str) -> R:
    """Check bytes from a file or a device against the record type `cls`; `origin` names them in errors."""
    from pydantic import TypeAdapter, ValidationError  # 0.1 s that commands which read no record do not pay

    try:
        version = json.loads(content).get("version")
    except (ValueError, AttributeError, RecursionError) as error:
        raise UsageError(f"{origin} is not an edgebench record: {error}") from error
    if isinstance(version, int) and version > records.RECORD_VERSION:
        raise FormatVersionError(
            f"{origin} has format version {version}, newer than this edgebench reads "
            f"({records.RECORD_VERSION}): upgrade edgebench"
        )
    if isinstance(version, int) and version < records.RECORD_VERSION:
        raise FormatVersionError(
            f"{origin} has format version {version}, older than this edgebench reads "
            f"({records.RECORD_VERSION}): convert or profile again"
        )
    try:
        return TypeAdapter(cls).validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{origin} is not a valid {cls.__name__} record: {where}: {first['msg']}") from error


def read_json(path: Path) -> dict[str, Any]:
    """Read a small JSON object. Raises UsageError naming the file where it is none."""
    try:
        value = json.loads(path.read_bytes()) if path.stat().st_size <= MAX_RECORD_BYTES else None
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"cannot read {path}: {error}") from error
    if not isinstance(value, dict):
        raise UsageError(f"{path} holds no JSON object")
    return value


def sha256_file(path: Path) -> str:
    """Hash of a file, or of a folder's relative names and contents."""
    if path.is_dir():
        digest = hashlib.sha256()
        for file in sorted(p for p in path.rglob("*") if p.is_file()):
            digest.update(f"{file.relative_to(path).as_posix()}\0{sha256_file(file)}\n".encode())
        return digest.hexdigest()
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_json(value: Any) -> str:
    """Hash of a JSON value or record, independent of key order."""
    plain = records.to_dict(value) if hasattr(value, "__dataclass_fields__") else value
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def size_bytes(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    if path.is_dir():
        return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
    return path.stat().st_size


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
