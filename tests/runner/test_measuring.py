"""The clock itself, around sessions of known behaviour, and the operators of real models."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

import pytest

from edgebench.devices.local import LocalDevice
from edgebench.measures.latency import first_and_last
from edgebench.records import Job, Preprocessing, Settings
from edgebench.registry import RUNTIMES
from edgebench.runner import measure
from edgebench.runner.runtimes.litert_partitions import partitions
from edgebench.runner.steady import is_warm
from tests.models import onnx_models


class Sleeper:
    """Sleeps for the next of `milliseconds`, the last one for ever."""

    def __init__(self, *milliseconds: float) -> None:
        self.left = list(milliseconds)
        self.batches: list[Any] = []

    def copy_in(self, array: Any) -> None:
        self.batches.append(array)

    def invoke(self) -> None:
        time.sleep((self.left.pop(0) if len(self.left) > 1 else self.left[0]) / 1000)

    def copy_out(self) -> None:
        pass


def test_inputs_take_turns_and_the_interval_stops_it() -> None:
    session = Sleeper(1)
    steady = measure.measure(session, "abc", Settings(min_runs=9, min_seconds=0, precision=0.5, max_seconds=5))
    assert steady.stopped_by == "interval"
    assert len(steady.samples) == 9
    assert session.batches == list("abcabcabc")
    assert all(sample.latency_ns >= sample.invoke_ns >= 1_000_000 for sample in steady.samples)


def test_the_budget_and_the_count_stop_it() -> None:
    impossible = Settings(min_runs=5, min_seconds=0, precision=1e-9, max_seconds=0.2)
    assert measure.measure(Sleeper(1), "a", impossible).stopped_by == "budget"
    counted = measure.measure(Sleeper(1), "a", Settings(min_runs=7, min_seconds=0, precision=0))
    assert (counted.stopped_by, len(counted.samples)) == ("count", 7)


def test_warm_up_goes_on_while_it_gets_faster() -> None:
    falling = [60 * 0.9**call for call in range(18)]
    warmup = measure.warm_up(Sleeper(*falling, 9), "a", Settings(warmup=3, max_seconds=60))
    assert len(warmup) > len(falling)
    assert is_warm([10, 10, 10, 10, 10, 10, 10, 10, 10, 10], 3)
    assert not is_warm([10] * 9, 3)
    assert not is_warm([10] * 10, 11)
    assert is_warm([10] * 10 + [30] * 5, 3)  # a neighbour, not a cold start


def test_warm_up_has_a_cap() -> None:
    began = time.monotonic()
    measure.warm_up(Sleeper(100), "a", Settings(warmup=1000, max_seconds=1))
    assert time.monotonic() - began < 1


def test_a_stall_hits_every_arrival_behind_it() -> None:
    stall = [1.0] * 20 + [200.0] + [1.0]
    steady = measure.fixed_rate(Sleeper(*stall), "a", Settings(rate_hz=100, max_seconds=0.6))
    late = [sample for sample in steady.samples if sample.latency_ns > 20_000_000]
    assert len(steady.samples) == 60
    assert len(late) >= 15  # 200 ms hold up the 20 images that came meanwhile
    assert sum(sample.invoke_ns > 100_000_000 for sample in steady.samples) == 1


def test_a_rate_that_cannot_be_kept_ends() -> None:
    steady = measure.fixed_rate(Sleeper(20), "a", Settings(rate_hz=200, max_seconds=0.2))
    assert steady.stopped_by == "budget"


def test_sustained_compares_its_ends(run: Any) -> None:
    samples = (10_000_000,) * 300 + (15_000_000,) * 200
    ends = first_and_last([run(samples, settings=Settings(sustained_seconds=6))], seconds=2)
    assert ends == (10_000_000, 15_000_000)
    assert first_and_last([run(samples)]) is None


def test_partitions_are_rebuilt_from_their_edges() -> None:
    """conv -> [swish] -> conv -> softmax: two partitions of one conv each, swish and softmax outside."""
    names = ["CONV_2D", "HARD_SWISH", "CONV_2D", "SOFTMAX"]
    nodes: list[dict[str, Any]] = [
        {"index": index, "op_name": name, "inputs": [index], "outputs": [index + 1]} for index, name in enumerate(names)
    ]
    nodes += [
        {"index": 4, "op_name": "DELEGATE", "inputs": [0], "outputs": [1]},
        {"index": 5, "op_name": "DELEGATE", "inputs": [2], "outputs": [3]},
    ]
    assert partitions(nodes) == (2, {"HARD_SWISH": 1, "SOFTMAX": 1})
    assert partitions(nodes[:4]) == (0, {"CONV_2D": 2, "HARD_SWISH": 1, "SOFTMAX": 1})


@pytest.fixture(scope="module")
def device() -> Any:
    with LocalDevice() as opened:
        yield opened


def job(kind: str, artifact: Path, **settings: Any) -> Job:
    chosen = Settings(min_seconds=0.05, max_seconds=1, **settings)
    pre = Preprocessing("none")
    return Job(kind, str(artifact), "", "onnxruntime", RUNTIMES["onnxruntime"], None, None, "", pre, "", "", chosen)


def test_operators_of_a_real_model(device: LocalDevice, tmp_path: Path) -> None:
    run = device.run(job("operators", onnx_models.classifier(tmp_path / "m.onnx")), lambda event: None).run
    assert run.status == "ok", run.reason
    assert {"ReduceMean", "Softmax"} <= {operator.kind for operator in run.operators}
    assert [o.time_ns for o in run.operators] == sorted((o.time_ns for o in run.operators), reverse=True)
    assert {operator.place for operator in run.operators} == {"CPU"}


def test_a_latency_run_says_what_the_machine_did(device: LocalDevice, tmp_path: Path) -> None:
    run = device.run(job("latency", onnx_models.classifier(tmp_path / "m.onnx")), lambda event: None).run
    assert run.environment["providers"] == "CPUExecutionProvider"
    assert "involuntary_switches" in run.environment
    assert len(run.warmup_ns) >= 10


@pytest.mark.parametrize(
    ("added", "phase", "stays"), [("load=20", "load", True), ("first=20/1", "first_inference", False)]
)
def test_ballast_is_seen_in_its_phase(
    device: LocalDevice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, added: str, phase: str, stays: bool
) -> None:
    """20 MB, kept from the loading on, or held for 1 ms in the first inference; benchmarks/ballast.py has more."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2] / "benchmarks"))
    plain = job("memory", onnx_models.classifier(tmp_path / "m.onnx"))
    loaded = dataclasses.replace(plain, runtime=f"onnxruntime+{added}", runtime_module="wrapper_runtime")
    runs = [device.run(one, lambda event: None).run for one in (plain, loaded)]
    assert [run.status for run in runs] == ["ok", "ok"], [run.reason for run in runs]
    before, after = ({memory.phase: memory for memory in run.memory} for run in runs)
    peak = after[phase].peak_rss_bytes - before[phase].peak_rss_bytes
    level = after["steady"].rss_bytes - before["steady"].rss_bytes
    assert abs(peak - 20e6) < 2e6
    assert abs(level - (20e6 if stays else 0)) < 2e6
