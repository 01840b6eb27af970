"""Reads the runner's progress from a device: JSON lines, of which only known fields of sane values go on."""

from __future__ import annotations

import json
from typing import Any

from edgebench.devices.base import Progress

MAX_LINE = 8192
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
            event = parse_event(line)
            if event is not None:
                self.phase = event.get("phase", self.phase)
                self._progress(event)


def parse_event(line: bytes) -> dict[str, Any] | None:
    """Return the event in a line, or None where it is none."""
    try:
        value = json.loads(line[:MAX_LINE])
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or value.get("event") != "phase" or not isinstance(value.get("phase"), str):
        return None
    phase = value["phase"]
    if not phase.replace("_", "").isalnum() or len(phase) > 40:
        return None
    counts = {key: value[key] for key in ("done", "total") if type(value.get(key)) is int}
    return {"event": "phase", "phase": phase, **counts}
