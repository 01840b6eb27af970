"""The options that let code of others run here: typed at each command, never read from a file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

OPTIONS = (
    click.option(
        "--trust-lambda", is_flag=True, help="Load Lambda layers: Python code inside the model file runs here."
    ),
)


def trust_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options of `Trust` to a command."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command
