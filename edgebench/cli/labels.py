"""`--labels`, which several commands take."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from edgebench.errors import UsageError
from edgebench.files import exists, read_text


def read_labels(text: str | None) -> tuple[str, ...]:
    """Return the class names in `text`: separated by commas, or one a line in the file that it names.

    Raises UsageError where the file cannot be read, and for a name that stands there twice.
    """
    if not text:
        return ()
    file = Path(text)
    if exists(file):
        parts = read_text(file).splitlines()
    elif "," not in text and (file.suffix in (".txt", ".csv", ".names") or "/" in text):
        raise UsageError(f"--labels: there is no file {text}")
    else:
        parts = text.split(",")
    labels = tuple(part.strip() for part in parts if part.strip())
    if not labels:
        raise UsageError(f"--labels {text[:80]!r} holds no name: give class names separated by commas, or one a line")
    twice = next((name for name, count in Counter(labels).items() if count > 1), None)
    if twice is not None:
        places = " and ".join(str(index + 1) for index, name in enumerate(labels) if name == twice)
        raise UsageError(
            f"--labels has {twice!r} at {places}: results of the two could not be told apart, give each its own name"
        )
    return labels
