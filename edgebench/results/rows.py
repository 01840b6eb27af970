"""Result -> Rows: one flat line of figures an evaluation, the lines of report.csv."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from edgebench.results.derived import Derived
from edgebench.results.figures import FIGURES, Row

_TELL_APART = {"source": "source_sha256", "images": "evaluation_sha256", "pixels": "pixels_sha256"}


def to_row(derived: Derived) -> Row:
    """Lay the figures of one evaluation side by side."""
    return Row(**{name: figure.derive(derived) for name, figure in FIGURES.items()}, of=derived)


def values(row: Row) -> dict[str, object]:
    """Return the figures of a row as JSON values."""
    return {name: getattr(row, name) for name in FIGURES}


def with_subjects(rows: Sequence[Row]) -> list[Row]:
    """Tell rows of one model name apart where they come from two sources or were judged on two sets of images.

    Only rows of one subject are compared in accuracy. A row that knows no source or images joins the model's first.
    """
    known: dict[tuple[str, str], dict[str, None]] = {}  # model and column -> its values, in order of appearance
    for row in rows:
        for column in (*_TELL_APART.values(), "evaluation"):
            if getattr(row, column):
                known.setdefault((row.model, column), {})[getattr(row, column)] = None
    subjects = [_subject(row, known) for row in rows]
    return [
        row if row.subject == subject else dataclasses.replace(row, subject=subject)
        for row, subject in zip(rows, subjects, strict=True)
    ]


def _follows_the_images(model: str, known: dict[tuple[str, str], dict[str, None]]) -> bool:
    """Whether each set of images was given in one size only, so that its pixels tell nothing more apart."""
    return len(known[model, "pixels_sha256"]) == len(known.get((model, "evaluation_sha256"), ()))


def _subject(row: Row, known: dict[tuple[str, str], dict[str, None]]) -> str:
    parts = []
    for word, column in _TELL_APART.items():
        all_known = list(known.get((row.model, column), ()))
        named = word == "images" and len(known.get((row.model, "evaluation"), ())) == len(all_known)
        if len(all_known) > 1 and named:
            parts.append(row.evaluation or next(iter(known[row.model, "evaluation"])))
        elif len(all_known) > 1 and not (word == "pixels" and _follows_the_images(row.model, known)):
            parts.append(f"{word} {(getattr(row, column) or all_known[0])[:8]}")
    perturbation = row.of.evaluation.perturbation if row.of.evaluation else None
    parts += [perturbation.label] if perturbation else []
    return f"{row.model} ({', '.join(parts)})" if parts else row.model
