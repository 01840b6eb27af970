"""What is wrong in a suite file: where it stands, what it is, the nearest thing that is known."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edgebench.errors import UsageError


@dataclass(frozen=True)
class Place:
    """A line of a suite file."""

    file: Path
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


class SuiteError(UsageError):
    """A suite file that cannot be run as it is; the message begins with its file and line."""

    def __init__(self, place: Place, problem: str) -> None:
        super().__init__(f"{place}: {problem}")


def nearest(name: str, known: Iterable[str]) -> str:
    """Say which name was meant, where one is near; else all that are known. For the end of a message."""
    names = sorted(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(names)}"
