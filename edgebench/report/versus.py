"""Many models: the file of each that the verdict leads with, beside one another, and drawn against what they cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from edgebench.report.content import Group
from edgebench.report.panels import SHAPES, Chart, Panel, colour_of, hover, latency_title
from edgebench.report.plots import axes
from edgebench.report.plots.scatter import Field, Point, scatter
from edgebench.report.tradeoffs import SHARE_LEAST, Ends, Measure, accuracy_ends, accuracy_measure, latency_ends
from edgebench.results.figures import Row
from edgebench.results.verdict import ShipVerdict


@dataclass(frozen=True)
class Cost:
    """What a model costs: the title of its axis, the figure, and its interval."""

    title: str
    figure: Measure
    ends: Callable[[Row], Ends]


def best_of_each(group: Group, verdicts: Sequence[ShipVerdict]) -> list[Row]:
    """Return the row that the verdict leads with of every model of a group; empty with fewer than two models."""
    found = [one.choices[0].row for one in verdicts if one.conditions == group.conditions and one.choices]
    return found if len({row.subject for row in found}) > 1 else []


def model_charts(group: Group, verdicts: Sequence[ShipVerdict], several: bool) -> Iterator[Chart]:
    """Yield accuracy, then loss, against every cost that two models have: the best files named, the others faint."""
    best = best_of_each(group, verdicts)
    if not best or not group.ranked:
        return
    name, accuracy = accuracy_measure(group.rows)
    figures: list[tuple[str, Measure, Callable[[Row], Ends], bool]] = [
        (name, accuracy, accuracy_ends, False),
        ("loss", lambda row: row.loss, lambda _: None, True),
    ]
    for y_title, y, y_ends, lower in figures:
        panels = []
        for cost in _costs(group):
            field = Field(cost.title, y_title, axes.plain if lower else axes.share, SHARE_LEAST, lower)
            points = [*_points(group.rows, best, cost, y, y_ends)]
            if sum(not point.faint for point in points) > 1 and len({point.y for point in points}) > 1:
                title = f"Model against model: {y_title} against {cost.title}"
                panels.append(Panel(f"against {cost.title}", scatter(title, points, field)))
        if panels:
            better = "Down and to the left is better" if lower else "Up and to the left is better"
            yield Chart(
                "models",
                f"{y_title[0].upper()}{y_title[1:]}, model against model",
                group.conditions.title if several else "",
                f"{better}. Named: the file of each model that its verdict leads with; faint: its other files.",
                tuple(panels),
            )


def _costs(group: Group) -> Iterator[Cost]:
    yield Cost(latency_title(group), lambda row: row.latency_ms_median, latency_ends)
    yield Cost("size on disk, MB", lambda row: row.size_bytes and row.size_bytes / 1e6, lambda _: None)
    yield Cost("peak memory, MB", lambda row: row.peak_rss_bytes and row.peak_rss_bytes / 1e6, lambda _: None)
    yield Cost("training time, s", lambda row: row.training_ms and row.training_ms / 1e3, lambda _: None)


def _points(
    rows: Sequence[Row], best: Sequence[Row], cost: Cost, y: Measure, y_ends: Callable[[Row], Ends]
) -> Iterator[Point]:
    leading = {id(row) for row in best}
    subjects = {row.subject for row in best}
    for row in rows:
        across, height = cost.figure(row), y(row)
        if not row.ok or not across or across <= 0 or height is None or row.subject not in subjects:
            continue
        named = id(row) in leading
        yield Point(
            x=across,
            y=height,
            colour=colour_of(row),
            name=row.subject if named else "",
            words=hover(row),
            shape=SHAPES.get(row.format, "circle"),
            x_ends=cost.ends(row) if named else None,
            y_ends=y_ends(row) if named else None,
            faint=not named,
        )
