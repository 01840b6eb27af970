"""On which line of a TOML file each key stands: `tomllib` reads the values, and keeps no lines.

The text has been read by `tomllib` before, so it is TOML: only keys, strings, brackets and ends of
lines are told apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

Path = tuple[str | int, ...]
"""Keys from the root to a value; the tables of an array are counted from 0."""

_TOKEN = re.compile(
    r'(?P<text>"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\')'
    r"|(?P<comment>#[^\n]*)|(?P<end>\n)|(?P<open>[\[{])|(?P<close>[\]}])|(?P<equals>=)|(?P<dot>\.)|(?P<space>[ \t\r]+)"
    r"|(?P<bare>[A-Za-z0-9_-]+)|(?P<other>.)",
    re.DOTALL,
)


@dataclass
class _Scan:
    """Where the scan stands: the open table, the key that is being read, how deep in brackets."""

    found: dict[Path, int] = field(default_factory=dict)
    counts: dict[Path, int] = field(default_factory=dict)
    table: Path = ()
    key: list[str] = field(default_factory=list)
    first: int = 0  # the line on which the statement begins; 0 between two
    header: int = 0  # brackets that opened a table's header
    value: bool = False
    depth: int = 0


def lines_of(text: str) -> dict[Path, int]:
    """Return key path -> line (from 1), of tables and of the keys in them; inside a value nothing is told apart."""
    scan = _Scan()
    for kind, token, line in _tokens(text):
        if kind in ("comment", "space"):
            continue
        if kind == "end":
            if scan.depth == 0:
                _finish(scan)
            continue
        scan.first = scan.first or line
        _take(scan, kind, token)
    _finish(scan)
    return scan.found


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    line = 1
    for match in _TOKEN.finditer(text):
        yield match.lastgroup or "", match[0], line
        line += match[0].count("\n")


def _take(scan: _Scan, kind: str, token: str) -> None:
    if scan.value:
        scan.depth += (kind == "open") - (kind == "close")
    elif kind == "equals":
        scan.value = True
        for end in range(1, len(scan.key) + 1):  # a dotted key makes the tables on its way
            scan.found.setdefault((*scan.table, *scan.key[:end]), scan.first)
    elif kind == "open":
        scan.header += 1
    elif kind == "text":
        scan.key.append(token[1:-1])
    elif kind in ("bare", "other"):
        scan.key.append(token)


def _finish(scan: _Scan) -> None:
    """End a statement: a header opens its table."""
    if scan.header:
        path: Path = ()
        for name in scan.key[:-1]:
            path = (*path, name)
            path = (*path, scan.counts[path] - 1) if path in scan.counts else path
        path = (*path, scan.key[-1])
        if scan.header > 1:
            scan.found.setdefault(path, scan.first)
            scan.counts[path] = scan.counts.get(path, 0) + 1
            path = (*path, scan.counts[path] - 1)
        scan.found[path] = scan.first
        scan.table = path
    scan.key, scan.first, scan.header, scan.value, scan.depth = [], 0, 0, False, 0
