"""Trains the demo's models in a process of its own: `python -m edgebench.demo.training FOLDER [--huggingface]`.

So that no framework stays loaded in the process that measures. Prints one line about what is happening at a time.
"""

from __future__ import annotations

import sys
from pathlib import Path

from edgebench.demo import models as demo_models
from edgebench.errors import EdgebenchError


def main(arguments: list[str]) -> int:
    """Write the digits and train into the folder; return the exit code."""
    folder = Path(arguments[0])
    demo_models.write_digits(folder / "digits")
    try:
        demo_models.train(folder, print)
        if "--huggingface" in arguments:
            from edgebench.demo import huggingface as demo_huggingface  # needs another extra

            demo_huggingface.train(folder, print)
    except EdgebenchError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
