"""report.md: the comparison for a pull request, an issue or a wiki."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence

from edgebench.report.content import Group, Report
from edgebench.report.display import best_cells, columns
from edgebench.report.environments import environments
from edgebench.report.operators import operators
from edgebench.report.recommendation import recommendation_lines
from edgebench.report.section import Section
from edgebench.units import one_line

MOST_LINES = 24
"""What a screen of a pull request holds beside its own heading."""
SPECIAL = re.compile(r"([\\`*_\[\]|~#>])")


def markdown_text(report: Report) -> str:
    """Return report.md. Names and messages are escaped: they neither format nor link nor break a table."""
    return "\n".join(_lines(report)) + "\n"


def brief_text(report: Report) -> str:
    """Return what fits one screen of a pull request: what to ship, and the tables folded."""
    lines = [*_first(report)]
    if len(lines) > MOST_LINES:
        lines[MOST_LINES:] = [f"- and {len(lines) - MOST_LINES} more lines in report.md"]
    measured = sum(row.ok for row in report.rows)
    lines += [f"\n<details><summary>{measured} measured, {len(report.rows) - measured} failed</summary>"]
    for group in report.groups:
        lines += _group(group)
    failed = [f"{row.label} on {row.device}: {row.status}: {row.reason}" for row in report.rows if not row.ok]
    return "\n".join([*lines, *_bullets("Failed", failed), "\n</details>"]) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield "# edgebench report"
    if not report.rows:
        yield "\nNo results yet. Run `edgebench profile` on some artifacts, then make this report again."
    yield from _first(report)
    if report.findings:
        yield "\n## What stands out\n"
        for found in report.findings:
            where = f"{plain(found.subject)} on {plain(found.conditions.title)}"
            what = f"{found.title}: **{plain(found.variant)}**, {found.figure}"
            yield f"- {where}: {what}" + (f" ({plain(found.text)})" if found.text else "")
    if report.differences:
        yield "\n## Not everything here is comparable\n"
        for item in report.differences:
            values = "; ".join(f"{plain(value)} ({plain(who)})" for value, who in item.values)
            yield f"- {plain(item.scope)}, {plain(item.field)}: {values}: {item.effect}"
    if report.groups:
        yield "\n## Results"
    for group in report.groups:
        yield from _group(group)
    for section in report.sections:
        yield from _section(section)
    yield from _bullets("Failed", [f"{r.label} on {r.device}: {r.status}: {r.reason}" for r in report.rows if not r.ok])
    for table in operators(report.results):
        lines = [" · ".join(filter(None, row)) for row in table.rows]
        yield from _bullets(f"Operators of {plain(table.title)}", (*lines, *table.remarks))
    yield from _bullets("Notes", report.notes)
    yield from _bullets("Left out", (*report.replaced, *report.rejected))
    for place in environments(report.results):
        facts = [f"{name}: {value}" for name, value in place.lines]
        yield from _bullets(f"Measured on {plain(place.device)}", facts)


def _first(report: Report) -> Iterator[str]:
    """Yield the recommendation, where one was asked for, else the verdict on every model."""
    if report.wish is not None:
        yield "\n## What to ship"
        for found in report.recommendations:
            yield f"\n### {plain(found.conditions.title)}\n"
            yield from (f"- {plain(line)}" for line in recommendation_lines(found, report.wish))
    elif report.verdicts:
        yield "\n## What to ship\n"
        for verdict in report.verdicts:
            where = f"{plain(verdict.subject)} on {plain(verdict.conditions.title)}"
            paths = ", ".join(plain(choice.path) for choice in verdict.choices if choice.path)
            yield f"- {where}: **{plain(verdict.sentence)}**{f' ({paths})' if paths else ''}"
            yield from (f"  - {plain(caveat)}" for caveat in verdict.caveats)


def _group(group: Group) -> Iterator[str]:
    measured = [row for row in group.rows if row.ok]
    if not measured:
        return
    shown = columns(measured)
    best = best_cells(measured)
    yield f"\n### {plain(group.conditions.title)}\n"
    yield _line(["Model", "Variant", *(column.title for column in shown)])
    yield _line([":--", ":--", *("--:" if column.numeric else ":--" for column in shown)])
    for row in measured:
        cells = [_marked(column.text(row), (row, column.field) in best) for column in shown]
        yield _line([plain(row.subject), plain(row.variant), *cells])
    if best:
        yield "\nBold: the best of its model under these conditions, or not told apart from it."


def _section(section: Section) -> Iterator[str]:
    yield f"\n## {plain(section.title)}\n\n{plain(section.caption)}"
    for table in section.tables:
        yield f"\n### {plain(table.title)}\n" if table.title else ""
        yield _line(table.head)
        yield _line([":--"] * len(table.head))
        for at, line in enumerate(table.lines):
            yield _line([_marked(cell, (at, place) in table.marked) for place, cell in enumerate(line)])


def plain(text: str) -> str:
    """Return untrusted text so that Markdown shows it as it is, on one line."""
    return SPECIAL.sub(r"\\\1", html.escape(one_line(text), quote=False).replace("&gt;", ">"))


def _marked(text: str, best: bool) -> str:
    return f"**{plain(text)}**" if best and text else plain(text)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _bullets(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield f"\n## {title}\n"
        yield from (f"- {plain(line)}" for line in lines)
