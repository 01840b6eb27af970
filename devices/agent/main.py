"""The agent's loop: one JSON request a line, with raw bytes behind it where it says so, and one answer to each."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import sys
from typing import Any, BinaryIO, Optional

from . import jobs, probe, store, tryout

GREETING = b"edgebench-agent 1 "  # what the host looks for behind whatever the login shell printed
IDLE_SECONDS = 900  # a host that vanished without closing the connection does not keep the agent for ever
MAX_BODY = 8 * 1024 * 1024


class Agent:
    """Serves one host over two file descriptors."""

    def __init__(self, settings: dict[str, Any], source: int = 0, sink: Optional[BinaryIO] = None) -> None:
        self._source = source
        self._sink = sink or sys.stdout.buffer
        self._buffer = b""
        self._settings = settings
        self._store: store.Store
        self._jobs: jobs.Jobs

    def serve(self) -> None:
        """Greet, then answer until the input closes or nothing came for IDLE_SECONDS."""
        session = str(self._settings.get("session", ""))
        try:
            self._store = store.Store(self._settings["store"], session)
            self._jobs = jobs.Jobs(self._store, self._source, session, str(self._settings.get("owner", "")))
        except (OSError, ValueError) as error:
            self._greet(
                {"store_error": f"{error.strerror}: {error.filename}" if isinstance(error, OSError) else str(error)}
            )
            return
        self._greet({"root": self._store.root, "boot_id": probe.boot_id(), "python": sys.version.split()[0]})
        try:
            self._serve()
        finally:
            with contextlib.suppress(FileNotFoundError):  # the store has been removed
                self._jobs.leave()

    def _greet(self, hello: dict[str, object]) -> None:
        self._send(GREETING + json.dumps(hello).encode() + b"\n")

    def _serve(self) -> None:
        while True:
            line = self._read_line()
            if line is None:
                return
            request = json.loads(line)
            body = self._read_exactly(int(request.pop("bytes", 0)))
            if body is None:
                return
            answer, content = self._answer(request, body)
            self._send(json.dumps({**answer, "bytes": len(content)}).encode() + b"\n" + content)

    def _answer(self, request: dict[str, Any], body: bytes) -> tuple[dict[str, object], bytes]:
        operation = request.pop("op")
        try:
            if operation == "facts":
                return {**probe.facts(self._store.root), "environments": self._store.environments()}, b""
            if operation == "write":
                return self._store.write(body=body, **request), b""
            if operation == "try_import":
                return tryout.try_import(**request), b""
            if operation in ("wait", "fetch"):
                answer: tuple[dict[str, object], bytes] = getattr(self._jobs, operation)(**request)
                return answer
            if operation in ("start", "reserve", "release", "temperature", "forget", "kill", "kill_all"):
                return getattr(self._jobs, operation)(**request), b""
            if operation in ("stat", "commit", "give_back", "set_environment", "usage", "remove_all"):
                return getattr(self._store, operation)(**request), b""
            return {"error": "unknown", "message": f"unknown operation {operation!r}"}, b""
        except OSError as error:
            code = errno.errorcode.get(error.errno or 0, "OSError")
            return {"error": code, "message": f"{error.strerror}: {error.filename or ''}".rstrip(": ")}, b""
        except (ValueError, TypeError, KeyError) as error:
            return {"error": "refused", "message": str(error) or type(error).__name__}, b""

    def _send(self, content: bytes) -> None:
        self._sink.write(content)
        self._sink.flush()

    def _read_line(self) -> Optional[bytes]:
        while b"\n" not in self._buffer:
            if not self._fill():
                return None
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def _read_exactly(self, count: int) -> Optional[bytes]:
        if not 0 <= count <= MAX_BODY:
            return None
        while len(self._buffer) < count:
            if not self._fill():
                return None
        body, self._buffer = self._buffer[:count], self._buffer[count:]
        return body

    def _fill(self) -> bool:
        ready, _, _ = select.select([self._source], [], [], IDLE_SECONDS)
        more = os.read(self._source, 1 << 20) if ready else b""
        self._buffer += more
        return bool(more)
