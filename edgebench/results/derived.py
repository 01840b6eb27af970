"""Result -> what follows from its raw samples and counts, worked out once, as values. Everything else reads these."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from edgebench.measures.latency import LatencySummary, first_and_last, joules_per_image, latency_summary
from edgebench.measures.memory import MemorySummary, memory_summary
from edgebench.measures.outputs import unpack
from edgebench.measures.per_class import ClassLoss, class_losses
from edgebench.measures.robustness import Answers, Shift, extra_drop, extra_drop_on_others
from edgebench.measures.significance import Verdict
from edgebench.measures.stability import StabilityVerdict, stability
from edgebench.measures.stages import Stages, stages
from edgebench.measures.summary import AccuracySummary, verdicts_of
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
    class_losses: tuple[ClassLoss, ...] = ()
    extra_drop: Shift | None = None  # against the main set as it is; None for that one itself
    stages: Stages | None = None

    def class_name(self, index: int) -> str:
        """Return the name of a class, its number where it has none."""
        return class_name(self.result.artifact.labels, index)

    @property
    def counts(self) -> Accuracy | None:
        """The counts behind `accuracy`."""
        return self.evaluation.accuracy if self.evaluation else None


def derive(result: Result, alone: bool = True) -> tuple[Derived, ...]:
    """Return the figures of each evaluation of a result, or one without an evaluation where it has none.

    Not `alone` is for a report of thousands: `results.together` judges the evaluations of all, so they are not judged
    here one by one, and of the result that is kept the samples are gone: all that is derived from them is here.
    """
    latency = latency_summary(result.runs)
    where = conditions(result)
    judged = stability(result.runs, latency) if latency else None
    memory, joules, minutes = memory_summary(result.runs), joules_per_image(result.runs), first_and_last(result.runs)

    counted = [evaluation.accuracy for evaluation in result.evaluations if evaluation.accuracy]
    judgements = verdicts_of(counted, together=False) if alone else [Verdict()] * len(counted)
    verdicts = dict(zip(map(id, counted), judgements, strict=True))
    kept = result if alone else without_samples(result)

    def one(evaluation: Evaluation | None) -> Derived:
        counts = evaluation.accuracy if evaluation else None
        accuracy = accuracy_summary(counts, verdicts[id(counts)]) if counts else None
        classes = class_losses(counts.classes) if counts and counts.classes else ()
        extra = _extra_drop(result.evaluations[0], evaluation) if evaluation else None
        steps = stages_of(evaluation) if alone and evaluation else None
        measured = (latency, judged, memory, accuracy, minutes, joules)
        return Derived(kept, evaluation, where, *measured, classes, extra, steps)

    return tuple(one(evaluation) for evaluation in result.evaluations or (None,))


def without_samples(result: Result) -> Result:
    """Return the result with its runs, their environment and memory, but without one number for each timed call."""
    timed = (run.warmup_ns or run.latency_ns or run.invoke_ns or run.preprocess_ns for run in result.runs)
    runs = (
        dataclasses.replace(run, warmup_ns=(), latency_ns=(), invoke_ns=(), preprocess_ns=()) if samples else run
        for run, samples in zip(result.runs, timed, strict=True)
    )
    return dataclasses.replace(result, runs=tuple(runs))


def answers(counts: Accuracy | None) -> Answers | None:
    """Return which images artifact and reference have right; None without labels or reference."""
    if counts is None or not counts.right or not counts.reference_right:
        return None
    return Answers(unpack(counts.right, counts.images), unpack(counts.reference_right, counts.images))


def class_name(labels: Sequence[str], index: int) -> str:
    """Return the name of a class, its number where it has none."""
    return labels[index] if 0 <= index < len(labels) else str(index)


def _extra_drop(main: Evaluation, other: Evaluation) -> Shift | None:
    if other is main or main.perturbation:
        return None
    clean, changed = answers(main.accuracy), answers(other.accuracy)
    if clean is None or changed is None:
        return None
    assert main.accuracy and other.accuracy
    same = (main.data.sha256, main.accuracy.rows_sha256) == (other.data.sha256, other.accuracy.rows_sha256)
    if other.perturbation and same and len(clean.artifact) == len(changed.artifact):
        return extra_drop(clean, changed)
    return None if other.perturbation else extra_drop_on_others(clean, changed)


def stages_of(evaluation: Evaluation) -> Stages | None:
    """Return the steps that one result knows of; what the float32 artifact says is added by `results.together`."""
    found, counts = answers(evaluation.accuracy), evaluation.accuracy
    if found is None or counts is None or evaluation.perturbation:
        return None
    host = unpack(counts.host_right, counts.images) if counts.host_right else None
    return stages(found.reference, None, host, found.artifact)
