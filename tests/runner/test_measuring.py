"""The clock itself, around sessions of known behaviour, and the operators of real models."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from edgebench.devices.local import LocalDevice
from edgebench.measures.latency import first_and_last
from edgebench.records import Job, Settings
from edgebench.runner import measure
from edgebench.runner.runtimes.litert_partitions import partitions
from edgebench.runner.steady import is_warm
from tests.make import make_job
from tests.models import onnx_models


class Clock:
    """Time that passes only where something is done: no test of the scenarios waits, or minds a busy machine."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 5_000_000_000
        monkeypatch.setattr(measure, "perf_counter_ns", self.read)
        monkeypatch.setattr(measure.time, "sleep", self.sleep)

    def read(self) -> int:
        self.now += 1
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += int(seconds * 1e9)

    def session(self, *milliseconds: float) -> Session:
        return Session(self, milliseconds)


class Session:
    """Invokes for the next of `milliseconds`, the last one for ever; copying takes 7 and 11 microseconds."""

    def __init__(self, clock: Clock, milliseconds: tuple[float, ...]) -> None:
        self.clock = clock
        self.left = list(milliseconds)
        self.batches: list[Any] = []

    def copy_in(self, array: Any) -> None:
        self.clock.now += 7_000
        self.batches.append(array)

    def invoke(self) -> None:
        self.clock.now += int((self.left.pop(0) if len(self.left) > 1 else self.left[0]) * 1e6)

    def copy_out(self) -> None:
        self.clock.now += 11_000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_a_sample_is_the_whole_call_and_the_invoke_inside_it(clock: Clock) -> None:
    sample = measure.time_once(clock.session(2), "a")
    assert (sample.latency_ns, sample.invoke_ns) == (2_018_003, 2_000_001)  # each reading of the clock takes 1 ns


def test_inputs_take_turns_and_the_interval_stops_it(clock: Clock) -> None:
    session = clock.session(1)
    steady = measure.measure(session, "abc", Settings(min_runs=9, min_seconds=0, precision=0.5, max_seconds=5))
    assert steady.stopped_by == "interval"
    assert len(steady.samples) == 9
    assert session.batches == list("abcabcabc")


def test_the_interval_is_looked_at_again_until_it_is_narrow(clock: Clock) -> None:
    """Five of 1 ms among the first ten: of 20 the 6th and 15th are 2 ms at last, of 19 the 5th is not."""
    session = clock.session(*([1, 2] * 5), 2)
    steady = measure.until_precise(session, "a", Settings(min_runs=9, min_seconds=0, precision=0.1, max_seconds=5))
    assert (steady.stopped_by, len(steady.samples)) == ("interval", 20)


def test_the_least_time_is_measured_though_the_interval_is_narrow(clock: Clock) -> None:
    steady = measure.until_precise(clock.session(1), "a", Settings(min_runs=9, min_seconds=0.05, max_seconds=5))
    assert (steady.stopped_by, len(steady.samples)) == ("interval", 50)


def test_the_budget_and_the_count_stop_it(clock: Clock) -> None:
    impossible = Settings(min_runs=5, min_seconds=0, precision=1e-9, max_seconds=0.2)
    steady = measure.measure(clock.session(1, 3, *[1, 2] * 200), "a", impossible)
    assert steady.stopped_by == "budget" and sum(sample.latency_ns for sample in steady.samples) >= 200_000_000
    assert sum(sample.latency_ns for sample in steady.samples[:-1]) < 200_000_000
    counted = measure.measure(clock.session(1), "a", Settings(min_runs=7, min_seconds=0, precision=0))
    assert (counted.stopped_by, len(counted.samples)) == ("count", 7)


def test_warm_up_goes_on_while_it_gets_faster(clock: Clock) -> None:
    falling = [60 * 0.9**call for call in range(18)]
    session = clock.session(*falling, 9)
    warmup = measure.warm_up(session, "ab", Settings(warmup=3, max_seconds=60))
    assert len(warmup) > len(falling) and session.batches[:4] == list("abab")
    assert is_warm([10, 10, 10, 10, 10, 10, 10, 10, 10, 10], 3)
    assert not is_warm([10] * 9, 3)
    assert not is_warm([10] * 10, 11)
    assert is_warm([10] * 10 + [30] * 5, 3)  # a neighbour, not a cold start


def test_warm_up_has_a_cap(clock: Clock) -> None:
    """A fifth of a second of 100 ms calls: two, and one where a single call takes longer than that."""
    assert len(measure.warm_up(clock.session(100), "a", Settings(warmup=1000, max_seconds=1))) == 2
    assert len(measure.warm_up(clock.session(900), "a", Settings(warmup=1000, max_seconds=1))) == 1


def test_a_stall_hits_every_arrival_behind_it(clock: Clock) -> None:
    stall = [1.0] * 20 + [200.0] + [1.0]
    steady = measure.measure(clock.session(*stall), "a", Settings(rate_hz=100, max_seconds=0.6))
    assert len(steady.samples) == 60 and steady.stopped_by == "count"
    late = [round(sample.latency_ns / 1e6) for sample in steady.samples]
    # an image is due every 10 ms, each of those that came meanwhile waits 9 ms less than the one before
    assert late == [1] * 20 + [200 - 9 * behind for behind in range(23)] + [1] * 17
    assert sum(sample.invoke_ns > 100_000_000 for sample in steady.samples) == 1


def test_a_rate_that_cannot_be_kept_ends(clock: Clock) -> None:
    steady = measure.fixed_rate(clock.session(20), "a", Settings(rate_hz=200, max_seconds=0.2))
    assert (steady.stopped_by, len(steady.samples)) == ("budget", 20)  # 0.4 s of 20 ms instead of 40 in 0.2 s


def test_sustained_keeps_going_as_long_as_was_asked_for(clock: Clock) -> None:
    steady = measure.measure(clock.session(10), "a", Settings(sustained_seconds=2, min_runs=1, min_seconds=0))
    assert (steady.stopped_by, len(steady.samples)) == ("count", 200)


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
    return make_job(kind, artifact=artifact, runtime="onnxruntime", settings=chosen)


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
