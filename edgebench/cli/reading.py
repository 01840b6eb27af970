"""The figures of docs/reading.md, from their table: `python -m edgebench.cli.reading docs/reading.md`."""

from __future__ import annotations

import sys
from pathlib import Path

from edgebench.results.figures import FIGURES

HEAD = "## Every figure\n"
ABOUT = """
The columns of `report.csv` and the names in `--fail-if` and `--require`. Written by `make docs`.
"depends on" is what must be equal before two of them are compared.

| figure | unit | depends on | |
| --- | --- | --- | --- |
"""


def page(text: str) -> str:
    """Return the page with its last part, from its heading on, written anew."""
    return text.partition(HEAD)[0] + HEAD + ABOUT + "".join(_lines())


def _lines() -> list[str]:
    return [
        f"| `{one.name}` | {one.unit.value} | {one.basis.value} | {one.description.replace('|', '&#124;')} |\n"
        for one in FIGURES.values()
    ]


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(page(file.read_text(encoding="utf-8")), encoding="utf-8")
