import dataclasses

from edgebench.records import Accuracy, Calibration, EvaluationSet
from edgebench.report.content import build_report
from edgebench.report.display import best_cells
from tests.make import make_accuracy, make_failed, make_result, make_study


def found(results) -> dict[str, tuple[str, str, str]]:
    return {item.kind: (item.variant, item.figure, item.text) for item in build_report(results).findings}


def test_the_headline_names_the_best_and_what_it_costs():
    float32 = make_result(latency_ms=2.0, artifact={"size_bytes": 400_000})
    dynamic = make_result(variant="tflite:dynamic", latency_ms=1.0, memory_mb=50.0, artifact={"size_bytes": 100_000})
    items = found([float32, dynamic])
    words = "top-1 96.0%, as the source model (no drop above 1%)"
    variant, figure, text = items["fastest"]
    assert (variant, figure) == ("tflite:dynamic", "1.00 ms")
    assert text == f"2.0x as fast as tflite:float32; {words}"
    assert items["smallest_kept"] == ("tflite:dynamic", "100 kB", f"25% of tflite:float32; {words}")
    assert items["lightest"] == ("tflite:dynamic", "50.0 MB", "10.0 MB of it the model's")
    assert set(items) == {"fastest", "smallest_kept", "lightest"}


def test_a_real_drop_is_said_and_the_best_without_one_stands_beside_it():
    lossy = make_result(
        variant="tflite:int8",
        latency_ms=0.5,
        artifact={"size_bytes": 90_000},
        accuracy=make_accuracy(both=400, lost=60),
    )
    items = found([make_result(), lossy])
    assert items["fastest"][0] == items["smallest"][0] == "tflite:int8"
    assert "-12.0 points" in items["fastest"][2] and "(real drop)" in items["smallest"][2]
    assert items["fastest_kept"][0] == items["smallest_kept"][0] == "tflite:float32"


def test_overlapping_intervals_are_not_ranked():
    items = found([make_result(), make_result(variant="onnx:float32")])
    assert items["fastest"][2].startswith("not told apart from ")
    rows = build_report([make_result(), make_result(variant="onnx:float32")]).rows
    assert {(row.variant, field) for row, field in best_cells(rows) if field == "latency_ms_median"} == {
        ("tflite:float32", "latency_ms_median"),
        ("onnx:float32", "latency_ms_median"),
    }


def test_memory_is_not_ranked_finer_than_it_is_measured():
    items = found([make_result(memory_mb=60.0), make_result(variant="onnx:float32", memory_mb=61.5)])
    assert items["lightest"] == (
        "tflite:float32",
        "60.0 MB",
        "20.0 MB of it the model's; not told apart from onnx:float32",
    )
    slow = make_result(variant="onnx:float32", latency_ms=164.0, memory_mb=59.6)
    assert found([make_result(memory_mb=60.0), slow])["lightest"][0] == "tflite:float32"
    slow = make_result(variant="onnx:float32", latency_ms=164.0, memory_mb=50.0, artifact={"size_bytes": 90})
    items = found([make_result(memory_mb=60.0), slow])
    assert items["lightest"][2].endswith("; 82x the time of tflite:float32")
    assert items["smallest_kept"][2].startswith("82x the time of tflite:float32; ")
    items = found([make_result(memory_mb=60.0), make_result(variant="onnx:float32", memory_mb=62.5)])
    assert items["lightest"][2] == "20.0 MB of it the model's"


def test_failed_and_lonely_cells_win_nothing():
    assert found([make_result(), make_failed()]) == {}


def test_an_emulated_latency_is_never_ranked():
    emulated = [make_result(emulated=True), make_result(variant="tflite:dynamic", emulated=True, latency_ms=0.1)]
    assert set(found(emulated)) == {"smallest_kept"}
    report = build_report(make_study())
    marked = best_cells(report.rows)
    assert not any(row.emulated and field != "size_bytes" for row, field in marked)
    assert any("emulator's" in note for note in report.notes)


def notes(results) -> str:
    return "\n".join(build_report(results).notes)


def test_integers_slower_than_float32_are_explained():
    slow = make_result(variant="tflite:int8", latency_ms=8.0)
    assert "takes 8.04 ms where float32 takes 2.01 ms" in notes([make_result(), slow])
    assert "times as long" not in notes([make_result(), make_result(variant="tflite:int8")])


def test_random_calibration_is_said():
    calibration = Calibration("random", 0, "ab" * 32, 0)
    text = notes([make_result(variant="tflite:int8", artifact={"calibration": calibration})])
    assert "Calibrated on random values, not on images: digits tflite:int8." in text


def test_missing_reference_labels_images_and_quiet_are_said():
    unlabelled = EvaluationSet("photos", "a" * 64, "b" * 64, 10, 10, False, ("x.png: truncated", "y.png: empty"))
    result = make_result(
        accuracy=Accuracy(images=10, reference_reason="the source model is gone"), evaluation=unlabelled
    )
    text = notes([result])
    assert "No drift against the source model: the source model is gone" in text
    assert "The evaluation set photos has no labels" in text
    assert "2 images could not be read and are not counted: x.png: truncated, y.png: empty" in text
    shaky = make_result()
    runs = tuple(
        dataclasses.replace(run, latency_ns=tuple(ns * (1 + run.repetition) for ns in run.latency_ns))
        for run in shaky.runs
    )
    assert "1 of 1 latency on cpu is noisy: digits tflite:float32. The reasons are given as stability" in notes(
        [dataclasses.replace(shaky, runs=runs)]
    )


def test_no_images_at_all_is_said_once():
    text = notes([dataclasses.replace(make_result(), evaluations=())])
    assert text.count("Accuracy was not measured") == 1
