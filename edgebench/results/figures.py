"""The table of figures: of each its name, type, basis, unit, derivation, description and interval.

Everything that names figures reads it: the columns of report.csv, the glossary of the page, the names, intervals and
comparability of conditions. One more figure is one more field of one of the tables below, its function, and a test;
one more table is one more base of `Row`, before the others, so that its columns come last.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from edgebench.records import OK
from edgebench.results.contract_figures import ContractFigures
from edgebench.results.derived import Derived
from edgebench.results.drift_figures import DriftFigures
from edgebench.results.figure import Figure, figures_of
from edgebench.results.further_figures import FurtherFigures
from edgebench.results.label_set_figures import LabelSetFigures
from edgebench.results.training_figures import TrainingFigures


@dataclass(frozen=True)
class Row(LabelSetFigures, DriftFigures, TrainingFigures, FurtherFigures, ContractFigures):
    """One artifact on one device on one evaluation, as a reader compares it. None means not measured."""

    of: Derived = dataclasses.field(compare=False, repr=False, kw_only=True)  # the values behind it; not a figure

    def __hash__(self) -> int:
        """Return a hash of what tells rows apart, not of a hundred figures."""
        return hash((self.subject, self.variant, self.device, self.evaluation, self.latency_ms_median))

    @property
    def ok(self) -> bool:
        """Whether the cell was measured."""
        return self.status == OK

    @property
    def drop(self) -> tuple[float, float, float] | None:
        """What its verdict judges, with its interval: the drop of top-1, or of subset accuracy for sets of labels."""
        top1 = (self.top1_drop, self.top1_drop_low, self.top1_drop_high)
        value, low, high = top1 if self.top1_drop is not None else (
            self.subset_drop, self.subset_drop_low, self.subset_drop_high
        )  # fmt: skip
        return None if value is None or low is None or high is None else (value, low, high)

    @property
    def label(self) -> str:
        """Subject and variant."""
        return f"{self.subject} {self.variant}"


FIGURES: dict[str, Figure] = figures_of(Row)
COLUMNS = tuple(FIGURES)
