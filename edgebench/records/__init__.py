"""The values that cross files and machines, all frozen, all plain JSON.

This package also runs on devices: standard library only, Python 3.9 syntax at run time. Counts are counts, times are
nanoseconds (`_ns`), sizes are bytes (`_bytes`); statistics are derived from these when they are read, never stored
in their place. The host reads them back with `edgebench.files.read_record`, which checks every type.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from edgebench.records.artifact import (
    Artifact,
    Calibration,
    Preprocessing,
    Source,
    TensorSpec,
)
from edgebench.records.measurement import (
    Job,
    OperatorTime,
    PhaseMemory,
    Run,
    Settings,
    job_from_dict,
)
from edgebench.records.result import (
    Accuracy,
    ClassCounts,
    Evaluation,
    EvaluationSet,
    Flips,
    Perturbation,
    Result,
)
from edgebench.records.training import (
    EpochRecord,
    PhaseRecord,
    Sample,
    TrainingRecord,
)
from edgebench.records.vocabulary import (
    CRASHED,
    FAILED,
    INDEPENDENT,
    LABEL_LOGITS,
    LOGITS,
    NAN,
    OK,
    PROBABILITIES,
    RECORD_VERSION,
    REFUSED,
    SCORES,
    STATUSES,
    TIMEOUT,
    Record,
    Scalar,
)

__all__ = [
    "CRASHED",
    "FAILED",
    "INDEPENDENT",
    "LABEL_LOGITS",
    "LOGITS",
    "NAN",
    "OK",
    "PROBABILITIES",
    "RECORD_VERSION",
    "REFUSED",
    "SCORES",
    "STATUSES",
    "TIMEOUT",
    "Accuracy",
    "Artifact",
    "Calibration",
    "ClassCounts",
    "EpochRecord",
    "Evaluation",
    "EvaluationSet",
    "Flips",
    "Job",
    "OperatorTime",
    "Perturbation",
    "PhaseMemory",
    "PhaseRecord",
    "Preprocessing",
    "Record",
    "Result",
    "Run",
    "Sample",
    "Scalar",
    "Settings",
    "Source",
    "TensorSpec",
    "TrainingRecord",
    "job_from_dict",
    "to_dict",
]


def to_dict(record: Any) -> dict[str, Any]:
    """Return the record as JSON-ready values (tuples become lists when written)."""
    return {name: _plain(value) for name, value in record.__dict__.items()}


def _plain(value: Any) -> Any:
    """Do what `dataclasses.asdict` does, which copies thousands of samples one by one: what cannot change is shared."""
    if isinstance(value, tuple):
        return value if not value or isinstance(value[0], (int, float, str)) else tuple(map(_plain, value))
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return to_dict(value) if dataclasses.is_dataclass(value) else value
