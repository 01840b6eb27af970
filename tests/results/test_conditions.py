import dataclasses
from dataclasses import replace

from edgebench.records import Calibration, EvaluationSet, Preprocessing, Result, Source
from edgebench.report.content import build_report
from edgebench.results.conditions import differences, newest_only
from tests.make import MACHINE, PROTOCOL, digest, make_accuracy, make_failed, make_result, make_study


def named(*results: Result) -> list[tuple[str, str, list[str]]]:
    return [(d.scope, d.field, [value for value, _ in d.values]) for d in differences(results)]


def on_machine(cpu: str, **changes) -> Result:
    result = make_result(**changes)
    environment = {**MACHINE, "cpu": cpu}
    return dataclasses.replace(
        result, runs=tuple(dataclasses.replace(run, environment=environment) for run in result.runs)
    )


def with_version(result: Result, version: str) -> Result:
    runs = tuple(dataclasses.replace(run, runtime_version=version) for run in result.runs)
    return dataclasses.replace(result, runs=runs)


def test_one_study_in_itself_has_no_differences():
    assert differences([result for result in make_study() if result.device == "cpu"]) == ()


def test_every_difference_names_the_field_and_both_values():
    base = make_result()
    other_set = make_result(evaluation=EvaluationSet("night", "cd" * 32, digest("pixelsdigits"), 500, 10, True))
    other_rule = make_result(artifact={"preprocessing": Preprocessing("keras:mobilenet_v2", scale=0.5)})
    cases = {
        ("all results", "threads"): (make_result(settings=replace(PROTOCOL, threads=4)), ["1", "4"]),
        ("all results", "batch"): (make_result(settings=replace(PROTOCOL, batch=8)), ["1", "8"]),
        ("all results", "min seconds"): (make_result(settings=replace(PROTOCOL, min_seconds=9.0)), ["1.0", "9.0"]),
        ("all results", "evaluation set"): (
            other_set,
            [f"500 images, {digest('images')[:12]}", "500 images, cdcdcdcdcdcd"],
        ),
        ("model digits", "source model"): (
            make_result(artifact={"source": Source("keras", "/x", "ab" * 32)}),
            [digest("digits")[:12], "ab" * 6],
        ),
        ("model digits", "images evaluated"): (
            make_result(accuracy=make_accuracy(images=490), evaluation=base.evaluations[0].data),
            ["500", "490"],
        ),
        ("model digits", "preprocessing"): (
            other_rule,
            [
                "none (scale 1, mean 0, std 1, RGB, bilinear)",
                "keras:mobilenet_v2 (scale 0.5, mean 0, std 1, RGB, bilinear)",
            ],
        ),
        ("device cpu", "machine"): (on_machine("Other"), ["Example Xeon @ 2.50GHz, 2 cores", "Other, 2 cores"]),
        ("runtime litert", "runtime version"): (with_version(base, "9.9"), ["2.3.0", "9.9"]),
    }
    for (scope, field), (other, values) in cases.items():
        assert named(base, other) == [(scope, field, values)]


def test_calibration_is_compared_between_the_artifacts_that_have_one():
    random = make_result(variant="onnx:int8", artifact={"calibration": Calibration("random", 0, "ab" * 32, 0)})
    [(scope, field, values)] = named(make_result(), make_result(variant="tflite:int8"), random)
    assert (scope, field) == ("model digits", "calibration")
    assert values == [f"100 images, {digest('calibration')[:12]}", "random values, abababababab"]


def test_what_a_result_does_not_know_differs_from_nothing():
    assert named(make_result(), make_failed()) == []


def test_models_with_the_same_set_resized_to_different_inputs_do_not_differ():
    assert named(make_result(model="a"), make_result(model="b")) == []


def test_the_newest_of_equal_measurements_is_kept_and_it_is_said():
    old = make_result(created="2026-01-01T00:00:00+00:00", latency_ms=9.0)
    new = make_result(created="2026-02-01T00:00:00+00:00")
    assert newest_only([old, new]) == ([new], [old])
    report = build_report([new, old])
    assert len(report.rows) == 1
    assert report.replaced == (
        "digits tflite:float32 on cpu, 2026-01-01T00:00:00+00:00: "
        "a newer result of the same measurement is shown in its place",
    )


def test_a_newer_crash_replaces_an_older_success_of_the_same_artifact():
    crash = dataclasses.replace(make_result(created="2027"), status="crashed", reason="signal 11", runs=())
    kept, replaced = newest_only([make_result(), crash])
    assert [result.status for result in kept] == ["crashed"] and len(replaced) == 1


def test_unlike_measurements_are_both_kept():
    base = make_result()
    others = [
        make_result(settings=replace(PROTOCOL, threads=2)),
        make_result(device="pi"),
        on_machine("Other"),
        with_version(base, "9.9"),
        make_result(artifact={"sha256": digest("rebuilt")}),
    ]
    for other in others:
        assert newest_only([base, other])[1] == []


def test_only_equal_conditions_share_a_group_and_a_failed_cell_joins_its_device():
    report = build_report(
        [
            make_result(),
            make_failed(),
            make_result(settings=replace(PROTOCOL, threads=4)),
            on_machine("Other"),
            make_result(device="pi"),
        ]
    )
    groups = {group.conditions.title: len(group.rows) for group in report.groups}
    assert groups == {
        "cpu · 1 thread · Example Xeon @ 2.50GHz, 2 cores": 2,
        "cpu · 4 threads · Example Xeon @ 2.50GHz, 2 cores": 1,
        "cpu · 1 thread · Other, 2 cores": 1,
        "pi · 1 thread · Example Xeon @ 2.50GHz, 2 cores": 1,
    }


def test_a_fixed_rate_a_sustained_run_and_an_accelerator_are_conditions_of_their_own():
    changes = [{}, {"rate_hz": 30.0}, {"sustained_seconds": 600.0}, {"accelerator": "gpu"}]
    report = build_report([make_result(settings=replace(PROTOCOL, **change)) for change in changes])
    assert sorted(group.conditions.title.partition(" · Example")[0] for group in report.groups) == [
        "cpu · 1 thread",
        "cpu · 1 thread · 30 images a second",
        "cpu · 1 thread · gpu",
        "cpu · 1 thread · sustained for 600 s",
    ]
    assert report.findings == ()
