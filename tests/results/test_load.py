import dataclasses
import json
import math
from pathlib import Path

import pytest

from edgebench.errors import FormatVersionError, UsageError
from edgebench.files import write_json
from edgebench.records import Accuracy, to_dict
from edgebench.report import load_results
from tests.make import make_accuracy, make_result, write_results


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return write_results(tmp_path / "out", [make_result(), make_result(variant="onnx:float32")])


def test_an_output_folder_its_results_a_device_folder_and_a_file_are_all_understood(out):
    assert len(load_results([out])) == 2
    assert load_results([out / "results"]) == load_results([out]) == load_results([out / "results" / "cpu"])
    [first] = load_results([next(out.rglob("*tflite*.json"))])
    assert first == make_result()


def test_a_file_reached_twice_is_read_once(out):
    assert len(load_results([out, out / "results"])) == 2


def test_runs_journals_manifests_and_foreign_json_are_no_results(out):
    result = make_result()
    write_json(out / "results" / "cpu" / "runs" / "latency-0.json", result.runs[1])
    write_json(out / "results" / "cpu" / "runs" / "copy.json", result)
    write_json(out / "results" / "cpu" / "digits.tflite.json", result.artifact)
    write_json(out / "results" / "cpu" / "list.json", [1, 2])
    (out / "results" / "cpu" / "journal.jsonl").write_text('{"cell": 1}\n')
    (out / "results" / "cpu" / ".half-written.json").write_text("{")
    assert len(load_results([out])) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is not an edgebench record"),
        ('{"artifact":' * 100_000, "is not an edgebench record"),
        ('{"artifact": {', "is not an edgebench record"),
        ("\x00\xff", "is not an edgebench record"),
        ('{"artifact": {}, "version": 1}', "is not a valid Result record"),
    ],
)
def test_a_broken_file_is_named_in_one_line_and_the_others_are_read(out, content, message):
    (out / "results" / "cpu" / "broken.json").write_text(content, encoding="latin-1")
    broken = []
    assert len(load_results([out], broken.append)) == 2
    [line] = map(str, broken)
    assert "broken.json" in line and message in line and "\n" not in line
    with pytest.raises(UsageError, match=r"broken\.json"):
        load_results([out])


@pytest.mark.parametrize(("version", "word"), [(0, "older"), (99, "newer")])
def test_too_old_and_too_new_are_told_apart(out, version, word):
    content = to_dict(dataclasses.replace(make_result(), version=version))
    (out / "results" / "cpu" / "other.json").write_text(json.dumps(content))
    with pytest.raises(FormatVersionError, match=word):
        load_results([out])


@pytest.mark.parametrize("accuracy", [True, False])
def test_a_result_of_version_1_is_read(tmp_path, accuracy):
    """It had one evaluation in three fields; `accuracy` is null where the cell failed before it was scored."""
    result = make_result()
    [evaluation] = result.evaluations
    old = {**to_dict(result), "version": 1, "outputs": "x.npy", "evaluation": to_dict(evaluation.data)}
    del old["evaluations"]
    old["accuracy"] = to_dict(evaluation.accuracy) if accuracy else None
    (tmp_path / "old.json").write_text(json.dumps(old))
    [read] = load_results([tmp_path])
    expected = dataclasses.replace(evaluation, outputs="x.npy", **({} if accuracy else {"accuracy": None}))
    assert read == dataclasses.replace(result, evaluations=(expected,))
    (tmp_path / "old.json").write_text(json.dumps({**old, "evaluation": None, "accuracy": None, "outputs": ""}))
    assert load_results([tmp_path])[0].evaluations == ()
    (tmp_path / "old.json").write_text(json.dumps({**old, "surprise": 1}))
    with pytest.raises(UsageError, match="surprise"):
        load_results([tmp_path])


def test_wrong_types_and_unknown_fields_are_refused(out):
    for change in (
        {"status": 3},
        {"surprise": 1},
        {"artifact": {**to_dict(make_result().artifact), "size_bytes": "1"}},
    ):
        write_json(out / "results" / "cpu" / "broken.json", {**to_dict(make_result()), **change})
        with pytest.raises(UsageError, match=r"broken\.json is not a valid Result"):
            load_results([out])


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (make_result(accuracy=make_accuracy(loss=math.inf)), "evaluations.accuracy.loss is no number to measure"),
        (make_result(accuracy=make_accuracy(agree=501)), "accuracy.agree is 501 of 500 images"),
        (make_result(accuracy=Accuracy(images=0)), "accuracy.images is 0"),
        (make_result(artifact={"size_bytes": 10**400}), "artifact.size_bytes is no number to measure"),
        (make_result(artifact={"size_bytes": -1}), "artifact.size_bytes is -1"),
        (make_result(runs=(dataclasses.replace(make_result().runs[1], latency_ns=(5, 0)),)), "runs.latency_ns is 0"),
    ],
)
def test_what_no_measurement_gives_is_refused(out, result, message):
    (out / "results" / "cpu" / "hostile.json").write_text(json.dumps(to_dict(result)))
    with pytest.raises(UsageError, match=f"hostile.json is not a valid Result record: {message}"):
        load_results([out])


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(UsageError, match="no such results folder"):
        load_results([tmp_path / "nowhere"])
