from __future__ import annotations

import pytest

from edgebench.errors import UsageError
from edgebench.expression import FALSE, TRUE, UNDECIDED, UNMEASURED, Quantity, Unmeasured, Value, exact, parse

VALUES: dict[str, Value] = {
    "drop": Quantity(0.02, 0.01, 0.03),
    "size": exact(100),
    "p99": Unmeasured("p99 is empty"),
    "status": "ok",
    "slower": FALSE,
}
NAMES = frozenset(VALUES)


@pytest.mark.parametrize(
    ("text", "decision"),
    [
        ("drop > 0.005", TRUE),
        ("drop > 0.04", FALSE),
        ("drop > 0.02", UNDECIDED),
        ("drop * 100 > 0.5", TRUE),
        ("-drop < -0.005", TRUE),
        ("size / 2 == 50", TRUE),
        ("99 < size <= 100", TRUE),
        ("p99 > 1", UNMEASURED),
        ("p99 > 1 or size > 99", TRUE),
        ("p99 > 1 and size > 100", FALSE),
        ("p99 > 1 or size > 100", UNMEASURED),
        ("not drop > 0.04", TRUE),
        ("not drop > 0.02", UNDECIDED),
        ("slower", FALSE),
        ("not slower", TRUE),
        ("status != 'ok'", FALSE),
        ("status > 1", UNMEASURED),
        ("size / (drop - 0.02) > 1", UNMEASURED),
    ],
)
def test_decisions(text: str, decision: str) -> None:
    assert parse(text, NAMES).decide(VALUES) == decision


@pytest.mark.parametrize(
    "text",
    [
        "",
        "drop >",
        "1 +",
        "drop + 1",
        "__import__('os').system('true')",
        "drop.real > 1",
        "[drop for drop in (1,)]",
        "(lambda: 1)() > 0",
        "drop ** 9999999 > 1",
        "f'{drop}' == 'x'",
        "drop > (1 if size else 2)",
        "drop[0] > 1",
        "drop is size",
        "(" * 300 + "drop" + ")" * 300,
        "drop > " + "1" * 2000,
        "drop > \0",
    ],
)
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse(text, NAMES)


def test_an_unknown_name_gets_a_hint() -> None:
    with pytest.raises(UsageError, match="did you mean drop"):
        parse("dorp > 1", NAMES)
