import dataclasses

import pytest

from edgebench.records import Accuracy, EvaluationSet, Result, Settings, Source
from edgebench.results.derived import derive
from edgebench.results.figures import COLUMNS, FIGURES, Row
from edgebench.results.rows import to_row as row_of
from edgebench.results.rows import with_subjects
from tests.make import digest, make_accuracy, make_failed, make_result


def to_row(result: Result) -> Row:
    [derived] = derive(result)
    return row_of(derived)


CONTRACT = [
    "model",
    "format",
    "precision",
    "device",
    "runtime",
    "status",
    "reason",
    "size_bytes",
    "images",
    "top1",
    "top5",
    "loss",
    "top1_reference",
    "top1_drop",
    "top1_drop_low",
    "top1_drop_high",
    "agreement",
    "drift_verdict",
    "load_ms",
    "first_inference_ms",
    "latency_ms_median",
    "latency_ms_low",
    "latency_ms_high",
    "latency_ms_p90",
    "latency_ms_p99",
    "invoke_ms_median",
    "threads",
    "batch",
    "peak_rss_bytes",
    "model_rss_bytes",
    "stability",
]


def test_the_first_columns_are_those_of_the_contract_in_their_order():
    assert list(COLUMNS[: len(CONTRACT)]) == CONTRACT


def test_every_column_is_explained():
    assert all(len(figure.description) > 5 and figure.description.endswith(".") for figure in FIGURES.values())


def test_figures_come_from_the_raw_samples_and_counts():
    row = to_row(make_result(accuracy=make_accuracy(images=500, both=480, lost=10, won=2)))
    assert row.top1 == pytest.approx(482 / 500)
    assert row.top1_reference == pytest.approx(490 / 500)
    assert row.top1_drop == pytest.approx(8 / 500)
    assert row.top1_drop_low is not None and row.top1_drop_high is not None
    assert row.top1_drop_low < 8 / 500 < row.top1_drop_high
    assert row.agreement == pytest.approx(488 / 500)
    assert row.latency_ms_median == pytest.approx(2.01, abs=0.02)
    assert row.latency_ms_low is not None and row.latency_ms_high is not None
    assert row.latency_ms_low <= row.latency_ms_median <= row.latency_ms_high
    assert row.latency_ms_p99 == pytest.approx(2.04, abs=0.01)  # 450 samples carry it
    assert (row.load_ms, row.first_inference_ms) == (12.0, 6.0)
    assert (row.peak_rss_bytes, row.model_rss_bytes) == (60_000_000, 20_000_000)
    assert (row.processes, row.samples, row.runtime_version) == (3, 450, "2.3.0")
    assert row.machine == "Example Xeon @ 2.50GHz, 2 cores"


def test_memory_by_phase_its_kinds_apart_and_the_gpus():
    result = make_result(accuracy=make_accuracy(images=500, agree_with_host=497))
    memory = result.runs[0]
    steady = dataclasses.replace(memory.memory[-1], anonymous_bytes=30_000_000, file_bytes=16_000_000)
    told = {**memory.environment, "gpu_memory_bytes": 5_000_000, "gpu_memory_method": "of the process (NVML)"}
    memory = dataclasses.replace(memory, memory=(*memory.memory[:-1], steady), environment=told)
    row = to_row(dataclasses.replace(result, runs=(memory, *result.runs[1:])))
    assert (row.load_peak_rss_bytes, row.first_inference_peak_rss_bytes) == (45_000_000, 60_000_000)
    assert (row.steady_rss_bytes, row.steady_anonymous_bytes, row.steady_file_bytes) == (46e6, 30e6, 16e6)
    assert (row.gpu_memory_bytes, row.gpu_memory_method) == (5_000_000, "of the process (NVML)")
    assert row.agreement_with_host == 0.994
    lying = dataclasses.replace(memory, environment={"gpu_memory_bytes": "=1+1"})
    assert to_row(dataclasses.replace(result, runs=(lying,))).gpu_memory_bytes is None


def test_what_was_not_measured_is_none_and_never_zero():
    row = to_row(make_failed(reason="boom", artifact={"size_bytes": 0, "parity_db": None, "parameters": None}))
    measured = [name for name in COLUMNS if isinstance(getattr(row, name), int | float)]
    assert measured == ["threads", "batch", "emulated"]
    assert (row.status, row.reason, row.stability, row.drift_verdict) == ("crashed", "boom", "", "")


def test_without_a_reference_there_is_accuracy_but_no_drop():
    row = to_row(make_result(accuracy=Accuracy(images=500, top1_correct=400, loss=1.0, reference_reason="no source")))
    assert row.top1 == 0.8
    assert row.top1_drop is row.top1_drop_low is row.agreement is row.top5 is None


def test_few_samples_leave_the_percentiles_empty():
    short = make_result()
    runs = tuple(dataclasses.replace(run, latency_ns=run.latency_ns[:5]) for run in short.runs)
    row = to_row(dataclasses.replace(short, runs=runs))
    assert row.latency_ms_median is not None
    assert row.latency_ms_p90 is row.latency_ms_p99 is None


def test_an_emulated_result_says_so_in_a_column_of_the_contract():
    row = to_row(make_result(emulated=True))
    assert row.emulated and row.stability.startswith("emulated")


def subjects(*results) -> list[str]:
    return [row.subject for row in with_subjects([to_row(result) for result in results])]


def test_two_sources_under_one_name_are_two_subjects():
    other = make_result(artifact={"source": Source("keras", "/x.keras", "ab" * 32), "sha256": digest("other")})
    assert subjects(make_result(), other) == [f"digits (source {digest('digits')[:8]})", "digits (source abababab)"]


def test_two_evaluation_sets_are_two_subjects_and_a_failed_row_joins_the_first():
    other = make_result(evaluation=EvaluationSet("night", "cd" * 32, "ef" * 32, 500, 10, True))
    first, second, failed = subjects(make_result(), other, make_failed())
    assert (first, second, failed) == ("digits (test)", "digits (night)", "digits (test)")
    namesake = make_result(evaluation=EvaluationSet("test", "cd" * 32, "ef" * 32, 500, 10, True))
    first, second, failed = subjects(make_result(), namesake, make_failed())
    assert second == "digits (images cdcdcdcd)"
    assert first == failed != second


def test_one_source_and_one_set_need_no_more_than_the_name():
    assert subjects(make_result(), make_result(variant="onnx:float32"), make_failed()) == ["digits"] * 3


def test_a_row_is_hashable_and_settings_show():
    row = to_row(make_result(settings=Settings(threads=4, batch=8)))
    assert isinstance(row, Row) and (row.threads, row.batch) == (4, 8) and hash(row)
