"""Which code of others may run here: what the user typed, now and on this machine, and nothing that a file says."""

from __future__ import annotations

from dataclasses import dataclass

from edgebench.errors import UsageError
from edgebench.records import Source

LAMBDA_OPTION = "trust_lambda"


@dataclass(frozen=True)
class Trust:
    """What was typed: `lambdas` lets the Lambda layers inside a Keras file run."""

    lambdas: bool = False

    def refuse_untyped(self, source: Source) -> None:
        """Raise UsageError where loading a source model would run code that was not allowed by typing so.

        The options of a source may come from a manifest, which may be anybody's.
        """
        if LAMBDA_OPTION in dict(source.options) and not self.lambdas:
            raise UsageError(
                f"{source.spec} has Lambda layers, which are Python code that would run on this machine: "
                "type --trust-lambda here too if you trust where that file comes from"
            )


NOTHING = Trust()
