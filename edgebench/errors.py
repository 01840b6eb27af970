"""The one error family: what is wrong, which value, what to do next.

The command line prints these as one clear line and exits with `exit_code`; a traceback means a bug in edgebench.
"""

from __future__ import annotations

from edgebench import __version__

LONGEST = 2000  # characters of a message


class EdgebenchError(Exception):
    """Something the user can act on. `str()` of it is the whole message: what, which value, what to do next."""

    exit_code = 1

    def __str__(self) -> str:
        """One line that any terminal can print, whatever a file or a user had in it."""
        text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in super().__str__())
        return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} .. {text[-LONGEST // 2 :]}"


class UsageError(EdgebenchError):
    """The input cannot be used as given: a missing file, an unknown name, a model that is not a classifier."""

    exit_code = 2


class FormatVersionError(UsageError):
    """A file was written by an edgebench that is too old or too new for this one."""


class MissingExtraError(UsageError):
    """An optional package is needed for what was asked and is not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs {package}, which is not installed: pip install -c constraints.txt '.[{extra}]' in a "
            f"clone of edgebench, or pip install 'edgebench-{__version__}-py3-none-any.whl[{extra}]' with its wheel"
        )


class ConversionError(EdgebenchError):
    """One variant of one model could not be made; the others go on."""


class DeviceError(EdgebenchError):
    """A device cannot be reached, or cannot do what was asked of it."""
