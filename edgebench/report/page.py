"""report.html: one file with everything in it, that opens from a disk and asks no network for anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from edgebench import __version__
from edgebench.records import OK
from edgebench.report.charts import charts
from edgebench.report.classes import class_details
from edgebench.report.content import Group, Report
from edgebench.report.display import Column, best_cells, columns, real_drop, shaky
from edgebench.report.environments import environments
from edgebench.report.flips import flip_cards
from edgebench.report.learning import learned
from edgebench.report.operators import operators
from edgebench.report.panels import COLOURS, SHAPES, Chart
from edgebench.results.figures import FIGURES, Row
from edgebench.results.findings import Finding
from edgebench.units import count


@dataclass(frozen=True)
class Table:
    """The table of one set of conditions, as the template walks it."""

    group: Group
    columns: Sequence[Column]
    best: set[tuple[Row, str]]
    unstable: Sequence[tuple[Row, str]]  # and why
    several_subjects: bool


@dataclass(frozen=True)
class Highlights:
    """The findings of one subject under one set of conditions."""

    subject: str
    where: str
    findings: Sequence[Finding]


def html_text(report: Report) -> str:
    """Return the page. Every value is escaped by the template; only our own script and style are not."""
    templates = Environment(
        loader=PackageLoader("edgebench.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    drawn = charts(report)
    return templates.get_template("report.html.j2").render(
        version=__version__,
        report=report,
        title=_title(report),
        subtitle=_subtitle(report),
        highlights=_highlights(report),
        tables=[_table(group) for group in report.groups],
        charts=[(chart, _figures(chart)) for chart in drawn],
        colours={name: COLOURS[name] for name in COLOURS if any(row.precision == name for row in report.rows)},
        shapes=[name for name in SHAPES if any(row.format == name for row in report.rows)],
        environments=environments(report.results),
        operators=operators(report.results),
        learned=learned(report.results),
        flips=flip_cards(report.rows),
        class_details=class_details(report.rows),
        real_drop=real_drop,
        descriptions=[(figure.name, figure.description) for figure in FIGURES.values()],
        kinds={chart.kind for chart in drawn},
        measured=any(row.images for row in report.rows),
        plotly=Markup(get_plotlyjs()) if drawn else "",  # noqa: S704 (Plotly's own file, not data)
    )


def _figures(chart: Chart) -> list[Markup]:
    """Figures as JSON in which `<`, `>` and `/` are already escaped for use inside a script element."""
    return [Markup(panel.figure) for panel in chart.panels]  # noqa: S704


def _table(group: Group) -> Table:
    measured = [row for row in group.rows if row.ok]
    shown = [column for column in columns(measured) if column.field != "stability"]  # too long for a cell
    unstable = [(row, row.stability) for row in measured if shaky(row)]
    return Table(group, shown, best_cells(group.rows), unstable, len(group.subjects) > 1)


def _highlights(report: Report) -> list[Highlights]:
    table: dict[tuple[str, str], list[Finding]] = {}
    for finding in report.findings:
        table.setdefault((finding.subject, finding.conditions.title), []).append(finding)
    return [Highlights(subject, where, found) for (subject, where), found in table.items()]


def _title(report: Report) -> str:
    models = list(dict.fromkeys(row.model for row in report.rows))
    devices = list(dict.fromkeys(row.device for row in report.rows))
    return f"{_and(models, 'models')} on {_and(devices, 'devices')}"


def _and(names: Sequence[str], noun: str) -> str:
    if len(names) > 3:
        return f"{len(names)} {noun}"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else f"no {noun}"


def _subtitle(report: Report) -> str:
    failed = sum(result.status != OK for result in report.results)
    images = sorted({row.images for row in report.rows if row.images})
    days = sorted({row.created[:10] for row in report.rows if row.created})
    parts = [count(len(report.results), "result"), f"{failed} failed" if failed else ""]
    parts += [f"{' to '.join(str(n) for n in dict.fromkeys((images[0], images[-1])))} images"] if images else []
    parts += [f"measured {' to '.join(dict.fromkeys((days[0], days[-1])))}"] if days else []
    return " · ".join(part for part in parts if part)
