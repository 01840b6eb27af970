"""Text that a device sent, made fit for a terminal: one line, printable, not too long."""

from __future__ import annotations

import re

MAX_TEXT = 2000
SHORT = 200
# What a terminal takes for a command: an operating system command (a title), a control sequence, any other escape.
_ESCAPES = re.compile(r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b\[[0-?]*[ -/]*[@-~]|\x1b.?|\x9b[0-?]*[ -/]*[@-~]")


def clean_text(text: object, most: int = MAX_TEXT) -> str:
    """Return at most `most` printable characters: no control characters (C0, C1), escapes or bidirectional marks."""
    plain = _ESCAPES.sub(" ", str(text)[: 4 * most])
    return "".join(c if c.isprintable() else " " for c in plain)[:most].strip()


def clean_bytes(content: bytes, most: int = SHORT) -> str:
    """Return bytes of a device as clean text."""
    return clean_text(content[: 8 * most].decode(errors="replace"), most)
