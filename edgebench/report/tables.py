"""report.csv and report.json: for programs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd
from pydantic_core import to_json

from edgebench import __version__
from edgebench.records import Evaluation
from edgebench.report.classes import class_values
from edgebench.report.content import Report
from edgebench.report.recommendation import recommendation_value, verdict_value
from edgebench.report.section import Section
from edgebench.results.conditions import environment
from edgebench.results.derived import Derived
from edgebench.results.figure import Unit
from edgebench.results.figures import COLUMNS, FIGURES, Row
from edgebench.results.rows import values

REPORT_VERSION = 2
"""Version of report.json. History: 1 = the first; 2 = one row an evaluation, a result has several `evaluations`."""

INTEGERS = [figure.name for figure in FIGURES.values() if figure.integer]
TEXTS = [figure.name for figure in FIGURES.values() if figure.unit is Unit.TEXT]


def frame(rows: Sequence[Row]) -> pd.DataFrame:
    """Return one line an evaluation, in the order of `COLUMNS`; what was not measured is missing, never zero."""
    table = pd.DataFrame([values(row) for row in rows], columns=list(COLUMNS))
    return table.astype(dict.fromkeys(INTEGERS, "Int64"))


def csv_text(report: Report) -> str:
    """Return report.csv. Text that a spreadsheet would run as a formula is kept from it by a leading apostrophe."""
    table = frame(report.rows)
    table[TEXTS] = table[TEXTS].map(_no_formula)
    return table.to_csv(index=False, lineterminator="\n")


def json_text(report: Report) -> str:
    """Return report.json: the rows, what they were derived from without the raw samples, and every caveat."""
    return b"".join(json_parts(report)).decode()


def json_parts(report: Report) -> Iterator[bytes]:
    """Yield report.json piece by piece, one line an item: of thousands of results it is large. Not a number is null."""
    before = b"{"
    for key, value in _value(report).items():
        yield before + b'\n"%s": ' % key.encode()
        if isinstance(value, Iterator):
            yield b"["
            for at, item in enumerate(value):
                yield (b",\n" if at else b"\n") + _json(item)
            yield b"]"
        else:
            yield _json(value)
        before = b","
    yield b"\n}\n"


def _json(value: Any) -> bytes:
    return to_json(value, inf_nan_mode="null")  # knows records, and is ten times as fast as `json`


def _value(report: Report) -> dict[str, object]:
    return {
        "version": REPORT_VERSION,
        "edgebench": __version__,
        "created": report.created,
        "rows": map(values, report.rows),
        "results": map(_result, {id(row.of.result): row.of for row in report.rows}.values()),
        "verdicts": [verdict_value(verdict) for verdict in report.verdicts],
        "recommendations": [recommendation_value(one, report.wish) for one in report.recommendations if report.wish],
        "findings": iter(report.findings),
        "differences": iter(report.differences),
        "replaced": iter(report.replaced),
        "rejected": iter(report.rejected),
        "notes": iter(report.notes),
        "sections": map(_section, report.sections),
        "classes": class_values(report.rows),
    }


def _section(section: Section) -> dict[str, object]:
    tables = [
        {"title": t.title, "head": list(t.head), "lines": [list(line) for line in t.lines]} for t in section.tables
    ]
    return {"key": section.key, "title": section.title, "caption": section.caption, "tables": tables}


def _result(derived: Derived) -> dict[str, object]:
    result, latency = derived.result, derived.latency
    return {
        "artifact": result.artifact,
        "device": result.device,
        "runtime": result.runtime,
        "status": result.status,
        "reason": result.reason,
        "settings": result.settings,
        "evaluations": [_without_pictures(evaluation) for evaluation in result.evaluations],
        "latency": latency,
        "memory": [phase for run in result.runs for phase in run.memory],
        "environment": environment(result),
        "emulated": result.emulated,
        "created": result.created,
    }


def _without_pictures(evaluation: Evaluation) -> Evaluation:
    """Return it without the thumbnails of flips, most of its size: flips.csv names the images, the page shows them."""
    if evaluation.flips is None or not evaluation.flips.thumbnails:
        return evaluation
    return dataclasses.replace(evaluation, flips=dataclasses.replace(evaluation.flips, thumbnails=()))


def _no_formula(text: str) -> str:
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
