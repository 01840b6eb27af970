"""Which code of others may run here: what the user typed, now and on this machine, and nothing that a file says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgebench.errors import UsageError
from edgebench.files import sha256_file, shown
from edgebench.records import Source

LAMBDA_OPTION = "trust_lambda"
IMPORT_OPTION = "import"


@dataclass(frozen=True)
class Trust:
    """What was typed: `lambdas` lets the Lambda layers inside a Keras file run, `imports` are the user's own files."""

    lambdas: bool = False
    imports: tuple[Path, ...] = ()

    @property
    def options(self) -> tuple[tuple[str, str], ...]:
        """The options of a source: for code its name and content, never where it lies. UsageError where it is not."""
        options: list[tuple[str, str]] = []
        if self.lambdas:
            options.append((LAMBDA_OPTION, "true"))
        if self.imports:
            options.append((IMPORT_OPTION, " ".join(_named(path) for path in self.imports)))
        return tuple(options)

    def imports_for(self, source: Source) -> tuple[Path, ...]:
        """Return the typed files that a source model is loaded with.

        Raises UsageError where loading it would run code that was not allowed by typing so: the options of a source
        may come from a manifest, which may be anybody's.
        """
        options = dict(source.options)
        if LAMBDA_OPTION in options and not self.lambdas:
            raise UsageError(
                f"{source.spec} has Lambda layers, which are Python code that would run on this machine: "
                "type --trust-lambda here too if you trust where that file comes from"
            )
        typed = {_named(path): path for path in self.imports}
        wanted = options.get(IMPORT_OPTION, "").split()
        for one in wanted:
            if one not in typed:
                name = one.partition("=")[0]
                changed = f"{name} has changed since: " if any(t.startswith(f"{name}=") for t in typed) else ""
                raise UsageError(
                    f"{source.spec} was converted with the code of {name}: {changed}type --import {name} here too, "
                    "the very file, or convert again"
                )
        return tuple(typed[one] for one in wanted)


NOTHING = Trust()


def _named(path: Path) -> str:
    if path.suffix != ".py" or not path.is_file():
        raise UsageError(f"--import {shown(path)} is no Python file: give the .py that defines the layers")
    return f"{shown(path.name).replace(' ', '_').replace('=', '_')}={sha256_file(path)}"
