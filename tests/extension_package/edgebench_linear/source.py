"""MODEL texts of this converter: a `.linear.json` with size, labels, weights and bias."""

from pathlib import Path

from edgebench.errors import UsageError
from edgebench.files import sha256_file
from edgebench.records import Source

TOOLS = {"lin": ("edgebench-linear", "numpy")}


def claims(text):
    return text.endswith(".linear.json")


def resolve(text, options):
    path = Path(text)
    if not path.is_file():
        raise UsageError(f"there is no {text}")
    return Source("linear", str(path.resolve()), sha256_file(path), options)
