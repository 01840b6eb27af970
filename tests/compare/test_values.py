"""Ratios and changes of two sides with their intervals, in worked examples."""

import dataclasses
import math

import pytest

from edgebench.compare.gates import Outcome
from edgebench.compare.junit import to_junit
from edgebench.compare.pairs import Pair, changed_environment, pair
from edgebench.compare.values import _change, _ratio, difference_of, values_of
from edgebench.expression import FALSE, TRUE, UNDECIDED, Quantity, Unmeasured, exact
from edgebench.records import Settings
from edgebench.results.derived import derive
from tests.make import MACHINE, make_accuracy, make_result, make_run


def side(medians, facts=None, started=None, **changes):
    """One process a median; each takes its turn at second `started` of its minute."""
    runs = [
        make_run(
            tuple(m + n for n in range(-20, 20)),
            r,
            environment={**MACHINE, **(facts or {})},
            started="" if started is None else f"2026-11-21T00:{r:02}:{started:02}+00:00",
        )
        for r, m in enumerate(medians)
    ]
    made = make_result(settings=changes.pop("settings", Settings()), **changes)
    (derived,) = derive(dataclasses.replace(made, runs=tuple(runs)))
    return derived


SLOW = side([2_000_000 + 1000 * n for n in range(10)])
FAST = side([1_000_000 + 1000 * n for n in range(10)])


def test_a_change_combines_both_reaches():
    found = _change(Quantity(0.9, 0.87, 0.92), Quantity(0.95, 0.91, 0.98))
    assert (found.value, found.low, found.high) == pytest.approx(
        (-0.05, -0.05 - math.hypot(0.03, 0.03), -0.05 + math.hypot(0.02, 0.04)), rel=1e-12
    )


def test_a_ratio_combines_them_on_logarithms():
    found = _ratio(Quantity(30.0, 24.0, 33.0), Quantity(10.0, 8.0, 11.0))
    below = math.hypot(math.log(30 / 24), math.log(11 / 10))
    above = math.hypot(math.log(33 / 30), math.log(10 / 8))
    assert (found.value, found.low, found.high) == pytest.approx(
        (3.0, 3 * math.exp(-below), 3 * math.exp(above)), rel=1e-12
    )
    assert _ratio(exact(6.0), exact(3.0)) == exact(2.0)
    assert _ratio(exact(-6.0), exact(3.0)) == exact(-2.0)
    assert _ratio(exact(0.0), exact(0.0)) == Unmeasured("the baseline is zero")
    assert _ratio(Quantity(1.0, 0.0, 2.0), exact(1.0)) == Unmeasured("an interval that holds zero has no ratio")


def test_the_latencies_of_both_sides_together():
    values = values_of(Pair("x", FAST, SLOW))
    assert (values["slower"], values["faster"]) == (TRUE, FALSE)
    ratio, rate = values["latency_ms_median_ratio"], values["images_per_second_ratio"]
    assert 1.98 < ratio.low < ratio.value < ratio.high < 2.02
    assert (rate.value, rate.low, rate.high) == (1 / ratio.value, 1 / ratio.high, 1 / ratio.low)
    assert values["latency_ms_median"].value == SLOW.latency.median_ns / 1e6
    assert values["latency_ms_median_baseline"].value == FAST.latency.median_ns / 1e6
    back = values_of(Pair("x", SLOW, FAST))
    assert (back["slower"], back["faster"]) == (FALSE, TRUE)
    same = values_of(Pair("x", FAST, FAST))
    assert (same["slower"], same["faster"]) == (FALSE, FALSE)


def test_noise_that_was_not_shared_decides_nothing():
    noisy = side([2_000_000 + 1000 * n for n in range(10)], {"others_cpu_cores": 1.5})
    for pair_ in (Pair("x", FAST, noisy), Pair("x", noisy, FAST)):
        found = difference_of(pair_)
        assert found.ratio.low <= 1 <= found.ratio.high and found.reason == "noisy, and not measured in turn"
        assert values_of(pair_)["slower"] == values_of(pair_)["faster"] == UNDECIDED
    busy = {"others_cpu_cores": 1.5}
    turns = [side([m + 1000 * n for n in range(10)], busy, s) for m, s in ((10**6, 0), (2 * 10**6, 9))]
    found = difference_of(Pair("x", *turns))
    assert found.paired and found.word == "slower" and found.reason == ""


def test_what_is_missing_is_unmeasured():
    new = values_of(Pair("x", None, FAST))
    assert new["top1_baseline"] == new["top1_change"] == new["slower"] == Unmeasured("missing in the baseline")
    bare = values_of(Pair("x", FAST, side([])))
    assert (
        bare["slower"]
        == bare["latency_ms_median_ratio"]
        == Unmeasured("no process measured on one side: nothing shows what another would say")
    )
    failed = values_of(Pair("x", side([], status="crashed"), FAST))
    assert failed["faster"] == Unmeasured("not measured")
    steady = values_of(Pair("x", *[side([10**6 + n for n in range(8)], settings=Settings(rate_hz=9.0))] * 2))
    assert steady["images_per_second_ratio"] == Unmeasured("images_per_second is empty")
    assert isinstance(steady["latency_ms_median_ratio"], Quantity)


def test_accuracy_and_size():
    old = side([], accuracy=make_accuracy(500, lost=5, won=2, both=480), artifact={"size_bytes": 100})
    new = side([], accuracy=make_accuracy(500, lost=9, won=3, both=476), artifact={"size_bytes": 25})
    values = values_of(Pair("x", old, new))
    assert values["size_bytes_ratio"] == exact(0.25) and values["size_bytes_change"] == exact(-75)
    assert values["top1_drop"].value == pytest.approx(6 / 500)
    assert values["top1_change"].value == pytest.approx(-3 / 500)
    assert values["top1_drop_baseline"].value == pytest.approx(3 / 500)


def test_what_changed_in_the_environment():
    old = side([10**6], {"kernel": "6.1", "governor": "ondemand", "load_1m": 0.1, "python": "3.11"})
    new = side([10**6], {"kernel": "6.6", "governor": "ondemand", "load_1m": 3.0})
    assert changed_environment(Pair("x", old, new)) == {"kernel": ("6.1", "6.6")}
    assert changed_environment(Pair("x", None, new)) == changed_environment(Pair("x", old, None)) == {}
    runs = tuple(dataclasses.replace(run, runtime_version="9.9") for run in new.result.runs)
    (newer,) = derive(dataclasses.replace(new.result, runs=runs))
    assert changed_environment(Pair("x", new, newer)) == {"runtime version": ("2.3.0", "9.9")}


def test_cells_are_paired_in_order_and_what_only_one_has_stands_alone():
    one, two, three = (make_result(variant=v) for v in ("tflite:float32", "tflite:int8", "onnx:int8"))
    found = pair([one, two], [two, three])
    there = [(one.baseline is not None, one.candidate is not None) for one in found]
    assert there == [(True, False), (True, True), (False, True)]
    assert [p.complete for p in found] == [False, True, False]
    lone = pair([one], [three])
    assert len(lone) == 1 and lone[0].complete and lone[0].name.startswith("digits onnx:int8")


def test_junit_has_a_case_a_gate():
    outcomes = [
        Outcome("a\x00", "slower", True, "false", "fine\ufffe\t"),
        Outcome("b", "x > 1", False, "true", "x = 2"),
    ]
    assert to_junit(outcomes).decode().split("\n", 1)[1] == (
        '<testsuite name="edgebench compare" tests="2" failures="1">'
        '<testcase classname="a" name="fail if slower"><system-out>fine\t</system-out></testcase>'
        '<testcase classname="b" name="fail if x &gt; 1"><failure message="x = 2">x = 2</failure></testcase>'
        "</testsuite>"
    )
