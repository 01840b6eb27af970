"""What executes an artifact. Each module offers `open_session(name, path, settings)` and returns a `Session`.

A session is measured in three steps so that copies and work can be told apart: `copy_in`, `invoke`, `copy_out`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from edgebench.records import TensorSpec


class RefusedError(Exception):
    """The runtime would not load or invoke the artifact; `str()` is its own message, on one line of at most 500."""

    def __init__(self, message: object) -> None:
        super().__init__(" ".join(str(message).split())[:500])


def counted(operators: Mapping[str, int]) -> str:
    """Return `CONV_2D x3, ADD x1`."""
    return ", ".join(f"{name} x{count}" for name, count in operators.items())


class Session(Protocol):
    """A loaded artifact, ready to invoke. Arrays are numpy, shapes and dtypes as in `input` and `output`."""

    version: str
    input: TensorSpec
    output: TensorSpec

    def copy_in(self, array: Any) -> None:
        """Hand one batch to the runtime."""

    def invoke(self) -> None:
        """Do the work; returns when it is done. Raises RefusedError where the runtime will not."""

    def copy_out(self) -> Any:
        """Return the output of the last invoke as an array that later invokes do not change."""

    def facts(self) -> dict:  # type: ignore[type-arg]  # dict[str, Scalar]; 3.9 syntax
        """Return settings that really hold, for the environment: threads, delegate, provider."""

    def close(self) -> None:
        """Free everything."""
