"""Whether this machine has the memory that a conversion takes: said before the system kills it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import psutil

FIXED_BYTES = 1.3e9
"""TensorFlow, loaded and warm."""
COPIES = {"savedmodel": 3, "tflite": 9, "onnx": 12}
"""Copies of a Keras model's float32 weights at the peak of each format (`python -m benchmarks.conversion_memory`)."""
GROUPS = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"), Path("/sys/fs/cgroup/memory/memory.usage_in_bytes")),
)
"""What a container may use and uses, by either version of control groups."""


def available() -> int:
    """Return the bytes that a new process can have: the machine's, or what is left to this container."""
    free = psutil.virtual_memory().available
    for limit, used in GROUPS:
        try:
            free = min(free, int(limit.read_text()) - int(used.read_text()))
        except (OSError, ValueError):  # none of that version, or no limit: `max`
            continue
    return free


def shortage(converter: str, formats: Iterable[str], parameters: int, free: int) -> str:
    """Return one line where a conversion needs more than `free` bytes; empty where it does not, or nobody knows."""
    copies = max((COPIES[kind] for kind in formats if kind in COPIES), default=0)
    needs = FIXED_BYTES + copies * 4 * parameters
    if converter != "keras" or not copies or needs <= free:
        return ""
    return (
        f"converting it takes about {needs / 1e9:.1f} GB of memory and {free / 1e9:.1f} GB are free: the system may "
        "kill it; free some, or convert it on a larger machine"
    )
