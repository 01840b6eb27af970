"""Why integers are slower here: only what this device's own runs support is said."""

from __future__ import annotations

import dataclasses

import pytest

from edgebench.records import OperatorTime, Result
from edgebench.results.derived import derive
from edgebench.results.rows import to_row, with_subjects
from edgebench.results.slower import slower_cells
from tests.make import make_result


def told(*results: Result) -> list[str]:
    return list(slower_cells(with_subjects([to_row(one) for result in results for one in derive(result)])))


def on(result: Result, **facts: object) -> Result:
    runs = tuple(dataclasses.replace(run, environment={**run.environment, **facts}) for run in result.runs)
    return dataclasses.replace(result, runs=runs)


FLOAT32 = on(make_result(latency_ms=2.0), xnnpack_partitions=1, operators_off_xnnpack="none")
INT8 = make_result(variant="tflite:int8", latency_ms=8.0)


def test_faster_or_overlapping_is_not_explained() -> None:
    assert told(FLOAT32, make_result(variant="tflite:int8", latency_ms=1.0)) == []
    assert told(FLOAT32, make_result(variant="tflite:int8", latency_ms=2.0)) == []
    assert told(FLOAT32, make_result(variant="tflite:float16", latency_ms=8.0)) == []
    assert told(INT8) == []
    assert told(FLOAT32, dataclasses.replace(INT8, emulated=True)) == []


def test_both_times_and_the_ratio_are_said() -> None:
    (text,) = told(FLOAT32, INT8)
    assert text.startswith("digits tflite:int8 on cpu takes 8.04 ms where float32 takes 2.01 ms, 4.0 times as long: ")
    assert "nothing measured here says why" in text and "the order may be the reverse" in text


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"cpu_features": "avx2 avx512f"}, "the processor has no instruction that adds 8-bit products at once"),
        ({"cpu_features": "asimd"}, "no instruction that adds 8-bit products"),
        ({"cpu_features": "asimd asimddp"}, "adds 8-bit products at once (asimddp), so it is not for want of that"),
        (
            {"xnnpack_partitions": 20, "operators_off_xnnpack": "19 HARD_SWISH"},
            "took the graph in 20 pieces where they took float32 in 1, and left 19 HARD_SWISH to the plain kernels",
        ),
    ],
)
def test_what_the_device_says_is_the_reason(facts: dict[str, object], words: str) -> None:
    (text,) = told(FLOAT32, on(INT8, **facts))
    assert words in text and "nothing measured" not in text


def test_what_belongs_to_a_precision_is_said_of_it_alone() -> None:
    (wide,) = told(FLOAT32, make_result(variant="tflite:int16x8", latency_ms=8.0))
    (dynamic,) = told(FLOAT32, make_result(variant="tflite:dynamic", latency_ms=8.0))
    assert "plain kernels for int16" in wide and "anew at every inference" not in wide
    assert "anew at every inference" in dynamic and "int16" not in dynamic


def test_conversions_have_their_share() -> None:
    times = (OperatorTime("a", "Conv", 600, "CPU"), OperatorTime("b", "QuantizeLinear", 400, "CPU"))
    runs = (*INT8.runs, dataclasses.replace(INT8.runs[0], kind="operators", operators=times, latency_ns=()))
    (text,) = told(FLOAT32, dataclasses.replace(INT8, runs=runs))
    assert "40.0% of its time goes into conversions" in text


def test_tiny_nets_pay_for_each_operator() -> None:
    (text,) = told(make_result(latency_ms=0.1), make_result(variant="tflite:int8", latency_ms=0.3))
    assert "the fixed cost of every operator" in text
