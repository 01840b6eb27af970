"""Content hashes that are remembered: a file of the same size and time is not read again.

Nothing is remembered unless somebody asks for it (`remembered`), and then for that process alone, until the block ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

FRESH_NS = 2_000_000_000
"""A file that changed within this time may change once more without another time stamp: it is hashed again."""

Stamp = tuple[int, int, str]
"""Bytes, modification time in ns, sha256."""


class Memory:
    """Path -> what it was when it was hashed. Safe to use from several threads."""

    def __init__(self, known: dict[str, Stamp] | None = None) -> None:
        self._known = known or {}
        self._used: dict[str, Stamp] = {}
        self._lock = threading.Lock()

    def find(self, path: Path, digest: Callable[[Path], str]) -> str:
        """Return the hash of a file, from memory where it has not changed."""
        name, status = str(path.absolute()), path.stat()
        known = self._used.get(name) or self._known.get(name)
        same = known is not None and known[:2] == (status.st_size, status.st_mtime_ns)
        found = known[2] if known and same else digest(path)
        if time.time_ns() - status.st_mtime_ns > FRESH_NS:
            with self._lock:
                self._used[name] = (status.st_size, status.st_mtime_ns, found)
        return found

    def save(self, path: Path) -> None:
        """Write what was of use this time."""
        with self._lock:
            used = dict(self._used)
        if used and used != self._known:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f".{path.name}.{os.getpid()}")
            temporary.write_text(json.dumps(used))
            temporary.replace(path)


_memory: Memory | None = None


def current() -> Memory | None:
    """Return what this process remembers, None where nobody asked for it."""
    return _memory


@contextlib.contextmanager
def remembered(path: Path) -> Iterator[Memory]:
    """Remember every hash within the block, and what the file `path` holds of earlier ones; `Memory.save` writes it."""
    global _memory
    before, _memory = _memory, Memory(_read(path))
    try:
        yield _memory
    finally:
        _memory = before


def _read(path: Path) -> dict[str, Stamp]:
    try:
        plain = json.loads(path.read_bytes())
        return {name: (int(size), int(when), str(digest)) for name, (size, when, digest) in plain.items()}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}
