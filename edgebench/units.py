"""Numbers as people read them. The only place where base units become text; None becomes an empty string."""

from __future__ import annotations

import math
from collections.abc import Sequence


def significant(value: float, digits: int = 3) -> str:
    """Return `value` with `digits` significant digits and never an exponent: 0.0123, 1.23, 12.3, 1234."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    rounded = float(f"{value:.{digits}g}")  # 99.96 is 100, not 100.0
    decimals = max(digits - 1 - math.floor(math.log10(abs(rounded))), 0)
    return f"{value:.{decimals}f}"


def milliseconds(value_ms: float | None) -> str:
    """Return milliseconds with their unit, in microseconds below a tenth, in seconds from ten seconds on."""
    if value_ms is None:
        return ""
    if abs(value_ms) < 0.1:
        return f"{significant(value_ms * 1000)} µs"
    return f"{significant(value_ms / 1000)} s" if abs(value_ms) >= 10_000 else f"{significant(value_ms)} ms"


Scales = Sequence[tuple[str, float, float]]
"""Units, each with its size in base units and the least base units that are told in it."""
TIMES: Scales = (("s", 1000.0, 10_000.0), ("ms", 1.0, 0.1), ("µs", 0.001, 0.0))
SIZES: Scales = (("GB", 1e9, 1e9), ("MB", 1e6, 1e6), ("kB", 1e3, 1e3), ("B", 1.0, 0.0))
ENERGIES: Scales = (("J", 1.0, 1.0), ("mJ", 0.001, 0.0))


def common(values: Sequence[float], scales: Scales) -> tuple[str, float]:
    """Return the unit that suits the middle one of values which stand in one column, and its size."""
    middle = sorted(abs(value) for value in values)[len(values) // 2]
    return next((unit, scale) for unit, scale, least in scales if middle >= least)


def millijoules(value_joules: float | None) -> str:
    """Return joules in mJ."""
    return "" if value_joules is None else f"{significant(value_joules * 1000)} mJ"


def per_second(value: float | None) -> str:
    """Return a rate without its unit."""
    return "" if value is None else significant(value)


def size(value_bytes: float | None) -> str:
    """Return bytes in kB, MB or GB, powers of ten as file managers and shops count them."""
    if value_bytes is None:
        return ""
    if abs(value_bytes) < 1000:
        return f"{value_bytes:.0f} B"
    unit, scale = next((u, s) for u, s in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)) if abs(value_bytes) >= s)
    return f"{significant(value_bytes / scale)} {unit}"


def percent(share: float | None, decimals: int = 1) -> str:
    """Return a share 0..1 in percent."""
    return "" if share is None else f"{100 * share:.{decimals}f}%"


def points(share: float | None, decimals: int = 1) -> str:
    """Return a signed difference of two shares in percentage points, without the unit."""
    if share is None:
        return ""
    text = f"{100 * share:+.{decimals}f}"
    return text if float(text) else f"{0:.{decimals}f}"


def ratio(value: float) -> str:
    """Return a ratio as `1.7x`."""
    return f"{significant(value, 2)}x"


def duration(seconds: float) -> str:
    """Return a time that people wait: 40 s, 12 min, 3.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{significant(seconds / 3600, 2)} h"


def count(number: int, noun: str, plural: str = "") -> str:
    """Return `1 image`, `2 images`."""
    return f"{number} {noun}" if number == 1 else f"{number} {plural or noun + 's'}"


def one_line(text: str) -> str:
    """Return untrusted text as one printable line: control characters, escape sequences' too, become spaces."""
    if text.isprintable() and "  " not in text and text == text.strip():
        return text  # as most texts are
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
