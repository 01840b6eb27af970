"""Result -> what follows from its raw samples and counts, worked out once, as values. Everything else reads these."""

from __future__ import annotations

from dataclasses import dataclass

from edgebench.measures.latency import LatencySummary, first_and_last, joules_per_image, latency_summary
from edgebench.measures.memory import MemorySummary, memory_summary
from edgebench.measures.stability import StabilityVerdict, stability
from edgebench.measures.summary import AccuracySummary
from edgebench.measures.summary import summary as accuracy_summary
from edgebench.records import Accuracy, Evaluation, Result
from edgebench.results.conditions import Conditions, conditions


@dataclass(frozen=True)
class Derived:
    """One result and one of its evaluations; None where not measured. What does not hang on images is shared."""

    result: Result
    evaluation: Evaluation | None
    conditions: Conditions
    latency: LatencySummary | None
    stability: StabilityVerdict | None
    memory: MemorySummary | None
    accuracy: AccuracySummary | None
    minutes_ns: tuple[float, float] | None  # median latency of the first and the last minute of a sustained run
    joules_per_image: float | None

    @property
    def counts(self) -> Accuracy | None:
        """The counts behind `accuracy`."""
        return self.evaluation.accuracy if self.evaluation else None


def derive(result: Result) -> tuple[Derived, ...]:
    """Return the figures of each evaluation of a result, or one without an evaluation where it has none."""
    latency = latency_summary(result.runs)
    where = conditions(result)
    judged = stability(result.runs, latency) if latency else None
    memory, joules, minutes = memory_summary(result.runs), joules_per_image(result.runs), first_and_last(result.runs)

    def one(evaluation: Evaluation | None) -> Derived:
        counts = evaluation.accuracy if evaluation else None
        accuracy = accuracy_summary(counts) if counts else None
        return Derived(result, evaluation, where, latency, judged, memory, accuracy, minutes, joules)

    return tuple(one(evaluation) for evaluation in result.evaluations or (None,))
