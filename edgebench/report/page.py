"""report.html: one file with everything in it, that opens from a disk and asks no network for anything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from edgebench import __version__
from edgebench.records import OK
from edgebench.report.charts import Drawn, charts, few
from edgebench.report.classes import class_details
from edgebench.report.content import Report
from edgebench.report.environments import environments, machines
from edgebench.report.flips import flip_cards, flipped
from edgebench.report.grid import FILTERS, grid, place_names
from edgebench.report.learning import learned
from edgebench.report.notes import general_notes
from edgebench.report.operators import operators
from edgebench.report.panels import COLOURS, SHAPES, Chart
from edgebench.report.plots.svg import STYLE
from edgebench.report.recommendation import recommendation_lines
from edgebench.report.versus import best_of_each
from edgebench.results.figures import FIGURES, Row
from edgebench.results.findings import Finding
from edgebench.units import count

LIMITS = {"most_cards": 6, "most_lines": 200, "most_open": 40, "most_blocks": 24}
LIMITS_OF_MANY = {"most_cards": 6, "most_lines": 60, "most_open": 40, "most_blocks": 8}
"""How much of each kind stands in the page: what is beyond is said, and is in the files beside it."""
MANY_DEVICES = 3


@dataclass(frozen=True)
class Highlights:
    """The findings of one subject under one set of conditions."""

    subject: str
    where: str
    findings: Sequence[Finding]


def html_text(report: Report, drawn: Drawn | None = None) -> str:
    """Return the page; `drawn` is what `few` leaves of `charts`. Every value is escaped, here or when drawn."""
    templates = Environment(
        loader=PackageLoader("edgebench.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    drawn = drawn or few(charts(report), len(report.rows))
    table = grid(report)
    limits = LIMITS_OF_MANY if table.large else LIMITS
    parts: dict[str, Any] = {
        "report": report,
        "verdicts": sorted(report.verdicts, key=lambda one: one.conditions.emulated),
        "recommended": _recommended(report),
        "highlights": _highlights(report),
        "grid": table,
        "charts": drawn.charts,
        "kinds": {chart.kind for chart in drawn.charts},
        "best_rows": _best_rows(report),
        "environments": environments(report.results, limits["most_blocks"]),
        "operators": operators(report.results),
        "learned": learned(report.results),
        "notes": list(general_notes(report.results, _main(report))),
        "measured": any(row.images for row in report.rows),
    }
    flips, classes = flipped(report.rows), [row for row in report.rows if row.of.counts and row.of.counts.classes]
    templates.filters["by_title"] = _by_title
    return templates.get_template("report.html.j2").render(
        **parts,
        **limits,
        version=__version__,
        title=_title(report),
        subtitle=_subtitle(report),
        places=_places(report, parts),
        flips=list(flip_cards(flips[: limits["most_blocks"]])),
        flip_count=len(flips),
        class_details=class_details(classes[: limits["most_blocks"]]),
        class_count=len(classes),
        machine_count=len(machines(report.results)),
        filters=FILTERS,
        several_subjects=len({row.subject for row in report.rows}) > 1,
        many_devices=len({row.device for row in report.rows}) > MANY_DEVICES,
        models=list(dict.fromkeys(row.model for row in report.rows)),
        colours={name: COLOURS[name] for name in COLOURS if any(row.precision == name for row in report.rows)},
        shapes=[name for name in SHAPES if any(row.format == name for row in report.rows)],
        descriptions=[(figure.name, figure.description) for figure in FIGURES.values()],
        undrawn=_undrawn(drawn.panels_left_out, drawn.groups_left_out),
        plot_style=Markup(STYLE),  # noqa: S704 (our own, and no data)
    )


def _by_title(found: Iterable[Chart]) -> list[tuple[str, list[Chart]]]:
    """Group charts by title in their order; Jinja's own filter sorts."""
    table: dict[str, list[Chart]] = {}
    for chart in found:
        table.setdefault(chart.title, []).append(chart)
    return list(table.items())


def _best_rows(report: Report) -> list[tuple[Row, str]]:
    """Return the file of each model that its verdict leads with, and where; the models of one place together."""
    places = place_names([group.conditions for group in report.groups])
    best = ((group, best_of_each(group, report.verdicts)) for group in report.groups)
    return [(row, places[group.conditions]) for group, rows in best for row in rows]


def _recommended(report: Report) -> list[tuple[str, bool, list[str]]]:
    """Return where, whether something meets the wish there, and its lines."""
    if report.wish is None:
        return []
    wish = report.wish
    return [
        (one.conditions.title, bool(one.chosen), list(recommendation_lines(one, wish)))
        for one in report.recommendations
    ]


def _undrawn(panels: int, groups: int) -> str:
    parts = [count(panels, "picture")] if panels else []
    parts += [f"those of {count(groups, 'set')} of conditions"] if groups else []
    return f"Not drawn here: {' and '.join(parts)}. Report fewer models or devices to see them." if parts else ""


def _places(report: Report, parts: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the sections that are there, as the page's navigation names them."""
    found = [
        ("recommended", "Requirements", parts["recommended"]),
        ("verdicts", "Verdict", parts["verdicts"]),
        ("comparable", "Not comparable", report.differences or report.replaced or report.rejected),
        ("models", "Models", "models" in parts["kinds"]),
        ("trade-offs", "Trade-offs", "tradeoff" in parts["kinds"]),
        ("results", "Results", parts["grid"].lines),
        *((section.key, section.title, True) for section in report.sections),
        ("speed", "Speed and memory", "bars" in parts["kinds"]),
        ("training", "Training", parts["learned"]),
        ("notes", "Notes", parts["notes"]),
        ("machines", "Machines", parts["environments"]),
        ("columns", "Columns", True),
    ]
    return [(place, name) for place, name, there in found if there]


def _main(report: Report) -> list[Row]:
    return list({id(row.of.result): row for row in reversed(report.rows)}.values())[::-1]


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
