import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest

from edgebench.errors import FormatVersionError, UsageError
from edgebench.files import write_json
from edgebench.measures.outputs import pack
from edgebench.records import Accuracy, ClassCounts, to_dict
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


COUNTS = ClassCounts((3, 7), (4, 6), (3, 6), ((1, 0, 1),), (1, 0), (0, 1))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"chosen": (10,)}, "counts of unequal number"),
        ({"right": (1, 2, 3)}, "counts of unequal number"),
        ({"lost": (1,)}, "counts of unequal number"),
        ({"won": (0, 0, 0)}, "counts of unequal number"),
        ({"won": ()}, "counts of unequal number"),
        ({"lost": ()}, "counts of unequal number"),
        ({"confusion": ((0, 2, 1),)}, "a confusion of classes that there are not"),
        ({"confusion": ((2, 0, 1),)}, "a confusion of classes that there are not"),
        ({"confusion": ((-1, 0, 1),)}, "a confusion of classes that there are not"),
        ({"confusion": ((1, 0, 1), (0, -1, 1))}, "a confusion of classes that there are not"),
    ],
)
def test_counts_of_classes_that_do_not_fit_together(tmp_path, changes, message):
    def load(classes):
        write_json(tmp_path / "one.json", make_result(accuracy=make_accuracy(classes=classes)))
        return load_results([tmp_path])

    assert load(COUNTS)[0].evaluations[0].accuracy.classes == COUNTS
    assert load(dataclasses.replace(COUNTS, lost=(), won=(), confusion=((0, 1, 1), (1, 1, 2))))
    with pytest.raises(UsageError, match=message):
        load(dataclasses.replace(COUNTS, **changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"right": "not base64!"}, "accuracy.right cannot be read: "),
        ({"host_right": pack(np.ones(9, bool))}, "accuracy.host_right cannot be read: the bits are not those of 500"),
        ({"reference_right": "AAAA"}, "accuracy.reference_right cannot be read: "),
        ({"bin_right": (1,)}, "accuracy has bins of unequal number"),
        ({"bin_images": (1,), "bin_right": (1,)}, "accuracy has bins of unequal number"),
        ({"top1_correct": -1}, "accuracy.top1_correct is -1 of 500 images"),
        ({"top5_correct": 501}, "accuracy.top5_correct is 501 of 500 images"),
        ({"both_correct": 501}, "accuracy.both_correct is 501 of 500 images"),
        ({"only_artifact_correct": 501}, "accuracy.only_artifact_correct is 501 of 500 images"),
        ({"only_reference_correct": 501}, "accuracy.only_reference_correct is 501 of 500 images"),
        ({"neither_correct": 501}, "accuracy.neither_correct is 501 of 500 images"),
    ],
)
def test_counts_that_cannot_be(tmp_path, changes, message):
    write_json(tmp_path / "one.json", make_result(accuracy=make_accuracy(**changes)))
    with pytest.raises(UsageError, match=message):
        load_results([tmp_path])
    one = make_accuracy(1, both=1, top5_correct=None)
    write_json(tmp_path / "one.json", make_result(accuracy=one))
    assert load_results([tmp_path])
    edge = {"top1_correct": 500, "neither_correct": 0, "right": pack(np.ones(500, bool))}
    write_json(tmp_path / "one.json", make_result(accuracy=make_accuracy(**edge)))
    assert load_results([tmp_path])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"latency_ns": (5, 2**63)}, "runs.latency_ns is no number to measure"),
        ({"invoke_ns": (0,)}, "runs.invoke_ns is 0"),
        ({"load_ns": -1}, "runs.load_ns is -1"),
        ({"environment": {"a_bytes": -5}}, "runs.environment.a_bytes is -5"),
        ({"warmup_ns": (3, -1, 4)}, "runs.warmup_ns is -1"),
    ],
)
def test_samples_that_cannot_be(tmp_path, changes, message):
    result = make_result()
    run = dataclasses.replace(result.runs[1], **changes)
    write_json(tmp_path / "one.json", dataclasses.replace(result, runs=(run,)))
    with pytest.raises(UsageError, match=message):
        load_results([tmp_path])
    sound = dataclasses.replace(result.runs[1], latency_ns=(1, 2**62), invoke_ns=(), warmup_ns=(0,), load_ns=0)
    write_json(tmp_path / "one.json", dataclasses.replace(result, runs=(sound,)))
    assert load_results([tmp_path])
