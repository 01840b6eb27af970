"""Reads the runner's progress from a device: JSON lines, of which only known fields of sane values go on."""

from __future__ import annotations

from edgebench.devices.base import Progress
from edgebench.devices.returns import MAX_LINE, parse_phase

MAX_TOTAL = 16 * 1024 * 1024
NOWHERE = 2**60  # an offset behind any file: no more progress is asked for


class ProgressReader:
    """Turns pieces of the progress file into events; `offset` is where the next piece begins."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._rest = b""
        self.offset = 0
        self.phase = "start"

    def feed(self, news: bytes) -> None:
        """Take the next piece."""
        self.offset += len(news)
        *lines, self._rest = (self._rest + news).split(b"\n")
        if self.offset > MAX_TOTAL or len(self._rest) > MAX_LINE:
            self.offset, self._rest = NOWHERE, b""
        for line in lines:
            event = parse_phase(line)
            if event is not None:
                self.phase = event.phase
                self._progress(event)
