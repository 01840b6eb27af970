"""Requirements as limits of figures, for a chart to shade."""

import math

import pytest

from edgebench.expression import parse
from edgebench.results.feasible import Feasible, feasible
from edgebench.results.figures import FIGURES

INF = math.inf


@pytest.mark.parametrize(
    ("texts", "limits"),
    [
        (("latency_ms_p90 < 30",), {"latency_ms_p90": (-INF, 30.0)}),
        (("30 >= latency_ms_p90", "top1 > 0.9"), {"latency_ms_p90": (-INF, 30.0), "top1": (0.9, INF)}),
        (("latency_ms_p90 < 30", "latency_ms_p90 < 20 and size_bytes <= 1e6"),
         {"latency_ms_p90": (-INF, 20.0), "size_bytes": (-INF, 1e6)}),
        (("-0.01 < top1_drop < 0.01",), {"top1_drop": (-0.01, 0.01)}),
        ((), {}),
    ],
)  # fmt: skip
def test_plain_comparisons_are_limits(texts: tuple[str, ...], limits: dict[str, tuple[float, float]]) -> None:
    assert feasible([parse(text, frozenset(FIGURES)) for text in texts]) == Feasible(limits)


@pytest.mark.parametrize(
    "text",
    ["top1 > 0.9 or size_bytes < 5", "not top1 < 0.9", "size_bytes / 2 < 5", "format == 'onnx'", "top1 > top5",
     "top1 > 0.9 and format == 'onnx'", "emulated"],
)  # fmt: skip
def test_what_is_no_limit_is_named_and_sets_none(text: str) -> None:
    assert feasible([parse(text, frozenset(FIGURES))]) == Feasible({}, (text,))


def test_what_is_no_limit_leaves_those_after_it() -> None:
    texts = "format == 'onnx'", "top1 > 0.9", "emulated", "size_bytes < 5"
    found = feasible([parse(text, frozenset(FIGURES)) for text in texts])
    assert found == Feasible({"top1": (0.9, INF), "size_bytes": (-INF, 5.0)}, ("format == 'onnx'", "emulated"))
