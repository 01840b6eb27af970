"""report.csv and report.json: for programs."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

import pandas as pd

from edgebench import __version__
from edgebench.records import to_dict
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
    parts = (f"{json.dumps(key)}: {_lines(value)}" for key, value in json_value(report).items())
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _lines(value: Any) -> str:
    """Return JSON with one line an item: thousands of results are written in seconds, and a reader can still search."""
    if not isinstance(value, list) or not value:
        return json.dumps(value, allow_nan=False)
    return "[\n" + ",\n".join(json.dumps(item, allow_nan=False) for item in value) + "\n]"


def json_value(report: Report) -> dict[str, Any]:
    """Return the report as JSON values."""
    return {
        "version": REPORT_VERSION,
        "edgebench": __version__,
        "created": report.created,
        "rows": [values(row) for row in report.rows],
        "results": [_result(derived) for derived in {id(row.of.result): row.of for row in report.rows}.values()],
        "verdicts": [verdict_value(verdict) for verdict in report.verdicts],
        "recommendations": [recommendation_value(one, report.wish) for one in report.recommendations if report.wish],
        "findings": [dataclasses.asdict(finding) for finding in report.findings],
        "differences": [dataclasses.asdict(difference) for difference in report.differences],
        "replaced": list(report.replaced),
        "rejected": list(report.rejected),
        "notes": list(report.notes),
        "sections": [_section(section) for section in report.sections],
        "classes": class_values(report.rows),
    }


def _section(section: Section) -> dict[str, Any]:
    tables = [
        {"title": t.title, "head": list(t.head), "lines": [list(line) for line in t.lines]} for t in section.tables
    ]
    return {"key": section.key, "title": section.title, "caption": section.caption, "tables": tables}


def _result(derived: Derived) -> dict[str, Any]:
    result, latency = derived.result, derived.latency
    return {
        "artifact": to_dict(result.artifact),
        "device": result.device,
        "runtime": result.runtime,
        "status": result.status,
        "reason": result.reason,
        "settings": to_dict(result.settings),
        "evaluations": [to_dict(evaluation) for evaluation in result.evaluations],
        "latency": dataclasses.asdict(latency) if latency else None,
        "memory": [to_dict(phase) for run in result.runs for phase in run.memory],
        "environment": environment(result),
        "emulated": result.emulated,
        "created": result.created,
    }


def _no_formula(text: str) -> str:
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
