"""The keys of a suite's tables are the options of the commands: read from click, checked by click, handed on as typed.

A table becomes the words that a user would type, so that a key cannot mean anything else than its option does.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from edgebench.errors import EdgebenchError
from edgebench.files import exists
from edgebench.suite.document import Table

NOT_IN_SUITES = {
    "out": "the whole study goes to one folder: `out` in [suite]",
    "force": "what has not changed is kept, what has is made again",
    "fresh": "what has not changed is kept, what has is measured again",
    "only-failed": "type `edgebench run SUITE --retry-failed`",
    "json": "type `edgebench run SUITE --json`",
    "baseline": "two states of a model are two models of a suite, or `edgebench profile --baseline`",
    "trust-lambda": "code of others is run only where that is typed: `edgebench run SUITE --trust-lambda`",
    "import": "code of others is run only where that is typed: `edgebench run SUITE --import FILE.py`",
}
MAYBE_PATH = ("labels", "data")  # texts that may name a file
Words = tuple[str, ...]
Check = Callable[[Any], object]
"""What the command itself would say of a value beyond its type; raises EdgebenchError."""


@dataclass(frozen=True)
class Setting:
    """One run of a table: the words for the command, and those of them that tell it from the table's other runs."""

    words: Words
    label: str = ""


class Options:
    """The options of one command, by the keys of its table."""

    def __init__(self, command: click.Command, checks: Mapping[str, Check], refused: Mapping[str, str]) -> None:
        """`checks` look at the values of some keys, `refused` says why some options are no keys."""
        self.command, self._checks = command, checks
        found = [(_key(one), one) for one in command.params if isinstance(one, click.Option)]
        why_not = {**NOT_IN_SUITES, **refused}
        self._options = {key: option for key, option in found if key not in why_not}
        self._refused = {key: why_not[key] for key, _ in found if key in why_not}

    @property
    def keys(self) -> tuple[str, ...]:
        """Every key there is."""
        return tuple(self._options)

    def refuse_unknown(self, table: Table, more: Sequence[str] = ()) -> None:
        """Raise SuiteError for the first key that is no option, nor one of `more`."""
        for key in table.values:
            if key in self._refused:
                raise table.error(f"does not stand in a suite: {self._refused[key]}", key)
        table.refuse_unknown((*self.keys, *more))

    def setting(self, table: Table, folder: Path, skip: Sequence[str] = ()) -> Setting:
        """Return the words of a table that describes one run. Raises SuiteError naming the line that is wrong."""
        return Setting(tuple(word for words in self.by_key(table, folder, skip).values() for word in words))

    def by_key(self, table: Table, folder: Path, skip: Sequence[str] = ()) -> dict[str, Words]:
        """Return the words of a table that describes one run, key by key: another table's may take their place."""
        keys = [key for key in table.values if key not in skip]
        return {key: next(self._choices(table, key, table.values[key], folder, False))[0] for key in keys}

    def product(self, table: Table, folder: Path, skip: Sequence[str] = ()) -> list[Setting]:
        """Return one setting for each combination of values: a list makes a run of each of its values.

        Relative paths are relative to `folder`. Options that may be given several times take a whole list.
        """
        axes = []
        for key, value in table.values.items():
            if key not in skip:
                axes.append(list(self._choices(table, key, value, folder, True)))
        settings = []
        for combination in itertools.product(*axes):
            words = tuple(word for words, _ in combination for word in words)
            settings.append(Setting(words, " ".join(label for _, label in combination if label)))
        return settings

    def _choices(self, table: Table, key: str, value: Any, folder: Path, several: bool) -> Iterator[tuple[Words, str]]:
        option = self._options[key]
        if isinstance(value, list) and not option.multiple:
            if not several:
                raise table.error(f"takes one value, not a list of {len(value)}", key)
            if not value:
                raise table.error("is empty: give a value, or leave the key out", key)
            for one in value:
                yield self._words(table, key, [one], folder), f"{key}={one}" if len(value) > 1 and one != "" else ""
        else:
            yield self._words(table, key, _listed(key, value), folder), ""

    def _words(self, table: Table, key: str, values: Sequence[Any], folder: Path) -> Words:
        """Return an option as it is typed, after click and the command have looked at its value."""
        option = self._options[key]
        if not values:
            raise table.error("is empty: give a value, or leave the key out", key)
        if option.is_flag:
            (value,) = values
            if not isinstance(value, bool):
                raise table.error(f"{value!r} is neither true nor false", key)
            off = option.secondary_opts
            return (option.opts[0],) if value else (off[0],) if off else ()
        texts = []
        for value in values:
            if isinstance(value, bool) or not isinstance(value, str | int | float):
                raise table.error(f"{value!r} is no text and no number", key)
            texts.append(_located(option, key, str(value), folder))
        self._check(table, key, texts)
        return tuple(f"{_flag(option)}={text}" for text in texts)

    def _check(self, table: Table, key: str, texts: Sequence[str]) -> None:
        option = self._options[key]
        context = click.Context(self.command, info_name=self.command.name, resilient_parsing=False)
        try:
            value = option.process_value(context, tuple(texts) if option.multiple else texts[0])
            if key in self._checks:
                self._checks[key](value)
        except click.ClickException as error:
            raise table.error(error.message.rstrip("."), key) from error
        except EdgebenchError as error:
            raise table.error(str(error), key) from error


def parse_words(command: click.Command, words: Sequence[str]) -> dict[str, Any]:
    """Return the values by the names of the command's parameters, as its function gets them."""
    with command.make_context(command.name, list(words)) as context:
        return dict(context.params)


def locate(text: str, folder: Path) -> str:
    """Return a path of the suite as seen from anywhere."""
    return os.path.normpath(folder.absolute() / Path(text).expanduser())


def _listed(key: str, value: Any) -> list[Any]:
    if key == "data" and isinstance(value, dict):  # of `profile`: {name = "path"}
        return [f"{name}={path}" for name, path in value.items()]
    return value if isinstance(value, list) else [value]


def _key(option: click.Option) -> str:
    return _flag(option).removeprefix("--")


def _flag(option: click.Option) -> str:
    return max(option.opts, key=len)


def _located(option: click.Option, key: str, text: str, folder: Path) -> str:
    if isinstance(option.type, click.Path):
        return locate(text, folder)
    if key not in MAYBE_PATH:
        return text
    name, equals, path = text.partition("=")
    if key == "data" and equals and not exists(folder / text):
        return f"{name}={locate(path, folder)}"
    return locate(text, folder) if key == "data" or exists(folder / text) else text
