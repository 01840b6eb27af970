"""Records of an older version -> the current one, as plain JSON values."""

from __future__ import annotations

from typing import Any

OLDEST_VERSION = 1
"""The oldest version that is still read: artifacts, jobs and runs of version 1 are as they are now."""


def upgrade_result(old: dict[str, Any]) -> dict[str, Any]:
    """Return a result of version 1, which had one evaluation in three fields, as one of version 2."""
    new = {key: value for key, value in old.items() if key not in ("evaluation", "accuracy", "outputs")}
    data, accuracy = old.get("evaluation"), old.get("accuracy")
    asked = data is not None or accuracy is not None  # counts without their set are no valid record, and stay none
    one = {"data": data, "accuracy": accuracy, "perturbation": None, "outputs": old.get("outputs", "")}
    return {**new, "evaluations": [one] if asked else [], "version": 2}
