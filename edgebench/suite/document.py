"""A suite file as TOML: its tables, each of which knows where it and its keys stand."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgebench.errors import UsageError
from edgebench.files import read_text
from edgebench.suite import lines
from edgebench.suite.errors import Place, SuiteError, nearest

_AT = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)\Z")


@dataclass(frozen=True)
class Table:
    """One table of the file; `name` is what its header says."""

    name: str
    values: dict[str, Any]
    file: Path
    path: lines.Path
    lines: dict[lines.Path, int]

    def place(self, key: str = "") -> Place:
        """Where a key stands, or the table itself."""
        path = (*self.path, key) if key else self.path
        while path and path not in self.lines:
            path = path[:-1]
        return Place(self.file, self.lines.get(path, 1))

    def error(self, problem: str, key: str = "") -> SuiteError:
        """Return the error to raise for a key, or for the table."""
        return SuiteError(self.place(key), f"[{self.name}] {key}: {problem}" if key else f"[{self.name}]: {problem}")

    def inner(self, key: str) -> Table | None:
        """Return the table below `key`, None where there is none. Raises SuiteError where it is no table."""
        if key not in self.values:
            return None
        value = self.values[key]
        name = f"{self.name}.{key}" if self.path else key
        if not isinstance(value, dict):
            raise SuiteError(self.place(key), f"{key} is a table: write [{name}] and its keys below")
        return Table(name, value, self.file, (*self.path, key), self.lines)

    def several(self, key: str) -> Iterator[Table]:
        """Yield the tables of `[[key]]`, or the one of `[key]`. Raises SuiteError where it is neither."""
        value = self.values.get(key, [])
        if isinstance(value, dict):
            found = self.inner(key)
            assert found is not None
            yield found
            return
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise SuiteError(self.place(key), f"{key} is a table: write [[{key}]] and its keys below")
        for index, one in enumerate(value):
            yield Table(key, one, self.file, (*self.path, key, index), self.lines)

    def refuse_unknown(self, known: tuple[str, ...]) -> None:
        """Raise SuiteError for the first key that is none of `known`."""
        for key in self.values:
            if key not in known:
                what = "key" if self.path else "table"
                where = f"[{self.name}]: " if self.path else ""
                raise SuiteError(self.place(key), f"{where}unknown {what} {key!r}: {nearest(key, known)}")

    def text(self, key: str, default: str) -> str:
        """Return a text. Raises SuiteError where it is none."""
        value = self.values.get(key, default)
        if not isinstance(value, str) or (key in self.values and not value.strip()):
            raise self.error(f"{value!r} is no text", key)
        return value

    def whole_number(self, key: str, default: int, least: int = 0) -> int:
        """Return an integer. Raises SuiteError where it is none, or below `least`."""
        value = self.values.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < least:
            raise self.error(f"{value!r} is no whole number of {least} or more", key)
        return value


def read_document(path: Path) -> Table:
    """Return the root table of a suite file. Raises UsageError where it is no TOML, with its line."""
    if path.is_dir():
        raise UsageError(f"{path} is a folder: name the suite file in it, or write one with `edgebench init {path}`")
    if not path.exists():
        raise UsageError(f"there is no suite {path}: `edgebench init` writes one for the models and data it finds")
    text = read_text(path)
    try:
        values = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        at = _AT.search(str(error))
        line = int(at[1]) if at and at[1] else text.rstrip().count("\n") + 1
        raise SuiteError(Place(path, line), f"this is no TOML: {_AT.sub('', str(error))}") from error
    return Table("the suite", values, path, (), lines.lines_of(text.replace("\r\n", "\n")))
