from __future__ import annotations

import dataclasses
import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from edgebench.cli import cli
from edgebench.errors import UsageError
from edgebench.files import write_json
from edgebench.records import Settings
from tests.make import make_accuracy, make_result, make_runs


@pytest.fixture
def result() -> Any:
    """A result whose latency is noisy about a median: 30 of 1000 images lost, 20 won."""

    def make(median_ns: float, variant: str = "tflite:int8", seed: int = 0, **changes: Any) -> Any:
        counts = make_accuracy(1000, lost=30, won=20, both=880)
        made = make_result(variant=variant, device="pi", settings=changes.pop("settings", Settings()), accuracy=counts)
        return dataclasses.replace(made, **{"runs": (made.runs[0], *make_runs(median_ns, seed=seed)), **changes})

    return make


def compare(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["compare", *[str(argument) for argument in arguments]])


@pytest.fixture
def sides(tmp_path: Path, result: Any) -> Any:
    """Write a baseline and a candidate and return their paths."""

    def write(candidate: Any, baseline: Any = None) -> tuple[Path, Path]:
        paths = tmp_path / "main.json", tmp_path / "branch.json"
        write_json(paths[0], baseline or result(2e6))
        write_json(paths[1], candidate)
        return paths

    return write


def test_a_slower_candidate_fails_the_gate(sides: Any, result: Any) -> None:
    outcome = compare(*sides(result(2.2e6, seed=1)), "--fail-if", "slower")
    assert outcome.exit_code == 1
    assert "FAILED" in outcome.output and "1 of 1 gates failed" in outcome.output


def test_the_same_again_passes(sides: Any, result: Any) -> None:
    gates = ["--fail-if", "slower", "--fail-if", "top1_change < -0.05", "--fail-if", "peak_rss_bytes_ratio > 1.1"]
    outcome = compare(*sides(result(2e6, seed=1)), *gates)
    assert outcome.exit_code == 0, outcome.output
    assert "3 gates passed" in outcome.output


def test_an_undecided_gate_passes_aloud_and_fails_when_strict(sides: Any, result: Any) -> None:
    paths = sides(result(2e6, seed=1))
    gate = ("--fail-if", "top1_drop > 0.01")  # 10 of 1000 lost, give or take 14
    assert compare(*paths, *gate).exit_code == 0
    assert "undecided" in compare(*paths, *gate).output
    assert compare(*paths, *gate, "--strict").exit_code == 1


def test_what_was_not_measured_cannot_pass(sides: Any, result: Any) -> None:
    outcome = compare(*sides(result(2e6, evaluations=())), "--fail-if", "top1_drop > 0.01")
    assert outcome.exit_code == 1
    assert "not measured: top1_drop is empty" in " ".join(outcome.output.split())


def test_a_throttled_or_failed_result_cannot_pass(sides: Any, result: Any) -> None:
    cool = result(1e6)
    hot = {"throttled_before": 0, "throttled_after": 4}
    runs = tuple(dataclasses.replace(run, environment={**run.environment, **hot}) for run in cool.runs)
    outcome = compare(*sides(dataclasses.replace(cool, runs=runs)), "--fail-if", "slower")
    assert outcome.exit_code == 1 and "throttled now" in outcome.output
    outcome = compare(*sides(result(1e6, status="crashed", reason="SIGSEGV")), "--fail-if", "slower")
    assert outcome.exit_code == 1 and "SIGSEGV" in outcome.output


def test_two_machines_times_are_not_compared(sides: Any, result: Any) -> None:
    other = result(1e6)
    runs = tuple(dataclasses.replace(run, environment={"cpu": "Other", "cores": 2}) for run in other.runs)
    outcome = compare(*sides(dataclasses.replace(other, runs=runs)), "--fail-if", "latency_ms_median_ratio > 1.05")
    assert outcome.exit_code == 1
    assert "measured on different machines" in " ".join(outcome.output.split())


def test_two_scenarios_times_are_not_compared(sides: Any, result: Any) -> None:
    outcome = compare(*sides(result(1e6, settings=Settings(rate_hz=30))), "--fail-if", "slower")
    assert outcome.exit_code == 1
    assert "measured with different rate hz: 0.0; 30.0" in " ".join(outcome.output.split())


def test_noise_between_two_sessions_is_no_difference(sides: Any, result: Any) -> None:
    busy = result(2.4e6, seed=1)
    environment = {**busy.runs[0].environment, "others_cpu_cores": 1.5}
    runs = tuple(dataclasses.replace(run, environment=environment) for run in busy.runs)
    gates = ("--fail-if", "slower", "--fail-if", "latency_ms_median_ratio > 1.05")
    outcome = compare(*sides(dataclasses.replace(busy, runs=runs)), *gates)
    assert outcome.exit_code == 0, outcome.output
    assert sum(line.startswith("undecided") for line in outcome.output.splitlines()) == 2
    assert "not measured in turn" in outcome.output


def test_what_else_changed_is_named(sides: Any, result: Any) -> None:
    made = result(2e6, seed=1)
    new = {"xnnpack_partitions": 20, "load_1m": 3.0}
    old = {"xnnpack_partitions": 1, "load_1m": 0.1}
    both = [
        dataclasses.replace(
            made, runs=tuple(dataclasses.replace(r, environment={**r.environment, **extra}) for r in made.runs)
        )
        for extra in (new, old)
    ]
    output = compare(*sides(*both)).output
    assert "also changed: xnnpack partitions 1 → 20 (in 1 of 1 cells)" in output
    assert "load" not in output


def test_folders_are_paired_cell_by_cell(tmp_path: Path, result: Any) -> None:
    for side, variants in (("main", ("tflite:int8", "onnx:int8")), ("branch", ("tflite:int8", "tflite:float32"))):
        for variant in variants:
            made = result(2e6, variant=variant)
            write_json(tmp_path / side / "results" / "pi" / f"{variant.replace(':', '-')}.json", made)
    outcome = compare(tmp_path / "main", tmp_path / "branch", "--fail-if", "slower", "--json")
    answer = json.loads(outcome.output)
    by_cell = {gate["cell"].split()[1]: gate for gate in answer["gates"]}
    assert by_cell["tflite:int8"]["passed"]
    assert by_cell["tflite:float32"]["passed"] and "new" in by_cell["tflite:float32"]["reason"]
    assert not by_cell["onnx:int8"]["passed"] and "missing" in by_cell["onnx:int8"]["reason"]
    assert outcome.exit_code == 1


def test_two_results_of_one_cell_are_a_question(tmp_path: Path, result: Any) -> None:
    for name, sha in (("a", "1"), ("b", "2")):
        made = result(2e6)
        artifact = dataclasses.replace(made.artifact, sha256=sha * 64)
        write_json(tmp_path / f"{name}.json", dataclasses.replace(made, artifact=artifact))
    assert "holds two results of digits tflite:int8 on pi" in str(compare(tmp_path, tmp_path).exception)


def test_junit(tmp_path: Path, sides: Any, result: Any) -> None:
    report = tmp_path / "junit.xml"
    broken = result(2e6, status="refused", reason="bad \x00 & <byte>")
    assert compare(*sides(broken), "--fail-if", "slower", "--junit", report).exit_code == 1
    suite = ET.parse(report).getroot()
    assert suite.tag == "testsuite"
    assert suite.attrib == {"name": "edgebench compare", "tests": "1", "failures": "1"}
    failure = suite.find("testcase/failure")
    assert failure is not None and "bad  & <byte>" in failure.attrib["message"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--fail-if", "top1_dorp > 1"], "did you mean top1_drop"),
        (["--fail-if", "__import__('os')"], "is not a condition"),
        (["--fail-if", "top1 >"], "cannot read the condition"),
    ],
)
def test_bad_conditions_are_one_clear_line(sides: Any, result: Any, arguments: list[str], words: str) -> None:
    outcome = compare(*sides(result(2e6)), *arguments)
    assert isinstance(outcome.exception, UsageError) and outcome.exception.exit_code == 2
    assert words in str(outcome.exception)


def test_missing_and_empty_folders(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "no such" in str(compare(tmp_path / "no", tmp_path).exception)
    assert "no results in" in str(compare(tmp_path / "empty", tmp_path).exception)


def test_names_lists_them() -> None:
    names = compare("--names").output.split()
    assert {"slower", "top1_drop", "latency_ms_median_ratio", "status_baseline"} <= set(names)
