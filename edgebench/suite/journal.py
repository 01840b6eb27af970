"""What a suite has finished, as an append-only file of lines: what is in it is on disk, whatever was killed when.

A line says of one step what it was made from (`key`) and where what it made lies (`place`). A step is finished where
there is a line of its key that is the last one of its place. Failures are lines too;
what never came to an end has none.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgebench.errors import UsageError
from edgebench.files import append_line

VERSION = 1
TRAINED, CONVERTED, MEASURED = "trained", "converted", "measured"


@dataclass(frozen=True)
class Line:
    """One finished step. `like` names the steps that take about as long: the estimate of a plan is made from them."""

    kind: str  # trained, converted (one variant) or measured (one cell)
    place: str  # below the output folder
    key: str
    status: str
    reason: str = ""
    sha256: str = ""  # of what lies at the place, where that may not change
    content: str = ""  # hash of what a later step depends on
    like: str = ""
    seconds: float = 0.0
    version: int = VERSION


class Journal:
    """The lines of one suite, the last of every place."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._places: dict[str, Line] = {}
        self._keys: dict[str, Line] = {}
        self._all: list[Line] = []
        for line in _read(path):
            self._keep(line)
        self._old = len(self._all)

    def __len__(self) -> int:
        return len(self._all)

    def count(self, kind: str) -> int:
        """How many lines there are of a kind."""
        return sum(line.kind == kind for line in self._all)

    def find(self, key: str) -> Line | None:
        """Return the line of a step that is finished just so, and whose place nothing else has taken."""
        line = self._keys.get(key)
        return line if line is not None and self._places[line.place] is line else None

    def last(self, place: str) -> Line | None:
        """Return what was done at a place last."""
        return self._places.get(place)

    def is_new(self, line: Line) -> bool:
        """Whether a line was added by this process."""
        return any(one is line for one in self._all[self._old :])

    def add(self, line: Line) -> None:
        """Append a line; it is on disk when this returns."""
        with self._lock:
            _mend(self._path)
            append_line(self._path, dataclasses.asdict(line))
            self._keep(line)

    def seconds(self, kind: str, like: str) -> float | None:
        """Return how long such a step took, in the mean; None where there was none like it."""
        words = like.split()
        while words:
            found = [one.seconds for one in self._all if one.kind == kind and one.like.startswith(" ".join(words))]
            if found:
                return sum(found) / len(found)
            words.pop()
        return None

    def _keep(self, line: Line) -> None:
        self._places[line.place] = self._keys[line.key] = line
        self._all.append(line)


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold a suite: two runs of it at once would do everything twice. Raises UsageError where another has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UsageError(f"another `edgebench run` is at work in {path.parent}: wait for it") from error
        except OSError:
            pass  # a file system without locks
        yield


def _read(path: Path) -> Iterator[Line]:
    if not path.exists():
        return
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            plain = json.loads(text)
            if plain.pop("version") > VERSION:
                raise UsageError(f"{path} is of a newer edgebench: upgrade, or name another `out` in [suite]")
            yield Line(**plain)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue  # a line cut short by a full disk or a power cut: that step was never finished


def _mend(path: Path) -> None:
    """End a line that was cut short, so that the next one stands alone."""
    if not path.exists() or path.stat().st_size == 0:
        return
    with path.open("rb+") as stream:
        stream.seek(-1, os.SEEK_END)
        if stream.read(1) != b"\n":
            stream.write(b"\n")
