"""Every figure of a row from records worked out by hand, and Wilson's interval against SciPy's."""

import dataclasses

import numpy as np
import pytest
from scipy.stats import binomtest

from edgebench.measures.memory import MemorySummary, memory_summary
from edgebench.measures.outputs import pack
from edgebench.measures.significance import paired_interval
from edgebench.records import (
    ClassCounts,
    Evaluation,
    Perturbation,
    PhaseMemory,
    Settings,
)
from edgebench.results.derived import derive, without_samples
from edgebench.results.figure import share_interval
from edgebench.results.figures import FIGURES
from edgebench.results.rows import to_row
from edgebench.results.values import value_of
from tests.make import MACHINE, make_accuracy, make_result, make_run, make_set


@pytest.mark.parametrize(("count", "of"), [(0, 1), (1, 1), (0, 10), (3, 10), (10, 10), (880, 1000), (1, 7), (499, 500)])
def test_a_shares_interval_is_wilsons(count, of):
    expected = binomtest(count, of).proportion_ci(0.95, method="wilson")
    assert share_interval(count, of) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_no_images_no_interval():
    assert share_interval(None, 10) is share_interval(0, 0) is None


MEMORY = (
    PhaseMemory("imports", 40, 41),
    PhaseMemory("load", 50, 65),
    PhaseMemory("first_inference", 55, 90, 30, 25),
    PhaseMemory("steady", 60, 61, 33, 27),
)


def test_memory_by_phase():
    run = make_run(kind="memory", memory=MEMORY, memory_method="VmHWM", environment={"gpu_memory_bytes": 7})
    run = dataclasses.replace(run, environment={**run.environment, "gpu_memory_method": "of the process"})
    assert memory_summary([run]) == MemorySummary(90, 50, 65, 90, 60, 33, 27, "VmHWM", 7, "of the process")
    later = dataclasses.replace(run, memory=MEMORY[:1], environment={})
    assert memory_summary([run, later]) == MemorySummary(41, 1, None, None, None, None, None, "VmHWM", None, "")
    assert memory_summary([run, dataclasses.replace(later, status="crashed")]).peak_bytes == 90
    assert memory_summary([dataclasses.replace(run, memory=MEMORY[1:])]).model_bytes is None
    odd = dataclasses.replace(run, memory=(PhaseMemory("imports", 99, 9),))
    assert memory_summary([odd]).model_bytes == 0
    assert memory_summary([make_run((1,)), dataclasses.replace(run, memory=())]) is None


def rows_of(result):
    return [to_row(one) for one in derive(result)]


SETTINGS = Settings(threads=2, batch=4, processes=2)
COUNTS = make_accuracy(
    400,
    lost=12,
    won=4,
    both=360,
    top5_correct=396,
    loss=0.25,
    brier=0.125,
    kl=0.03,
    cosine=0.99,
    confidence_change=-0.01,
    ties=2,
    other_wrong=3,
    agree_with_host=390,
    bin_images=(300, 100),
    bin_right=(290, 74),
    bin_confidence=(294.0, 70.0),
    classes=ClassCounts((200, 200), (210, 190), (190, 174), (), lost=(2, 10), won=(1, 3)),
)


def worked(**changes):
    samples = [tuple(range(base, base + 4000, 100)) for base in (8_000_000, 8_100_000)]
    runs = [make_run(kind="memory", memory=MEMORY, memory_method="VmHWM", settings=SETTINGS)] + [
        make_run(one, n, settings=SETTINGS, preprocess_ns=(30_000, 50_000, 90_000)) for n, one in enumerate(samples)
    ]
    made = make_result(settings=SETTINGS, artifact={"notes": ("one", "two"), "recipe": "as it is"})
    values = {"runs": tuple(runs), "evaluations": (Evaluation(make_set(images=400), COUNTS),), **changes}
    return dataclasses.replace(made, **values)


def test_the_figures_of_one_row():
    (row,) = rows_of(worked())
    expected = {
        "model": "digits", "format": "tflite", "precision": "float32", "variant": "tflite:float32", "device": "cpu",
        "runtime": "litert", "runtime_version": "2.3.0", "status": "ok", "reason": "", "size_bytes": 400_000,
        "images": 400, "top1": 0.91, "top5": 0.99, "loss": 0.25, "top1_reference": 0.93, "top1_drop": 0.02,
        "agreement": 384 / 400, "load_ms": 5.0, "first_inference_ms": 3.0, "latency_ms_median": 8.05195,
        "invoke_ms_median": 8.05194, "preprocess_ms_median": 0.05, "threads": 2, "batch": 4, "processes": 2,
        "samples": 80, "spread_between": 0.1 / 8.05195, "stopped_by": "interval", "memory_method": "VmHWM",
        "peak_rss_bytes": 90, "model_rss_bytes": 50, "load_peak_rss_bytes": 65, "first_inference_peak_rss_bytes": 90,
        "steady_rss_bytes": 60, "steady_anonymous_bytes": 33, "steady_file_bytes": 27, "gpu_memory_bytes": None,
        "gpu_memory_method": "", "agreement_with_host": 390 / 400, "machine": "Example Xeon @ 2.50GHz, 2 cores",
        "emulated": False, "parameters": 98_000, "recipe": "as it is", "notes": "one; two", "scenario": "",
        "images_per_second": 4 / 8.05195e-3, "first_minute_ms": None, "joules_per_image": None, "brier": 0.125,
        "calibration_error": (4 + 4) / 400, "right_to_wrong": 0.03, "wrong_to_right": 0.01,
        "wrong_to_other_wrong": 3 / 400, "kl_nats": 0.03, "cosine": 0.99, "confidence_change": -0.01, "ties": 0.005,
        "recall_macro": 0.91, "precision_macro": (190 / 210 + 174 / 190) / 2, "worst_class": "1",
        "worst_class_drop": 7 / 200, "classes_lost": 0, "evaluation": "test", "perturbation": "", "severity": None,
        "perturbation_seed": None, "subject": "digits", "calibration": "",
    }  # fmt: skip
    for name, value in expected.items():
        assert getattr(row, name) == (pytest.approx(value, rel=1e-12) if isinstance(value, float) else value), name
    assert row.latency_ms_low < 8.05195 < row.latency_ms_high


def test_what_was_not_measured_is_empty():
    (row,) = rows_of(worked(runs=(), evaluations=()))
    identity = {name for name, figure in FIGURES.items() if getattr(row, name) not in (None, "")}
    assert identity == {
        "model", "format", "precision", "device", "runtime", "status", "size_bytes", "threads", "batch", "variant",
        "emulated", "parameters", "recipe", "source_sha256", "artifact_sha256", "created", "notes", "subject",
        "parity_db",
    }  # fmt: skip


def test_the_intervals_of_figures():
    (row,) = rows_of(worked())

    def ends(name):
        value = value_of(FIGURES[name], row)
        return value.low, value.high

    assert ends("top1") == share_interval(364, 400) and ends("top5") == share_interval(396, 400)
    assert ends("top1_reference") == share_interval(372, 400) and ends("agreement") == share_interval(384, 400)
    assert ends("agreement_with_host") == share_interval(390, 400)
    assert ends("top1_drop") == (row.top1_drop_low, row.top1_drop_high)
    assert ends("latency_ms_median") == (row.latency_ms_low, row.latency_ms_high)
    rates = 4000 / row.latency_ms_high, 4000 / row.latency_ms_low
    assert ends("images_per_second") == pytest.approx(rates, rel=1e-12)
    assert ends("size_bytes") == (400_000, 400_000)


def test_a_perturbation_a_sustained_run_and_a_rate_show():
    evaluation = Evaluation(make_set(images=400), COUNTS, Perturbation("noise", 40.0, 3))
    (row,) = rows_of(worked(evaluations=(evaluation,)))
    assert (row.perturbation, row.severity, row.perturbation_seed) == ("noise", 40.0, 3)
    long = Settings(sustained_seconds=10.0)
    second = 1_000_000_000
    run = make_run((second,) * 5 + (2 * second,) * 3, settings=long)
    (row,) = rows_of(worked(runs=(run,), settings=long))
    assert (row.first_minute_ms, row.last_minute_ms) == (1000.0, 2000.0)
    (row,) = rows_of(worked(settings=Settings(rate_hz=30.0)))
    assert row.images_per_second is None and row.latency_ms_median is not None
    facts = {"energy_joules": 24.0, "energy_idle_watts": 2.0, "energy_seconds": 2.0, **MACHINE}
    (row,) = rows_of(worked(runs=(make_run((second,) * 10, environment=facts),)))
    assert row.joules_per_image == 2.0


def test_an_emulated_stability_says_so_and_a_folder_of_no_bytes_has_no_size():
    (derived,) = derive(worked(emulated=True))
    assert to_row(derived).stability == "emulated: times and memory are the emulator's"
    made = worked()
    (row,) = rows_of(dataclasses.replace(made, artifact=dataclasses.replace(made.artifact, size_bytes=0)))
    assert row.size_bytes is None


def test_what_a_row_is_told_apart_by():
    one, other = rows_of(worked())[0], rows_of(worked(device="pi"))[0]
    assert hash(one) == hash(rows_of(worked())[0]) != hash(other)


def test_half_an_interval_of_the_rate_is_none():
    (derived,) = derive(worked())
    for missing in ("low_ns", "high_ns"):
        half = dataclasses.replace(derived, latency=dataclasses.replace(derived.latency, **{missing: None}))
        assert FIGURES["images_per_second"].bounds(half) is None


def test_in_a_report_of_thousands_samples_are_let_go_and_figures_stay():
    made = worked()
    (alone,), (among,) = derive(made), derive(made, alone=False)
    assert alone.result is made and among.result == without_samples(made) != made
    assert [run.environment for run in among.result.runs] == [run.environment for run in made.runs]
    for run, before in zip(among.result.runs, made.runs, strict=True):
        assert (run.latency_ns, run.invoke_ns, run.warmup_ns, run.preprocess_ns) == ((),) * 4
        assert (run.memory, run.load_ns, run.kind) == (before.memory, before.load_ns, before.kind)
    bare = dataclasses.replace(made, runs=(dataclasses.replace(made.runs[0], warmup_ns=(), invoke_ns=()),))
    assert without_samples(bare).runs[0] is bare.runs[0]
    assert (among.latency, among.memory, among.stability) == (alone.latency, alone.memory, alone.stability)
    assert among.accuracy.verdict.word == "" != alone.accuracy.verdict.word  # judged by the report, over all of it


def test_figures_of_sets_of_labels():
    """Right is the whole set: 300 of 400 images, 20 lost and 10 won."""
    reference = np.arange(400) < 310
    own = (reference & (np.arange(400) >= 20)) | ((np.arange(400) >= 310) & (np.arange(400) < 320))
    counts = make_accuracy(
        400, lost=20, won=10, both=290, top1_correct=None, top5_correct=None, loss=None, average_precision=0.75,
        classes=ClassCounts((200, 250), (220, 240), (190, 200)), right=pack(own), reference_right=pack(reference),
        independent=True, multi_label=True,
    )  # fmt: skip
    (row,) = rows_of(worked(evaluations=(Evaluation(make_set(images=400), counts),)))
    assert (row.subset_accuracy, row.subset_reference, row.subset_drop) == (0.75, 0.775, 0.025)
    assert (row.subset_drop_low, row.subset_drop_high) == paired_interval(20, 10, 400) == row.drop[1:]
    assert (row.f1_micro, row.mean_average_precision) == (2 * 390 / (450 + 460), 0.75)
    assert row.top1 is row.top1_drop is row.top1_reference is None
    for name, count in (("subset_accuracy", 300), ("subset_reference", 310)):
        value = value_of(FIGURES[name], row)
        assert (value.low, value.high) == share_interval(count, 400)
    plain = rows_of(worked())[0]
    assert plain.subset_accuracy is plain.subset_drop is FIGURES["subset_accuracy"].bounds(plain.of) is None
    assert FIGURES["subset_accuracy"].bounds(rows_of(worked(evaluations=()))[0].of) is None
