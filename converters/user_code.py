"""The user's own Python files, given with `--import`: run once in the worker, and what they define, by name."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from edgebench.errors import UsageError
from edgebench.files import shown

_defined: dict[str, object] = {}


def run(files: Sequence[Path]) -> None:
    """Import each file under its own name, in this order. Raises UsageError where one does not run to its end."""
    for file in files:
        _defined.update(_import(file))


def defined() -> dict[str, object]:
    """Return the classes and functions that the files define: what a Keras file may name."""
    return dict(_defined)


def _import(file: Path) -> dict[str, Callable[..., Any]]:
    name = file.stem
    if name in sys.modules:
        raise UsageError(f"--import {shown(file)} has the name of the module {name}, which is in use: rename the file")
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None  # it ends in .py
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except ModuleNotFoundError as error:
        raise UsageError(
            f"--import {shown(file)}: {error}: install it, or name its file with --import before this one"
        ) from error
    except (Exception, SystemExit) as error:
        said = (str(error).strip().splitlines() or [""])[0][:200]
        raise UsageError(f"--import {shown(file)} ended in {type(error).__name__}: {said}") from error
    found = {key: value for key, value in vars(module).items() if callable(value)}
    return {key: value for key, value in found.items() if getattr(value, "__module__", "") == name}
