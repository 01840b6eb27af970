"""A part of the report that is tables of text: worked out once, written down by every output."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TextTable:
    """Cells as people read them; `marked` are the (line, column) that want attention."""

    title: str
    head: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    marked: frozenset[tuple[int, int]] = frozenset()

    @property
    def size(self) -> int:
        """Number of lines."""
        return len(self.lines)


@dataclass(frozen=True)
class Section:
    """A heading, a sentence on how to read it, tables, and the lines that a terminal shows in their place."""

    key: str
    title: str
    caption: str
    tables: tuple[TextTable, ...] = ()
    brief: tuple[str, ...] = ()
