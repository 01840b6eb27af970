"""Everything a report says, worked out once; each output only writes it down."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from edgebench.measures.significance import MARGIN
from edgebench.records import Result
from edgebench.report.corruption import corruption_section
from edgebench.report.drift_sections import class_section, pair_section, set_section, verdict_section
from edgebench.report.notes import notes
from edgebench.report.section import Section
from edgebench.report.throughput import throughput_section
from edgebench.results.conditions import Conditions, Difference, differences, newest_only
from edgebench.results.corruption import Curve, curves
from edgebench.results.derived import derive
from edgebench.results.feasible import Feasible, feasible
from edgebench.results.figures import Row
from edgebench.results.findings import Finding, findings
from edgebench.results.recommend import Recommendation, Wish, recommend
from edgebench.results.rows import with_subjects
from edgebench.results.together import by_conditions, rows_together
from edgebench.results.verdict import ShipVerdict, ship_verdicts


@dataclass(frozen=True)
class Group:
    """Rows measured under equal conditions: only these are ranked against one another."""

    conditions: Conditions
    rows: tuple[Row, ...]

    @property
    def ranked(self) -> bool:
        """Whether its times may be compared at all."""
        return not self.conditions.emulated

    @property
    def subjects(self) -> dict[str, tuple[Row, ...]]:
        """The rows of each subject, in order of appearance."""
        table: dict[str, list[Row]] = {}
        for row in self.rows:
            table.setdefault(row.subject, []).append(row)
        return {subject: tuple(rows) for subject, rows in table.items()}


@dataclass(frozen=True)
class Report:
    """The comparison of a set of results."""

    created: str  # ISO 8601, UTC
    results: tuple[Result, ...]  # in the order of the rows, which are one an evaluation
    rows: tuple[Row, ...]
    groups: tuple[Group, ...]
    verdicts: tuple[ShipVerdict, ...]  # which file to ship, a subject and set of conditions each
    recommendations: tuple[Recommendation, ...]  # what meets the wish, one a set of conditions; none without a wish
    findings: tuple[Finding, ...]
    differences: tuple[Difference, ...]
    replaced: tuple[str, ...]  # results left out because a newer one is here, in words
    rejected: tuple[str, ...]  # files that could not be read, in words
    notes: tuple[str, ...]
    sections: tuple[Section, ...] = ()  # on drift: tables of text
    curves: tuple[Curve, ...] = ()  # accuracy by severity of each artifact
    wish: Wish | None = None

    @property
    def feasible(self) -> Feasible:
        """Between which ends the wish wants the figures; nothing without one."""
        return feasible(self.wish.requirements if self.wish else ())

    @property
    def met(self) -> bool:
        """Whether something meets the wish somewhere, or nothing was wished."""
        return self.wish is None or any(found.chosen for found in self.recommendations)


def build_report(
    results: Iterable[Result], rejected: Sequence[str] = (), margin: float = MARGIN, wish: Wish | None = None
) -> Report:
    """Merge results: the newest of equal ones, grouped by what may be compared, with findings and differences.

    `margin` is what counts as a drop: the verdicts tell it apart from none. With a `wish`, what meets it is said.
    Results are taken one by one and kept without their samples; `rejected` is read when the last has come.
    """
    derived = {id(found[0].result): found for found in (derive(result, alone=False) for result in results)}
    kept, replaced = newest_only(found[0].result for found in derived.values())
    rows = tuple(with_subjects(rows_together([one for result in kept for one in derived[id(result)]], margin)))
    found = tuple(curves(rows))
    groups = tuple(Group(where, tuple(mine)) for where, mine in by_conditions(_unperturbed(rows)).items())
    return Report(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        results=tuple(kept),
        rows=rows,
        groups=groups,
        verdicts=tuple(one for group in groups for one in ship_verdicts(group.conditions, group.rows)),
        recommendations=tuple(recommend(rows, wish) if wish else ()),
        findings=tuple(found for group in groups for found in findings(group.conditions, group.rows)),
        differences=differences(kept),
        replaced=tuple(_left_out(result) for result in replaced),
        rejected=tuple(rejected),
        notes=tuple(notes(kept, _main(rows), [group.rows for group in groups])),
        sections=tuple(_sections(_unperturbed(rows), found)),
        curves=found,
        wish=wish,
    )


def _sections(rows: Sequence[Row], found: Sequence[Curve]) -> Iterator[Section]:
    measured = [row for row in rows if row.ok]
    for make in (throughput_section, verdict_section, class_section, set_section, pair_section):
        section = make(measured)
        if section:
            yield section
    if found:
        yield corruption_section(found)


def _main(rows: Sequence[Row]) -> list[Row]:
    """Return one row a result: what does not hang on the images is said once."""
    return list({id(row.of.result): row for row in reversed(rows)}.values())[::-1]


def _unperturbed(rows: Sequence[Row]) -> list[Row]:
    """Return what tables and charts show: of a result that was perturbed, too, only the images as they are."""
    plain = {id(row.of.result) for row in rows if not row.perturbation}
    return [row for row in rows if not row.perturbation or id(row.of.result) not in plain]


def _left_out(result: Result) -> str:
    return (
        f"{result.artifact.label} on {result.device}, {result.created or 'undated'}: "
        "a newer result of the same measurement is shown in its place"
    )
