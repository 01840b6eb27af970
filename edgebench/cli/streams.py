"""Standard streams that cannot hold every letter: what they lack is written with those that they have."""

from __future__ import annotations

import codecs
import sys
from io import TextIOWrapper

PLAIN = {
    "µ": "u", "·": "-", "±": "+/-", "°": "deg", "→": "->", "×": "x", "…": "...", "—": "-", "–": "-", "─": "-", "━": "-",
}  # fmt: skip


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(PLAIN.get(letter, "?") for letter in error.object[error.start : error.end]), error.end


def forgive() -> None:
    """Keep stdout and stderr from raising on a letter that their encoding has not, as in a pipe under LANG=C."""
    codecs.register_error("edgebench.plain", _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and stream.encoding.lower() not in ("utf-8", "utf8"):
            stream.reconfigure(errors="edgebench.plain")
