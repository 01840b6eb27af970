"""What results say in words, whole: a word that is lost or turned round is a wrong statement."""

import dataclasses

import pytest

from edgebench.expression import Quantity, Unmeasured, parse
from edgebench.measures.significance import NO_DROP, REAL_DROP, UNDECIDED, Verdict
from edgebench.measures.stability import Stability, StabilityVerdict
from edgebench.records import (
    Accuracy,
    Calibration,
    Evaluation,
    EvaluationSet,
    OperatorTime,
    Perturbation,
    Preprocessing,
    Settings,
    Source,
)
from edgebench.results import advice
from edgebench.results.advice import Advice, advise
from edgebench.results.conditions import (
    Conditions,
    Difference,
    calibration_words,
    conditions,
    differences,
    environment,
    machine,
    newest_only,
    runtime_version,
)
from edgebench.results.derived import derive
from edgebench.results.figures import FIGURES
from edgebench.results.findings import baseline, best, findings, tied_fastest, tied_lightest
from edgebench.results.rows import to_row, with_subjects
from edgebench.results.slower import slower_cells
from edgebench.results.together import by_conditions
from edgebench.results.values import value_of
from edgebench.results.verdict import accuracy_words
from edgebench.results.words import drop_reason, drop_word, drop_words, stability_words
from tests.make import MACHINE, PROTOCOL, digest, make_accuracy, make_failed, make_result, make_set

NAMES = frozenset(FIGURES)


def rows(*results):
    return [to_row(one) for result in results for one in derive(result)]


def test_words_of_a_drop():
    open_ = Verdict(UNDECIDED, 0.01, 0.034, 500, 1200)
    why = "500 images leave room for a drop of 3.4%; about 1,200 more images would decide it"
    assert (drop_word(open_), drop_reason(open_), drop_words(open_)) == ("undecided", why, f"undecided: {why}")
    crowded = Verdict(UNDECIDED, 0.01, 0.01, 1, None, cells=20)
    why = (
        "1 image leave room for a drop of 1.0%, too much among 20 comparisons; "
        "no practical number of images would decide it"
    )
    assert drop_reason(crowded) == why
    assert drop_words(Verdict(NO_DROP, 0.005)) == "no drop above 0.5%" and drop_reason(Verdict(REAL_DROP)) == ""
    assert drop_words(None) == drop_word(None) == drop_reason(None) == ""


def test_words_of_a_machine():
    assert stability_words(StabilityVerdict(Stability.NOISY, ("a", "b"))) == "noisy: a; b"
    assert stability_words(StabilityVerdict(Stability.STABLE)) == "stable" and stability_words(None) == ""


# Conditions


def test_conditions_and_their_title():
    where = conditions(make_result(settings=dataclasses.replace(PROTOCOL, threads=4, batch=8, accelerator="gpu")))
    assert where == Conditions(
        "cpu", "Example Xeon @ 2.50GHz, 2 cores", 4, 8, "gpu", "", False, ("batch 8", "gpu")
    )  # fmt: skip
    assert where.title == "cpu · 4 threads · batch 8 · gpu · Example Xeon @ 2.50GHz, 2 cores"
    failed = conditions(make_failed(emulated=True, settings=dataclasses.replace(PROTOCOL, rate_hz=30.0)))
    assert failed.title == "cpu · 1 thread · 30 images a second · emulated"
    assert (failed.machine, failed.scenario) == ("", "30 images a second")


def test_a_machine_is_named_by_processor_and_cores():
    assert machine({"cpu": "A", "machine": "x", "cores": 1}) == "A, 1 core"
    assert machine({"machine": "armv7l", "cores": 4}) == "armv7l, 4 cores"
    assert machine({"cores": 4}) == machine({}) == "" and machine({"cpu": "A", "cores": "many"}) == "A"


def test_the_first_run_that_says_something_of_its_machine_counts():
    made = make_result()
    told = [{"a": 1, "b": 1}, {"b": 2, "c": 2}]
    runs = tuple(dataclasses.replace(r, environment=e) for r, e in zip(made.runs, told, strict=False))
    assert environment(dataclasses.replace(made, runs=runs)) == {"a": 1, "b": 1, "c": 2}
    blank = dataclasses.replace(made.runs[0], runtime_version="")
    assert runtime_version(dataclasses.replace(made, runs=(blank, *made.runs))) == "2.3.0"
    assert runtime_version(make_failed()) == ""


BASE = make_result()
HERE, BOTH = "digits tflite:float32 on cpu", "2 results: digits on cpu"


def varied(**changes):
    return make_result(settings=dataclasses.replace(PROTOCOL, **changes))


def with_runs(result, **changes):
    return dataclasses.replace(result, runs=tuple(dataclasses.replace(r, **changes) for r in result.runs))


def with_facts(result, **facts):
    return with_runs(result, environment={**MACHINE, **facts})


OTHER_SET = EvaluationSet("night", "cd" * 32, digest("pixelsdigits"), 500, 10, True)
OTHER_PIXELS = dataclasses.replace(make_set(), pixels_sha256="ef" * 32)
RULE = Preprocessing("keras:x", scale=0.5, mean=(1.0, 2.0, 3.0), std=(4.0, 5.0, 6.0), channels="BGR")


@pytest.mark.parametrize(
    ("other", "scope", "field", "values", "effect"),
    [
        (varied(threads=4), "all results", "threads", ("1", "4"), "not ranked together"),
        (varied(min_seconds=9.0), "all results", "min seconds", ("1.0", "9.0"), "measured with unequal care"),
        (
            make_result(evaluation=OTHER_SET), "all results", "evaluation set",
            (f"500 images, {digest('images')[:12]}", "500 images, cdcdcdcdcdcd"), "accuracy is not comparable",
        ),
        (
            make_result(artifact={"source": Source("keras", "/x", "ab" * 32)}), "model digits", "source model",
            (digest("digits")[:12], "abababababab"),
            "two different trained models under one name: nothing here is comparable between them",
        ),
        (
            make_result(evaluation=OTHER_PIXELS), "model digits", "resized pixels",
            (digest("pixelsdigits")[:12], "efefefefefef"),
            "the images were resized in different ways: accuracy is not comparable",
        ),
        (
            make_result(accuracy=make_accuracy(images=490), evaluation=make_set()), "model digits", "images evaluated",
            ("500", "490"), "accuracy has unequal certainty",
        ),
        (
            make_result(artifact={"preprocessing": RULE}), "model digits", "preprocessing",
            (
                "none (scale 1, mean 0, std 1, RGB, bilinear)",
                "keras:x (scale 0.5, mean 1/2/3, std 4/5/6, BGR, bilinear)",
            ),
            "accuracy is not comparable",
        ),
        (
            with_facts(BASE, cpu="Other"), "device cpu", "machine",
            ("Example Xeon @ 2.50GHz, 2 cores", "Other, 2 cores"), "not ranked together",
        ),
        (
            with_runs(BASE, runtime_version="9.9"), "runtime litert", "runtime version", ("2.3.0", "9.9"),
            "a difference in speed may be the runtime's",
        ),
    ],
)  # fmt: skip
def test_a_difference_whole(other, scope, field, values, effect):
    expected = Difference(scope, field, ((values[0], HERE), (values[1], BOTH)), effect)
    assert differences([BASE, other, other]) == (expected,)


def test_calibration_in_words():
    int8 = make_result(variant="tflite:int8")
    other = make_result(variant="onnx:int8", artifact={"calibration": Calibration("random", 0, "ab" * 32, 0)})
    assert [calibration_words(one) for one in (BASE, int8, other)] == ["", "100 images", "random values"]
    (found,) = differences([int8, other])
    assert found.values == (
        (f"100 images, {digest('calibration')[:12]}", "digits tflite:int8 on cpu"),
        ("random values, abababababab", "digits onnx:int8 on cpu"),
    )
    assert found.effect == "the integer precisions were calibrated on different images"


def test_settings_that_change_no_number_differ_in_nothing():
    assert differences([BASE, varied(seed=9, timeout_seconds=5.0)]) == ()


def test_several_evaluations_are_named_each_set_once():
    more = (BASE.evaluations[0], Evaluation(make_set(), make_accuracy(), Perturbation("fog", 1.0)))
    night = Evaluation(OTHER_SET, make_accuracy(400))
    both = dataclasses.replace(BASE, evaluations=(*more, night))
    (sets, counts) = differences([BASE, both])
    assert sets.values[1][0] == f"500 images, {digest('images')[:12]} and 500 images, cdcdcdcdcdcd"
    assert counts.values[1][0] == "500 and 400"
    assert differences([BASE, dataclasses.replace(BASE, evaluations=more)]) == ()


def test_a_result_replaces_an_older_one_of_the_same_place_only():
    old, new = (make_result(created=f"202{n}") for n in (5, 6))
    unknown = dataclasses.replace(make_failed(variant="tflite:float32"), evaluations=old.evaluations, created="2024")
    unknown = dataclasses.replace(unknown, artifact=old.artifact)
    assert newest_only([unknown, old, new]) == ([new], [old, unknown])
    for other in (
        make_result(created="2024", evaluation=OTHER_PIXELS),
        make_result(created="2024", artifact={"source": None}),
        make_result(created="2024", artifact={"sha256": "ab" * 32}),
    ):
        assert len(newest_only([old, other])[0]) == 2
    order = [("b", "tflite:int8"), ("a", "onnx:float32"), ("a", "tflite:int8"), ("a", "tflite:float32")]
    kept, _ = newest_only([make_result(model=m, variant=v) for m, v in order])
    assert [one.artifact.label for one in kept] == [
        "a tflite:float32",
        "a tflite:int8",
        "a onnx:float32",
        "b tflite:int8",
    ]


def test_a_failed_cell_joins_the_first_group_of_its_device():
    failed, there = make_failed(), make_failed(device="pi")
    groups = by_conditions(rows(failed, BASE, with_facts(BASE, cpu="Other"), there, make_result(emulated=True)))
    titles = {where.title: [row.variant for row in mine] for where, mine in groups.items()}
    assert list(titles.items()) == [
        ("cpu · 1 thread · Example Xeon @ 2.50GHz, 2 cores", ["onnx:int8", "tflite:float32"]),
        ("cpu · 1 thread · Other, 2 cores", ["tflite:float32"]),
        ("pi · 1 thread", ["onnx:int8"]),
        ("cpu · 1 thread · emulated · Example Xeon @ 2.50GHz, 2 cores", ["tflite:float32"]),
    ]


# Subjects


def subjects(*results):
    return [row.subject for row in with_subjects(rows(*results))]


def test_what_tells_two_rows_of_one_model_apart():
    source = make_result(artifact={"source": Source("keras", "/x", "ab" * 32)})
    assert subjects(BASE, source) == [f"digits (source {digest('digits')[:8]})", "digits (source abababab)"]
    resized = make_result(evaluation=OTHER_PIXELS)
    assert subjects(BASE, resized) == [f"digits (pixels {digest('pixelsdigits')[:8]})", "digits (pixels efefefef)"]
    night = make_result(evaluation=dataclasses.replace(OTHER_SET, pixels_sha256="ab" * 32))
    assert subjects(BASE, night, make_failed()) == ["digits (test)", "digits (night)", "digits (test)"]
    fog = Evaluation(make_set(), make_accuracy(), Perturbation("fog", 2.0))
    assert subjects(dataclasses.replace(BASE, evaluations=(*BASE.evaluations, fog))) == ["digits", "digits (fog 2)"]
    both = dataclasses.replace(source, evaluations=(*night.evaluations, fog))
    mixed = subjects(BASE, both)
    start = digest("digits")[:8]
    assert mixed == [
        f"digits (source {start}, test)", "digits (source abababab, night)", "digits (source abababab, test, fog 2)"
    ]  # fmt: skip
    assert subjects(make_result(model="a"), make_result(model="b", evaluation=OTHER_SET)) == ["a", "b"]


# Why integers are slower


def slower(*results):
    return list(slower_cells(with_subjects(rows(*results))))


FLOAT32 = with_facts(make_result(latency_ms=2.0), xnnpack_partitions=1)
INT8 = make_result(variant="tflite:int8", latency_ms=8.0)
FRAME = (
    "digits tflite:{} on cpu takes {} where float32 takes {}, {} times as long: {}. "
    "On another processor the order may be the reverse."
)


def test_the_whole_of_what_is_said_of_a_slower_one():
    nothing = "nothing measured here says why: `edgebench profile --operators` shows where the time goes"
    assert slower(FLOAT32, INT8) == [FRAME.format("int8", "8.04 ms", "2.01 ms", "4.0", nothing)]
    facts = {"xnnpack_partitions": 3, "operators_off_xnnpack": "none", "cpu_features": "avx2 avx_vnni amx_int8"}
    why = (
        "the fast kernels (XNNPACK) took the graph in 3 pieces where they took float32 in 1; the processor adds 8-bit "
        "products at once (avx_vnni, amx_int8), so it is not for want of that"
    )
    assert slower(FLOAT32, with_facts(INT8, **facts)) == [FRAME.format("int8", "8.04 ms", "2.01 ms", "4.0", why)]
    kinds = ("Conv", 500), ("QUANTIZE", 100), ("DequantizeLinear", 150), ("DEQUANTIZE", 250)
    times = tuple(OperatorTime("x", kind, ns, "CPU") for kind, ns in kinds)
    wide = make_result(variant="tflite:int16x8", latency_ms=8.0)
    runs = (dataclasses.replace(wide.runs[0], operators=times), *wide.runs)
    why = (
        "LiteRT has only its plain kernels for int16 activations; 50.0% of its time goes into conversions between "
        "integers and float; the processor has no instruction that adds 8-bit products at once (VNNI on x86, dotprod "
        "or i8mm on ARM), so integers are widened first"
    )
    (text,) = slower(FLOAT32, with_facts(dataclasses.replace(wide, runs=runs), cpu_features=""))
    assert ": " + why + ". On another" in text and "int16x8" in text
    fixed = (
        "dynamic quantises its activations anew at every inference; at 101 µs an inference the fixed cost of every "
        "operator weighs more than its arithmetic"
    )
    (text,) = slower(make_result(latency_ms=0.1005), make_result(variant="tflite:dynamic", latency_ms=0.4))
    assert fixed in text.replace("0.101 ms", "101 µs")


def test_operators_without_conversions_and_equal_partitions_say_nothing():
    plain = dataclasses.replace(INT8.runs[0], operators=(OperatorTime("a", "Conv", 500, "CPU"),))
    (text,) = slower(FLOAT32, with_facts(dataclasses.replace(INT8, runs=(plain, *INT8.runs)), xnnpack_partitions=1))
    assert "nothing measured here says why" in text
    (text,) = slower(BASE, with_facts(INT8, xnnpack_partitions=9))
    assert "nothing measured here says why" in text
    onnx = make_result(variant="onnx:dynamic", latency_ms=8.0)
    assert "LiteRT" not in slower(make_result(variant="onnx:float32"), onnx)[0]


# Advice


def advised(requirement, values, row=None, open_interval=True):
    return advise(row or rows(BASE)[0], parse(requirement, NAMES), values, open_interval)


def test_advice_for_images_and_for_processes():
    asked = "edgebench profile digits-float32.tflite"
    drop = {"top1_drop": Quantity(0.005, -0.005, 0.0151)}
    times = advice.growth(0.5)  # the limit lies half of the interval's upper half away
    found = advised("top1_drop < 0.01", drop)
    assert found.times == pytest.approx(advice.growth(0.005 / 0.0101), rel=1e-6)
    more = advice.two_digits((found.times - 1) * 500)
    assert found.words == f"about {more:,} more images" and found.command == f"{asked} --data MORE_IMAGES"
    found = advised("latency_ms_median < 2", {"latency_ms_median": Quantity(1.9, 1.8, 2.1)})
    assert found.times == pytest.approx(times, rel=1e-6)
    processes = int(np_ceil((times - 1) * 3))
    assert found.words == f"{processes} more processes on a quiet machine"
    assert found.command == f"{asked} --processes {3 + processes} --max-processes {3 + processes}"
    low = advised("latency_ms_median > 1.8", {"latency_ms_median": Quantity(1.9, 1.7, 2.0)})
    assert low.times == pytest.approx(times, rel=1e-6)


def np_ceil(value):
    return -(-value // 1)


def test_two_figures_in_one_requirement():
    values = {
        "top1_drop": Quantity(0.005, -0.005, 0.02),
        "latency_ms_median": Quantity(1.9, 1.7, 2.1),
    }
    found = advised("top1_drop < 0.01 and latency_ms_median < 2", values)
    assert found.words.startswith("about ") and " more images and " in found.words
    assert found.words.endswith(" more processes on a quiet machine")
    assert "--data MORE_IMAGES --processes " in found.command
    cheap = advised("top1_drop < 0.01 or latency_ms_median < 2", values)
    ways = [advised(f"{name}", values) for name in ("top1_drop < 0.01", "latency_ms_median < 2")]
    assert cheap == min(ways, key=lambda way: way.times)


def test_what_is_missing_is_to_be_measured():
    gone = {name: Unmeasured("no") for name in ("top1", "latency_ms_p99", "latency_ms_median")}
    asked = "edgebench profile digits-float32.tflite"
    assert advised("top1 > 0.5", gone) == Advice(
        "measure top1: give it labelled images", f"{asked} --data IMAGES", None
    )
    more = f"{asked} --min-runs 1000 --max-seconds 60"
    assert advised("latency_ms_p99 < 5", gone) == Advice("measure latency_ms_p99", more, None)
    both = advised("latency_ms_median < 5 and latency_ms_p99 < 1", gone)
    assert both == Advice("measure latency_ms_median, latency_ms_p99", asked, None)
    (emulated,) = rows(make_result(emulated=True))
    assert advised("latency_ms_median < 5", gone, emulated) == Advice(
        "measure latency_ms_median on a real device", f"{asked} --device NAME", None
    )
    known = {"size_bytes": Quantity(5, 5, 5)}
    assert advised("size_bytes < 5", known, open_interval=False) == Advice("measure it again", asked, None)
    nameless = rows(make_result(artifact={"path": ""}))[0]
    assert advised("size_bytes < 5", known, nameless, False).command == "edgebench profile ARTIFACT"
    never = Advice("no practical measurement would decide it: move the limit or the choice", "", None)
    assert advised("size_bytes < 5", known) == never


# Findings


def found(*results):
    made = rows(*results)
    return {one.kind: one for one in findings(made[0].of.conditions, made)}


def test_a_finding_whole():
    dynamic = make_result(variant="tflite:dynamic", latency_ms=1.0, artifact={"size_bytes": 100_000})
    items = found(BASE, dynamic)
    fast = items["fastest"]
    assert (fast.subject, fast.title, fast.variant, fast.figure) == ("digits", "Fastest", "tflite:dynamic", "1.00 ms")
    assert fast.conditions.device == "cpu"
    assert fast.text == "2.0x as fast as tflite:float32; top-1 96.0%, as the source model (no drop above 1%)"
    small = items["smallest_kept"]
    assert (small.title, small.text.partition(";")[0]) == ("Smallest with no loss shown", "25% of tflite:float32")
    lossy = make_result(
        variant="tflite:int8",
        latency_ms=0.5,
        accuracy=make_accuracy(both=400, lost=60),
        artifact={"size_bytes": 90_000},
    )
    items = found(BASE, dynamic, lossy)
    loss = "top-1 80.0%, -12.0 points against the source model (real drop)"
    assert (items["fastest"].text, items["fastest"].figure) == (f"4.0x as fast as tflite:float32; {loss}", "0.502 ms")
    assert (items["smallest"].title, items["smallest"].text) == ("Smallest", f"22% of tflite:float32; {loss}")
    assert (items["fastest_kept"].title, items["fastest_kept"].variant) == (
        "Fastest with no loss shown",
        "tflite:dynamic",
    )


def test_findings_name_noise_and_what_is_known_of_accuracy():
    slow = make_result(variant="onnx:float32", latency_ms=9.0)
    noisy = with_facts(BASE, others_cpu_cores=2.0)
    assert found(noisy, slow)["fastest"].text.startswith("the measurement is noisy; top-1 96.0%")
    bare = [dataclasses.replace(one, evaluations=()) for one in (BASE, slow)]
    assert found(*bare)["fastest"].text == "accuracy not measured"
    unlabelled = Evaluation(make_set(), Accuracy(images=500, agree=490))
    seen = [dataclasses.replace(one, evaluations=(unlabelled,)) for one in (BASE, slow)]
    assert found(*seen)["fastest"].text == "chooses as the source model on 98.0% of 500 images"
    alone = Evaluation(make_set(), Accuracy(images=500, top1_correct=400))
    labelled = [dataclasses.replace(one, evaluations=(alone,)) for one in (BASE, slow)]
    assert found(*labelled)["fastest"].text == "top-1 80.0%"


def test_ties_and_the_best():
    one, two, three = rows(
        BASE, make_result(variant="onnx:float32"), make_result(variant="onnx:dynamic", latency_ms=9.0)
    )
    assert best([one, three], lambda row: row.latency_ms_median) is one
    assert best([one, three], lambda row: row.latency_ms_median, highest=True) is three
    assert best(rows(make_failed()), lambda row: 1.0) is best([], lambda row: 1.0) is None
    first, *others = tied_fastest([three, two, one])
    assert {first.variant, *(row.variant for row in others)} == {"tflite:float32", "onnx:float32"}
    assert tied_fastest(rows(make_failed())) == tied_lightest(rows(make_failed())) == []
    heavier = [rows(make_result(variant="onnx:float32", memory_mb=60 + more))[0] for more in (1.9, 2.0, 2.1)]
    assert [len(tied_lightest([one, other])) for other in heavier] == [2, 2, 1]
    assert baseline([two, one], rows(INT8)[0]) is one and baseline([one], one) is None
    assert baseline(rows(make_failed(variant="tflite:float32")), rows(INT8)[0]) is None
    assert baseline(rows(make_result(model="other")), rows(INT8)[0]) is None


def test_of_an_emulated_processor_only_sizes_are_found():
    made = [make_result(emulated=True), make_result(variant="tflite:dynamic", emulated=True, settings=Settings())]
    assert set(found(*made)) == {"smallest_kept"}


def test_every_subject_has_its_own_findings():
    made = [make_result(model=m, variant=f"{form}:float32") for m in ("a", "b") for form in ("tflite", "onnx")]
    made = rows(*made)
    subjects_of = [one.subject for one in findings(made[0].of.conditions, made)]
    assert subjects_of == ["a"] * 3 + ["b"] * 3


def test_an_emulators_times_are_not_measured():
    (row,) = rows(make_result(emulated=True))
    found = value_of(FIGURES["latency_ms_median"], row)
    assert found == Unmeasured("an emulated processor's times and memory mean nothing")


def test_what_is_known_of_accuracy_without_a_verdict():
    unlabelled = Evaluation(make_set(), Accuracy(images=500, agree=490))
    seen, one = rows(dataclasses.replace(BASE, evaluations=(unlabelled,)), dataclasses.replace(BASE, evaluations=()))
    assert accuracy_words(seen) == "chooses as the source model on 98.0% of 500 images"
    assert accuracy_words(one) == "accuracy not measured"
    (lost,) = rows(make_result(accuracy=make_accuracy(both=400, lost=60)))
    ends = tuple(100 * end for end in lost.drop)
    assert accuracy_words(lost) == f"loses 12.0 points ({ends[1]:.1f} to {ends[2]:.1f})"
