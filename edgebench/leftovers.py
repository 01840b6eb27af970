"""Temporary files and folders that do not outlive a process that was killed: the next one finds and removes them.

Whoever makes one holds a flock on it, which the kernel frees when that process ends, however it ended. What has a name
made here, belongs to this user and is held by nobody is left over. A thing made and not yet held may be taken for
left over for a moment: then its maker makes another.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WORD = "edgebench-tmp-"
_NAME = re.compile(r"\.(?:.+\.)?edgebench-tmp-[0-9a-f]{16}\Z", re.DOTALL)
MOST_NAME = 180  # bytes of a file's own name that go into its temporary one


@contextmanager
def held_folder(place: Path) -> Iterator[Path]:
    """Yield a new folder in `place`; it is removed at the end."""
    while True:
        path = place / f".{WORD}{secrets.token_hex(8)}"
        path.mkdir(mode=0o700)
        try:
            handle = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            continue  # taken for left over before it could be held
        if _hold(handle, path):
            break
        os.close(handle)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(handle)


@contextmanager
def held_file(place: Path, name: str) -> Iterator[Path]:
    """Yield a new empty file in `place`, for what will be `name`; what is still there at the end is removed."""
    short = name.encode()[:MOST_NAME].decode(errors="ignore")
    while True:
        path = place / f".{short}.{WORD}{secrets.token_hex(8)}"
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        if _hold(handle, path):
            break
        os.close(handle)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def drop(place: Path, deep: bool = False) -> int:
    """Remove what is left over in `place`, with `deep` also in the folders below; return how many."""
    count = 0
    for folder, folders, files in os.walk(place):
        for name in [*folders, *files]:
            if _NAME.match(name):
                count += _drop_one(Path(folder) / name)
        folders[:] = [name for name in folders if not _NAME.match(name)] if deep else []
    return count


def _drop_one(path: Path) -> bool:
    try:
        if path.is_symlink() or path.stat().st_uid != os.geteuid():
            return False
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return False  # gone meanwhile, or not ours to open
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False  # held: its process lives
    else:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        return True
    finally:
        os.close(handle)


def _hold(handle: int, path: Path) -> bool:
    """Lock what was just made; False where another process has taken it for left over."""
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a file system without locks: nobody can take it for left over either
    return path.exists()
