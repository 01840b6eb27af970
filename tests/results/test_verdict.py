"""The sentence at the top: which file to ship, what it gains, what the others cost, and what is not decided."""

import dataclasses

from edgebench.records import Result
from edgebench.report.content import build_report
from edgebench.results.verdict import Answer, ShipVerdict
from tests.make import make_accuracy, make_failed, make_result, make_run, make_set

SURE = make_accuracy(images=5000, both=4900)
LOSSY = make_accuracy(images=5000, both=4800, lost=100)
FLOAT = make_result(accuracy=SURE)
INT8 = make_result(variant="tflite:int8", latency_ms=1.0, artifact={"size_bytes": 156_000}, accuracy=SURE)


def verdict(*results: Result) -> ShipVerdict:
    (found,) = build_report(results).verdicts
    return found


def int8(latency_ms: float, size_bytes: int, **changes) -> Result:
    values = {"accuracy": SURE, **changes}
    return make_result(variant="tflite:int8", latency_ms=latency_ms, artifact={"size_bytes": size_bytes}, **values)


def test_what_is_best_in_everything_is_shipped():
    found = verdict(FLOAT, INT8)
    assert found.sentence == "Ship tflite:int8: 2.0x as fast as tflite:float32, 39% of the size, no drop above 1%."
    assert (found.answer, found.ties, found.caveats) == (Answer.SHIP, (), ())
    assert [choice.path for choice in found.choices] == ["digits-int8.tflite"]


def test_a_file_that_nothing_beats_is_shipped_in_figures():
    assert verdict(FLOAT, make_failed()).sentence == "Ship tflite:float32: 2.01 ms, 400 kB, no drop above 1%."


def test_what_cannot_be_told_apart_is_a_tie_and_what_is_a_little_slower_is_none():
    onnx = make_result(variant="onnx:float32", accuracy=SURE)
    assert verdict(FLOAT, onnx).ties == ("tflite:float32",)
    slower = make_result(variant="onnx:float32", latency_ms=2.1, accuracy=SURE)
    found = verdict(FLOAT, slower)
    assert (found.answer, found.choices[0].name, found.ties) == (Answer.SHIP, "tflite:float32", ())


def test_a_smaller_slower_file_is_named_with_its_price():
    found = verdict(FLOAT, int8(4.0, 100_000, memory_mb=90.0))
    assert found.sentence == (
        "It depends: tflite:float32: 2.01 ms, 400 kB, no drop above 1%; or tflite:int8, against the first "
        "2.0x the time, 25% of the size, 30.0 MB more memory, no drop above 1%."
    )
    assert found.answer is Answer.DEPENDS


def test_what_nobody_would_pay_is_not_offered():
    assert verdict(FLOAT, int8(164.0, 350_000)).answer is Answer.SHIP  # 82 times slower for 50 kB
    assert verdict(FLOAT, int8(2.5, 380_000)).answer is Answer.SHIP  # 5 % smaller is no reason
    assert verdict(FLOAT, int8(1.0, 100_000, accuracy=make_accuracy(5000, lost=900, both=4000))).answer is Answer.SHIP


def test_a_real_loss_is_a_price():
    found = verdict(FLOAT, int8(1.0, 156_000, accuracy=LOSSY))
    assert found.choices[0].name == "tflite:float32"
    assert found.choices[1].words == "2.0x as fast, 39% of the size, loses 2.0 points (1.6 to 2.4)"
    assert verdict(int8(1.0, 156_000, accuracy=LOSSY)).sentence == (
        "Every file loses accuracy, the least tflite:int8: 1.00 ms, 156 kB, loses 2.0 points (1.6 to 2.4)."
    )


def test_an_undecided_drop_is_said_with_the_images_that_decide():
    maybe = int8(1.0, 100_000, accuracy=make_accuracy(images=500, both=475, lost=5))
    found = verdict(FLOAT, maybe)
    assert found.answer is Answer.DEPENDS and found.choices[0].name == "tflite:float32"
    assert "drop undecided (500 images leave room for a drop of 2.0%" in found.choices[1].words
    assert found.choices[1].words.endswith("more images would decide it)")


def test_few_images_decide_nothing_and_the_safest_stands_beside_the_fastest():
    found = verdict(
        make_result(accuracy=make_accuracy(images=100, both=95)),
        int8(1.0, 100_000, accuracy=make_accuracy(images=100, both=92, lost=3)),
    )
    assert found.answer is Answer.OPEN
    assert [choice.name for choice in found.choices] == ["tflite:int8", "tflite:float32"]
    assert found.sentence.startswith("Not decided, so far tflite:int8: 2.0x as fast as tflite:float32")


def test_what_is_named_as_safer_is_no_tie_as_well():
    few, more = make_accuracy(images=20, both=19), make_accuracy(images=100, both=95)
    found = verdict(
        make_result(accuracy=few, artifact={"size_bytes": 399_000}),
        make_result(variant="savedmodel:float32", accuracy=more),
    )
    assert len(found.choices) == 2 and found.ties == ()


def test_without_images_nothing_is_said_of_accuracy():
    found = verdict(*(dataclasses.replace(result, evaluations=()) for result in (FLOAT, INT8)))
    assert found.answer is Answer.OPEN
    assert found.choices[0].words == "2.0x as fast as tflite:float32, 39% of the size, accuracy not measured"
    assert found.caveats == ("edgebench profile --data with labelled images shows what each file loses",)


def test_emulated_times_are_not_compared():
    found = verdict(*(dataclasses.replace(one, device="pi", emulated=True) for one in (FLOAT, int8(900.0, 156_000))))
    assert found.sentence == "Ship tflite:int8: 39% of the size of tflite:float32, no drop above 1%."
    assert found.caveats == ("emulated: judged by accuracy and size alone, times there mean nothing",)


def test_a_throttled_device_decides_nothing():
    hot = {"environment": {**make_run().environment, "throttle_events": 7}}
    throttled = [dataclasses.replace(run, **hot) for run in INT8.runs]
    found = verdict(FLOAT, dataclasses.replace(INT8, runs=tuple(throttled)))
    assert found.answer is Answer.OPEN and "throttled" in found.caveats[0]


def test_a_loss_on_another_set_is_a_caveat():
    (main,) = INT8.evaluations
    shifted = dataclasses.replace(make_set(images=5000), name="shifted", sha256="s" * 64)
    other = dataclasses.replace(main, data=shifted, accuracy=LOSSY)
    found = build_report([FLOAT, dataclasses.replace(INT8, evaluations=(main, other))]).verdicts[0]
    assert found.caveats == ("tflite:int8 loses 2.0 points (1.6 to 2.4) on shifted",)


def test_two_runtimes_of_one_variant_are_told_apart():
    found = verdict(INT8, dataclasses.replace(INT8, runtime="tflite-runtime"))
    assert (found.choices[0].name, found.ties) == ("tflite:int8 (litert)", ("tflite:int8 (tflite-runtime)",))


def test_where_every_cell_failed_there_is_nothing():
    assert verdict(make_failed()).sentence == "Nothing to ship: no file ran here."
