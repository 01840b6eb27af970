"""What corruption costs, and what quantisation costs on top of it: a section of the report."""

from __future__ import annotations

from collections.abc import Sequence

from edgebench.report.drift_sections import artifact_name, shift_text
from edgebench.report.section import Section, TextTable
from edgebench.results.corruption import Curve, corruption_errors
from edgebench.units import percent

MOST = 6  # lines of either sort on a terminal


def corruption_section(found: Sequence[Curve]) -> Section:
    """Lay the kinds of perturbation beside one another, one line an artifact and kind, below the mean errors."""
    lines, marked = [], set()
    for at, curve in enumerate(found):
        pairs = zip(curve.top1, curve.severities, strict=True)
        known = [share for share, severity in pairs if share is not None and severity]
        mean = percent(sum(known) / len(known)) if known else ""
        levels = " ".join(f"{severity:g}" for severity in curve.severities)
        lines.append((artifact_name(curve.row), curve.kind, levels, mean, shift_text(curve.extra_drop)))
        marked |= {(at, 4)} if curve.extra_is_real else set()
    errors = corruption_errors(found)
    summary = tuple(
        (
            artifact_name(one.row),
            str(one.kinds),
            percent(one.mean),
            "" if one.relative is None else f"{one.relative:.3f}",
        )
        for one in errors
    )
    tables = (
        TextTable("Mean corruption error", ("Artifact", "Kinds", "Mean error", "Over the source model's"), summary),
        TextTable(
            "Kind by kind",
            ("Artifact", "Kind", "Severities", "Mean top-1", "Extra change, points"),
            tuple(lines),
            frozenset(marked),
        ),
    )
    real = [curve for curve in found if curve.extra_is_real]
    return Section(
        "corruption",
        "Under corruption",
        "The extra change is what the artifact loses against the source model under the perturbation, less what it "
        "loses on the same images as they are: the part that is quantisation's own. Its 95 % interval is paired, image "
        "by image; marked is what stays real with Holm's adjustment over all lines.",
        tables,
        tuple(f"{line[0]}: mean error {line[2]} over {line[1]} kinds" for line in summary[:MOST])
        + tuple(
            f"{artifact_name(c.row)} loses more under {c.kind}: {shift_text(c.extra_drop)} points" for c in real[:MOST]
        ),
    )
