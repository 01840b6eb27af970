"""`--labels`, which several commands take."""

from __future__ import annotations

from pathlib import Path


def read_labels(text: str | None) -> tuple[str, ...]:
    """Return the class names in `text`: separated by commas, or one a line in the file that it names."""
    if not text:
        return ()
    file = Path(text)
    parts = file.read_text(encoding="utf-8").splitlines() if file.is_file() else text.split(",")
    return tuple(part.strip() for part in parts if part.strip())
