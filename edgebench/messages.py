"""What two processes of edgebench say to each other: frozen dataclasses, one JSON line each, checked by the reader.

The name of the class goes with its fields: `{"kind": "Started", "variant": "onnx:int8"}`. The worker's side is here
(`Host`, `serve`), the other one is `edgebench.pipeline.workers`.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, TypeVar
from urllib.parse import quote_from_bytes, unquote_to_bytes

from edgebench.errors import EdgebenchError, UsageError
from edgebench.files import parse_record
from edgebench.records import Record

M = TypeVar("M")
KIND = "kind"


@dataclass(frozen=True)
class Done(Record):
    """The work of a request is done; nothing follows."""


@dataclass(frozen=True)
class Refused(Record):
    """The request cannot be done, for the reason that the user reads; nothing follows."""

    reason: str
    exit_code: int


def to_line(message: object) -> str:
    """Return a frozen dataclass as one line of JSON, without its end."""
    return json.dumps({KIND: type(message).__name__, **_plain(message)})


def from_line(kinds: Sequence[type[M]], line: str | bytes, origin: str) -> M:
    """Return the message of one line, which is one of `kinds`. Raises UsageError naming `origin` where it is none."""
    try:
        values = json.loads(line)
        kind = {cls.__name__: cls for cls in kinds}[values.pop(KIND)]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"{origin} said something unknown: {line[:200]!r}") from error
    read: M = _with_paths(parse_record(kind, json.dumps(values).encode(), origin))
    return read


def _plain(value: Any) -> Any:
    """Return JSON values. A path keeps every byte of its name; elsewhere what is no UTF-8 is escaped."""
    if dataclasses.is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, PurePath):
        return quote_from_bytes(os.fsencode(value))
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _with_paths(value: Any) -> Any:
    """Return a message as it was before `_plain` wrote the names of its files."""
    if isinstance(value, PurePath):
        return Path(os.fsdecode(unquote_to_bytes(str(value))))
    if isinstance(value, tuple):
        return tuple(_with_paths(item) for item in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return dataclasses.replace(value, **{field.name: _with_paths(getattr(value, field.name)) for field in fields})
    return value


class Host:
    """The process that started this one: what is told goes to standard output, which nothing else may write to."""

    def __init__(self) -> None:
        self._stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)  # whatever a library prints from here on, in Python or C++, goes to standard error
        self._lock = threading.Lock()

    def tell(self, message: object) -> None:
        """Write one line for the host; from any thread."""
        with self._lock:
            self._stream.write(to_line(message) + "\n")
            self._stream.flush()

    def hear(self, kind: type[M]) -> M | None:
        """Wait for one line of the host; None where it is gone."""
        line = sys.stdin.readline()
        return from_line([kind], line, "the host") if line else None


def serve(work: Callable[[Host], None]) -> int:
    """Do the work of a request and end with `Done`, or with `Refused` and the exit code that is returned."""
    host = Host()
    try:
        work(host)
    except EdgebenchError as error:
        host.tell(Refused(str(error), error.exit_code))
        return error.exit_code
    host.tell(Done())
    return 0
