"""Which file to ship: constructed results with a known answer, and advice that decides."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from edgebench.expression import Quantity, parse
from edgebench.measures.significance import paired_bounds
from edgebench.records import Result, Settings
from edgebench.results.advice import Advice, advise, growth
from edgebench.results.derived import derive
from edgebench.results.figures import FIGURES
from edgebench.results.recommend import Recommendation, Standing, Wish, recommend
from edgebench.results.rows import to_row
from tests.conftest import Command
from tests.make import make_accuracy, make_failed, make_result, write_results

NAMES = frozenset(FIGURES)
SMALL = {"size_bytes": 100_000}


def wish(*requirements: str, goal: str = "size_bytes", largest: bool = False) -> Wish:
    return Wish(tuple(parse(text, NAMES) for text in requirements), goal, largest)


def judged(
    results: list[Result], *requirements: str, goal: str = "size_bytes", largest: bool = False
) -> Recommendation:
    rows = [to_row(one) for result in results for one in derive(result)]
    (found,) = recommend(rows, wish(*requirements, goal=goal, largest=largest))
    return found


def chosen(found: Recommendation) -> list[str]:
    return [one.row.variant for one in found.chosen]


def standing(found: Recommendation) -> dict[str, str]:
    return {one.row.variant: one.standing.value for one in found.candidates}


FLOAT32 = make_result(latency_ms=2.0)
INT8 = make_result(variant="tflite:int8", latency_ms=1.0, artifact=SMALL)
LOSSY = make_result(variant="tflite:int8", latency_ms=1.0, artifact=SMALL, accuracy=make_accuracy(both=400, lost=80))
MAYBE = make_result(variant="tflite:int8", latency_ms=1.0, artifact=SMALL, accuracy=make_accuracy(both=475, lost=5))
SLOW = make_result(variant="tflite:int8", latency_ms=9.0, artifact=SMALL)
BROKEN = make_failed()
UNSEEN = dataclasses.replace(INT8, evaluations=())


@pytest.mark.parametrize(
    ("results", "requirements", "ship", "others"),
    [
        ([FLOAT32, INT8], (), ["tflite:int8"], {"tflite:float32": "meets"}),
        ([FLOAT32, INT8], ("size_bytes < 200000",), ["tflite:int8"], {"tflite:float32": "fails"}),
        ([FLOAT32, INT8], ("size_bytes > 200000",), ["tflite:float32"], {"tflite:int8": "fails"}),
        ([FLOAT32, LOSSY], ("top1_drop < 0.01",), ["tflite:float32"], {"tflite:int8": "fails"}),
        ([FLOAT32, MAYBE], ("top1_drop < 0.01",), ["tflite:float32"], {"tflite:int8": "undecided"}),
        ([FLOAT32, SLOW], ("latency_ms_median < 5",), ["tflite:float32"], {"tflite:int8": "fails"}),
        ([FLOAT32, SLOW], ("latency_ms_median < 1",), [], {"tflite:int8": "fails", "tflite:float32": "fails"}),
        ([FLOAT32, UNSEEN], ("top1_drop < 0.01",), ["tflite:float32"], {"tflite:int8": "undecided"}),
        ([FLOAT32, UNSEEN], (), ["tflite:int8"], {"tflite:float32": "meets"}),
        ([FLOAT32, BROKEN], (), ["tflite:float32"], {"onnx:int8": "fails"}),
        ([BROKEN], (), [], {"onnx:int8": "fails"}),
        ([FLOAT32, INT8], ("precision == 'float32'",), ["tflite:float32"], {"tflite:int8": "fails"}),
        ([FLOAT32, INT8], ("format == 'onnx'",), [], {"tflite:int8": "fails", "tflite:float32": "fails"}),
        ([FLOAT32, LOSSY], ("agreement > 0.95", "size_bytes < 1e9"), ["tflite:float32"], {"tflite:int8": "fails"}),
        ([FLOAT32, MAYBE], ("top1_drop < 0.01 or size_bytes < 200000",), ["tflite:int8"], {"tflite:float32": "meets"}),
        ([FLOAT32, MAYBE], ("not top1_drop >= 0.01",), ["tflite:float32"], {"tflite:int8": "undecided"}),
        ([FLOAT32, LOSSY], ("top1_drop < 0.01", "latency_ms_p99 < 1e9"), ["tflite:float32"], {"tflite:int8": "fails"}),
        ([LOSSY, SLOW], ("top1_drop < 0.01", "latency_ms_median < 5"), [], {"tflite:int8": "fails"}),
        ([FLOAT32, INT8], ("model == 'other'",), [], {"tflite:int8": "fails", "tflite:float32": "fails"}),
        ([FLOAT32, INT8], ("top1 > 0.9", "loss < 1"), ["tflite:int8"], {"tflite:float32": "meets"}),
    ],
)
def test_known_answers(
    results: list[Result], requirements: tuple[str, ...], ship: list[str], others: dict[str, str]
) -> None:
    found = judged(results, *requirements)
    assert chosen(found) == ship
    assert others.items() <= standing(found).items()
    for one in found.candidates:
        assert bool(one.reasons) == (one.standing is not Standing.MEETS)
        assert bool(one.advice) == (one.standing is Standing.UNDECIDED)


def test_what_cannot_be_told_apart_is_a_tie() -> None:
    alike = make_result(variant="onnx:float32", latency_ms=2.0)
    found = judged([FLOAT32, alike, SLOW], goal="latency_ms_median")
    assert sorted(chosen(found)) == ["onnx:float32", "tflite:float32"]
    assert chosen(judged([FLOAT32, INT8, SLOW], goal="size_bytes", largest=True)) == ["tflite:float32"]


def test_a_better_one_that_is_open_is_named() -> None:
    found = judged([FLOAT32, MAYBE], "top1_drop < 0.01")
    (one,) = found.open
    assert one.row.variant == "tflite:int8"
    (advice,) = one.advice
    assert "more images" in advice.words and advice.command.startswith("edgebench profile digits-int8.tflite --data")
    assert judged([FLOAT32, LOSSY], "top1_drop < 0.01").open == ()


def test_a_requirement_must_be_met_on_every_set_of_images() -> None:
    (main,) = INT8.evaluations
    shifted = dataclasses.replace(main.data, name="shifted", sha256="s" * 64)
    lossy = dataclasses.replace(main, data=shifted, accuracy=make_accuracy(both=400, lost=80))
    both = dataclasses.replace(INT8, evaluations=(main, lossy))
    found = judged([FLOAT32, both], "top1_drop < 0.01")
    assert (chosen(found), standing(found)) == (["tflite:float32"], {"tflite:float32": "meets", "tflite:int8": "fails"})
    assert found.candidates[1].reasons[0].startswith("on shifted: top1_drop < 0.01: top1_drop = 0.16 ")
    asked = judged([both], "top1_drop < 0.01", "evaluation == 'test'")
    assert [one.standing.value for one in asked.candidates] == ["meets", "fails"]


def test_devices_are_judged_apart_and_emulated_times_mean_nothing() -> None:
    there = make_result(latency_ms=900.0, device="virtual-pi", emulated=True)
    rows = [to_row(one) for result in (FLOAT32, there) for one in derive(result)]
    here, emulated = recommend(rows, wish("latency_ms_median < 5"))
    assert [one.row.device for one in here.chosen] == ["cpu"] and not emulated.chosen
    (open_one,) = emulated.open
    assert "on a real device" in open_one.advice[0].words


def advice_for(requirement: str, value: Quantity, name: str) -> Advice:
    row = to_row(derive(FLOAT32)[0])
    return advise(row, parse(requirement, NAMES), {name: value}, open_interval=True)


def test_growth_by_hand() -> None:
    # far off: the limit nearly at the end of the interval; a tenth of the way in takes hundreds
    assert growth(0.999) < growth(0.5) < growth(0.1) < growth(0.0)
    times = growth(0.0)  # P(|Z| sqrt(1 - 1/m) > z / sqrt(m)) = 0.9
    assert times == pytest.approx(1 + (1.959964 / 0.1256613) ** 2, rel=1e-4)


def test_the_cheapest_way_is_named() -> None:
    images = advice_for("top1_drop < 0.01", Quantity(0.005, -0.005, 0.02), "top1_drop")
    processes = advice_for("latency_ms_median < 2", Quantity(1.9, 1.7, 2.1), "latency_ms_median")
    assert "images" in images.words and "--data" in images.command and images.times is not None
    assert "processes" in processes.words and "--processes" in processes.command
    exact = advice_for("size_bytes < 5", Quantity(4.0, 4.0, 4.0), "size_bytes")
    assert exact.times is None


def test_following_the_advice_decides() -> None:
    """200 drops measured on 600 images; the undecided ones are measured again on as many more as was said."""
    generator = np.random.default_rng(3)
    decided = tried = 0
    while tried < 200:
        lost_rate, won_rate = 0.02 + generator.uniform(-0.015, 0.02), 0.02
        lost, won, _ = generator.multinomial(600, [lost_rate, won_rate, 1 - lost_rate - won_rate])
        low, high = (float(end) for end in paired_bounds(lost, won, 600))
        if not low <= 0.01 <= high:
            continue
        tried += 1
        times = advice_for("top1_drop < 0.01", Quantity((lost - won) / 600, low, high), "top1_drop").times
        assert times is not None
        more = int(600 * (times - 1))
        extra = generator.multinomial(more, [lost_rate, won_rate, 1 - lost_rate - won_rate])
        low, high = (float(end) for end in paired_bounds(lost + extra[0], won + extra[1], 600 + more))
        decided += not low <= 0.01 <= high
    assert decided >= 160


def test_the_command(tmp_path: Path, edgebench: Command) -> None:
    folder = write_results(tmp_path, [FLOAT32, MAYBE])
    done = edgebench("recommend", folder, "--require", "top1_drop < 0.01", "--minimise", "size_bytes")
    assert done.returncode == 0 and "Ship digits tflite:float32" in done.stdout and "more images" in done.stdout
    done = edgebench("recommend", folder, "--require", "size_bytes < 1", "--json")
    assert done.returncode == 1 and json.loads(done.stdout)[0]["chosen"] == []
    for arguments, message in (
        (("--require", "latency_ms_p9 < 3"), "or latency_ms_p90"),
        (("--minimise", "size_byte"), "did you mean size_bytes"),
        (("--minimise", "model"), "unknown name 'model'"),
        (("--device", "pi"), "no results of device 'pi': there are cpu"),
        (("--minimise", "loss", "--maximise", "top1"), "one of the two"),
    ):
        done = edgebench("recommend", folder, *arguments)
        assert done.returncode == 2 and message in done.stderr, done.stderr


def test_other_settings_are_other_conditions() -> None:
    rows = [to_row(derive(make_result(settings=Settings(threads=threads)))[0]) for threads in (1, 4)]
    assert [one.conditions.threads for one in recommend(rows, wish())] == [1, 4]


def test_an_open_one_that_would_be_no_better_is_not_named() -> None:
    larger = make_result(
        variant="onnx:int8", artifact={"size_bytes": 500_000}, accuracy=make_accuracy(both=475, lost=5)
    )
    equal = make_result(variant="onnx:int8", accuracy=make_accuracy(both=475, lost=5))
    for other in (larger, equal):
        assert judged([FLOAT32, other], "top1_drop < 0.01").open == ()
    assert len(judged([FLOAT32, larger], "top1_drop < 0.01", largest=True).open) == 1
    (alone,) = judged([larger], "top1_drop < 0.01").open
    assert alone.row.variant == "onnx:int8"


def test_a_throttled_one_is_open_until_it_is_measured_cool() -> None:
    facts = {"throttled_before": 0, "throttled_after": 4}
    hot = dataclasses.replace(
        INT8, runs=tuple(dataclasses.replace(r, environment={**r.environment, **facts}) for r in INT8.runs)
    )
    found = judged([FLOAT32, hot])
    assert chosen(found) == ["tflite:float32"] and standing(found)["tflite:int8"] == "undecided"
    (one,) = found.open
    assert one.reasons == ("throttled: throttled now",)
    cool = Advice("let the device cool down and measure again", "edgebench profile ARTIFACT --fresh", None)
    assert one.advice == (cool,)
    assert standing(judged([hot], "size_bytes < 1"))["tflite:int8"] == "fails"


def test_what_decides_is_shown() -> None:
    found = judged([LOSSY, BROKEN], "top1_drop < 0.01", "size_bytes < 1")
    reasons = {one.row.variant: one.reasons for one in found.candidates}
    assert reasons["onnx:int8"] == ("crashed: ",)
    drop, size = reasons["tflite:int8"]
    assert drop.startswith("top1_drop < 0.01: top1_drop = 0.16 (0.12") and size == "size_bytes < 1: size_bytes = 100000"
    bare = dataclasses.replace(INT8, runs=())
    (one,) = judged([bare], goal="latency_ms_median").candidates
    assert one.standing is Standing.UNDECIDED and one.reasons == (
        "latency_ms_median: not measured: latency_ms_median is empty",
    )
