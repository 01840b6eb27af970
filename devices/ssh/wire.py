"""Lines and bodies over a pair of pipes: every one bounded and in time, whatever the other side sends."""

from __future__ import annotations

import json
import os
import select
import time

from edgebench.devices.text import clean_bytes, clean_text
from edgebench.errors import DeviceError

MAX_LINE = 256 * 1024


class WireClosedError(Exception):
    """The other side closed its end."""


class WireSilentError(Exception):
    """The other side neither took nor sent anything for as long as it may."""


class Wire:
    """`source` and `sink` are file descriptors, `name` whose they are. Counts the bytes it sends."""

    def __init__(self, source: int, sink: int, name: str) -> None:
        self._source, self._sink, self._name = source, sink, name
        self._buffer = b""
        self.bytes_sent = 0
        os.set_blocking(sink, False)

    @property
    def pending(self) -> bytes:
        """What has come and is no whole line yet."""
        return self._buffer

    def write(self, content: bytes, timeout: float) -> None:
        """Send all of `content`."""
        deadline = time.monotonic() + timeout
        view = memoryview(content)
        while view:
            _, ready, _ = select.select([], [self._sink], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise WireSilentError
            try:
                sent = os.write(self._sink, view)
            except OSError as error:
                raise WireClosedError from error
            self.bytes_sent += sent
            view = view[sent:]

    def read_line(self, deadline: float) -> bytes:
        """Return the next line without its end. Raises DeviceError for one that is no answer."""
        while b"\n" not in self._buffer:
            if len(self._buffer) > MAX_LINE:
                raise DeviceError(f"{self._name} sent a line of more than {MAX_LINE} bytes; that is no answer")
            self._fill(deadline)
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def read_exactly(self, count: int, deadline: float) -> bytes:
        """Return the next `count` bytes."""
        parts, missing = [self._buffer[:count]], count - len(self._buffer)
        self._buffer = self._buffer[count:]
        while missing > 0:
            self._fill(deadline)
            parts.append(self._buffer[:missing])
            missing, self._buffer = missing - len(self._buffer), self._buffer[missing:]
        return b"".join(parts)

    def parse(self, line: bytes) -> dict[str, object]:
        """Return the object in a line. Raises DeviceError where it is none."""
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise DeviceError(f"{self._name} sent something that is no answer: {clean_bytes(line, 80)!r}")
        return value

    def read_answer(self, operation: str, deadline: float, limit: int) -> tuple[dict[str, object], bytes]:
        """Return the answer to a request and its body of at most `limit` bytes."""
        answer = self.parse(self.read_line(deadline))
        length = answer.pop("bytes", 0)
        if type(length) is not int or not 0 <= length <= limit:
            raise DeviceError(
                f"{self._name} answered {operation!r} with {clean_text(length, 40)} bytes, at most {limit} belong there"
            )
        return answer, self.read_exactly(length, deadline)

    def _fill(self, deadline: float) -> None:
        if not select.select([self._source], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise WireSilentError
        more = os.read(self._source, 1 << 16)
        if not more:
            raise WireClosedError
        self._buffer += more
