"""The words of the record files: version, statuses, kinds of output, and the strictness they are read back with."""

from __future__ import annotations

from typing import Any, ClassVar, Union

RECORD_VERSION = 2
"""History: 1 = the first; 2 = a result has several evaluations."""

OK = "ok"
FAILED = "failed"  # could not be made, or broke in a way nothing below names
REFUSED = "refused"  # the runtime would not load or invoke it
CRASHED = "crashed"  # the process died of a signal
TIMEOUT = "timeout"
NAN = "nan"  # outputs that are not finite numbers
STATUSES = (OK, FAILED, REFUSED, CRASHED, TIMEOUT, NAN)

LOGITS = "logits"
PROBABILITIES = "probabilities"  # never negative, every row sums to one
SCORES = "scores"  # in 0..1 and not summing to one: independent sigmoids
LABEL_LOGITS = "label logits"  # of independent labels: a sigmoid of each is its probability
INDEPENDENT = (SCORES, LABEL_LOGITS)
"""Kinds of a multi-label model: each output is a label of its own, and none, one or several hold for an image."""

Scalar = Union[str, int, float, bool, None]


class Record:
    """What every record is: read back from JSON, a field too many or of another type is an error."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "strict": True}
