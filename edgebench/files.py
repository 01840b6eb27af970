"""Reading and writing that loses nothing: atomic writes, content hashes, checked records."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from edgebench import hashes, leftovers, records
from edgebench.errors import FormatVersionError, UsageError
from edgebench.records.upgrade import OLDEST_VERSION, upgrade_result

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError

R = TypeVar("R")
MAX_RECORD_BYTES = 64 * 1024 * 1024
_ADAPTERS: dict[type, TypeAdapter[Any]] = {}
MAX_TEXT_BYTES = 64 * 1024 * 1024
MAX_NAME = 80  # characters: a result's file adds its variant, runtime and settings, and a file name has 255 bytes


def exists(path: Path) -> bool:
    """Tell whether there is such a file or folder; a text too long or too odd to be a path is none."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def shown(name: str | os.PathLike[str]) -> str:
    """Return a file's name as text that can be hashed, stored and printed: bytes that are no UTF-8 become `\\xe9`."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def safe_name(text: str) -> str:
    """Return `text` as the name of a model: a file name everywhere, in no other folder and of bearable length."""
    return re.sub(r"[^A-Za-z0-9._+ -]+", "-", text).strip(". -")[:MAX_NAME].rstrip(". -") or "model"


def is_safe_name(text: str) -> bool:
    """Tell whether `text` may become part of a file's name as it is."""
    return safe_name(text) == text


def read_text(path: Path) -> str:
    """Return the text of a file in UTF-8, or in UTF-16 where it says so by its first bytes.

    Raises UsageError where it cannot be read, and where it is in another encoding, which nobody can know.
    """
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= MAX_TEXT_BYTES else b""
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read {shown(path)}: {getattr(error, 'strerror', None) or error}") from error
    if size > MAX_TEXT_BYTES:
        raise UsageError(f"{shown(path)} has {size} bytes, too many for a text: is it the right file?")
    encoding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UsageError(f"{shown(path)} is not UTF-8 text (line {line}): save it as UTF-8") from error
    if "\0" in text:
        raise UsageError(f"{shown(path)} is not a text file: it holds zero bytes")
    return text


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


def write_parts(path: Path, parts: Iterable[bytes]) -> None:
    """Write what `parts` yield, one after the other, as one file, atomically."""
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        stream.writelines(parts)


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
    from pydantic import ValidationError  # 0.1 s that commands which read no record do not pay

    try:
        record: R = _adapter(cls).validate_json(content)
    except ValidationError as error:
        return _other_version(cls, content, origin, error)
    _check_version(getattr(record, "version", None), origin)
    return record


def _adapter(cls: type[R]) -> TypeAdapter[R]:
    """Return the checker of a record type, made once: making one takes longer than reading a file with it."""
    from pydantic import TypeAdapter

    if cls not in _ADAPTERS:
        _ADAPTERS[cls] = TypeAdapter(cls)
    return _ADAPTERS[cls]


def _other_version(cls: type[R], content: bytes, origin: str, error: ValidationError) -> R:
    """Read what is no current record: as one of an older version, or say what is wrong with it."""
    try:
        plain = json.loads(content)
        version = plain.get("version")
    except (ValueError, AttributeError, RecursionError) as reason:
        raise UsageError(f"{origin} is not an edgebench record: {reason}") from reason
    _check_version(version, origin)
    if cls is records.Result and version == 1:
        return parse_record(cls, json.dumps(upgrade_result(plain)).encode(), origin)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    raise UsageError(f"{origin} is not a valid {cls.__name__} record: {where}: {first['msg']}") from error


def _check_version(version: Any, origin: str) -> None:
    if isinstance(version, int) and version > records.RECORD_VERSION:
        raise FormatVersionError(
            f"{origin} has format version {version}, newer than this edgebench reads "
            f"({records.RECORD_VERSION}): upgrade edgebench"
        )
    if isinstance(version, int) and version < OLDEST_VERSION:
        raise FormatVersionError(
            f"{origin} has format version {version}, older than this edgebench reads "
            f"({OLDEST_VERSION}): convert or profile again"
        )


def read_json(path: Path, remedy: str = "write it again", most: int = MAX_RECORD_BYTES) -> dict[str, Any]:
    """Read a JSON object of at most `most` bytes.

    Raises UsageError where the file is too large, cut short, nested too deeply or holds something else; `remedy` is
    what its owner can do about it.
    """
    try:
        if path.stat().st_size > most:
            raise UsageError(f"{shown(path)} is larger than {most} bytes: is it the right file?")
        value = json.loads(path.read_bytes())
    except OSError as error:
        raise UsageError(f"cannot read {shown(path)}: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"{shown(path)} is not valid JSON ({error}): {remedy}") from error
    except RecursionError as error:
        raise UsageError(f"{shown(path)} is nested too deeply for what it should be: {remedy}") from error
    if not isinstance(value, dict):
        raise UsageError(f"{shown(path)} holds no JSON object: {remedy}")
    return value


def sha256_file(path: Path) -> str:
    """Hash of a file, or of a folder's relative names and contents."""
    if path.is_dir():
        digest = hashlib.sha256()
        for file in sorted(p for p in path.rglob("*") if p.is_file()):
            digest.update(os.fsencode(file.relative_to(path)) + f"\0{sha256_file(file)}\n".encode())
        return digest.hexdigest()
    memory = hashes.current()
    return memory.find(path, _digest) if memory else _digest(path)


def _digest(path: Path) -> str:
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
