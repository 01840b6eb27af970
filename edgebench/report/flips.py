"""flips.csv and the page's thumbnails: every image that flipped, the surest first."""

from __future__ import annotations

import base64
import binascii
import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgebench.records import Flips
from edgebench.report.drift_sections import artifact_name
from edgebench.results.derived import class_name
from edgebench.results.figures import Row

HEAD = (
    *("model", "variant", "device", "evaluation", "image", "label", "source_model", "source_model_confidence"),
    *("artifact", "artifact_confidence", "direction"),
)
SHOWN = 12
PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class FlipCard:
    """One flip as the page shows it. `thumbnail` is a data URL, empty where there is none."""

    name: str
    label: str
    reference: str
    artifact: str
    thumbnail: str


def flips_csv(rows: Sequence[Row]) -> str:
    """Return flips.csv: one line an image and artifact."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(HEAD)
    for row in rows:
        flips = _flips(row)
        for at in range(len(flips.names)) if flips else ():
            assert flips is not None
            writer.writerow([_no_formula(cell) for cell in (*_where(row), *_line(flips, at))])
    return stream.getvalue()


def flip_cards(rows: Sequence[Row]) -> Iterator[tuple[str, int, list[FlipCard]]]:
    """Yield for every artifact with flips its name, their number and the surest few."""
    for row in flipped(rows):
        flips = _flips(row)
        assert flips
        yield artifact_name(row), len(flips.names), list(_cards(flips))


def flipped(rows: Sequence[Row]) -> list[Row]:
    """Return the rows with flips."""
    return [row for row in rows if (flips := _flips(row)) and flips.names]


def direction(label: int, reference: int, artifact: int) -> str:
    """Say which way an image flipped."""
    if label < 0:
        return "to another class"
    if label == reference:
        return "right to wrong"
    return "wrong to right" if label == artifact else "wrong to other wrong"


def _flips(row: Row) -> Flips | None:
    return row.of.evaluation.flips if row.of.evaluation else None


def _where(row: Row) -> tuple[str, ...]:
    return (row.model, row.variant, row.device, row.evaluation)


def _line(flips: Flips, at: int) -> tuple[str, ...]:
    def name(index: int) -> str:
        return class_name(flips.classes, index) if index >= 0 else ""

    return (
        flips.names[at],
        name(flips.labels[at]),
        name(flips.reference[at]),
        f"{flips.reference_confidence[at]:.6g}",
        name(flips.artifact[at]),
        f"{flips.artifact_confidence[at]:.6g}",
        direction(flips.labels[at], flips.reference[at], flips.artifact[at]),
    )


def _cards(flips: Flips) -> Iterator[FlipCard]:
    for at in range(min(SHOWN, len(flips.names))):
        name, label, reference, theirs, artifact, own, _ = _line(flips, at)
        yield FlipCard(
            name,
            label,
            f"{reference} {float(theirs):.0%}",
            f"{artifact} {float(own):.0%}",
            _data_url(flips.thumbnails[at]) if at < len(flips.thumbnails) else "",
        )


def _data_url(text: str) -> str:
    """Return a PNG as a data URL; what is none (results may come from anywhere) is left out."""
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return ""
    return f"data:image/png;base64,{text}" if content.startswith(PNG) else ""


def _no_formula(text: str) -> str:
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
