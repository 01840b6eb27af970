"""What an unfinished profile has finished is known again by everything that decides a job, and by nothing else."""

import dataclasses
import json

import numpy as np
import pytest

from edgebench.devices.base import Outcome
from edgebench.errors import UsageError
from edgebench.pipeline.journal import Journal, exclusive, job_id
from edgebench.records import Job, Preprocessing, Settings, TensorSpec
from tests.make import make_accuracy, make_job, make_run

MEASURED = dataclasses.replace(
    make_run((100, 200, 300)), input=TensorSpec("x", (1, 4, 4, 3), "float32"), output=TensorSpec("y", (1, 2), "float32")
)
JOB = make_job("latency", artifact="/a/m.onnx", artifact_sha256="a" * 64, images="/a/i.npy", images_sha256="i" * 64)


def test_the_same_job_is_the_same_wherever_its_files_lie():
    moved = dataclasses.replace(JOB, artifact="/b/x.onnx", images="/tmp/y.npy", version=1, first=3, last=9)
    assert job_id(moved) == job_id(JOB)
    assert len(job_id(JOB)) == 24 and set(job_id(JOB)) <= set("0123456789abcdef")


def another(value):
    """Another value of a plain setting."""
    return not value if isinstance(value, bool) else f"{value}x" if isinstance(value, str) else value + 1


def test_every_other_field_makes_another_job():
    changes = {
        "kind": "memory",
        "artifact_sha256": "b" * 64,
        "runtime": "litert",
        "runtime_module": "other",
        "input": TensorSpec("x", (1, 4, 4, 3), "float32"),
        "output": TensorSpec("y", (1, 2), "float32"),
        "layout": "NCHW",
        "preprocessing": Preprocessing("none", scale=2.0),
        "images_sha256": "j" * 64,
        "settings": Settings(threads=7),
        "repetition": 1,
        "cell": "another",
    }
    for field in dataclasses.fields(Job):
        if field.name not in {"artifact", "images", "version", "first", "last", *changes}:
            changes[field.name] = another(getattr(JOB, field.name))
    ids = [job_id(dataclasses.replace(JOB, **{name: value})) for name, value in changes.items()]
    assert len({job_id(JOB), *ids}) == len(changes) + 1


@pytest.mark.parametrize("field", dataclasses.fields(Settings), ids=lambda field: field.name)
def test_no_setting_is_forgotten(field):
    settings = dataclasses.replace(JOB.settings, **{field.name: another(getattr(JOB.settings, field.name))})
    assert job_id(dataclasses.replace(JOB, settings=settings)) != job_id(JOB)


def test_what_was_added_is_found_again_in_another_process(tmp_path):
    journal = Journal(tmp_path)
    run, outputs = MEASURED, np.array([[0.25, 0.75]], np.float32)
    other = dataclasses.replace(JOB, repetition=1)
    assert len(journal) == 0 and journal.find(JOB) is None
    journal.add(JOB, Outcome(run, outputs))
    journal.add(other, Outcome(run, None))
    for again in (journal, Journal(tmp_path)):
        assert len(again) == 2
        found = again.find(JOB)
        assert found.run == run and found.outputs.tolist() == outputs.tolist()
        assert again.find(other) == Outcome(run, None)
        assert again.find(dataclasses.replace(JOB, repetition=2)) is None
    lines = [json.loads(line) for line in (tmp_path / "journal.jsonl").read_text().splitlines()]
    assert lines == [
        {"job": job_id(JOB), "kind": "latency", "status": "ok"},
        {"job": job_id(other), "kind": "latency", "status": "ok"},
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [f"{job_id(JOB)}.json", f"{job_id(JOB)}.npy", f"{job_id(other)}.json", "journal.jsonl"]
    )


def test_what_follows_a_line_cut_short_was_never_finished(tmp_path):
    journal = Journal(tmp_path)
    jobs = [dataclasses.replace(JOB, repetition=n) for n in range(3)]
    for job in jobs:
        journal.add(job, Outcome(MEASURED, None))
    first, second, third = (tmp_path / "journal.jsonl").read_text().splitlines()
    (tmp_path / "journal.jsonl").write_text(f"{first}\n{second[:20]}\n{third}\n")
    again = Journal(tmp_path)
    assert [again.find(job) is not None for job in jobs] == [True, False, False] and len(again) == 1


def test_a_run_that_would_not_be_taken_today_is_measured_again(tmp_path):
    """It may have been kept before its device's answers were judged."""
    journal = Journal(tmp_path)
    journal.add(JOB, Outcome(dataclasses.replace(MEASURED, latency_ns=(0, 1)), None))
    assert journal.find(JOB) is None
    journal.add(JOB, Outcome(dataclasses.replace(MEASURED, status="crashed", latency_ns=()), None))
    assert journal.find(JOB).run.status == "crashed"


def test_only_what_went_well_counts_as_finished_where_that_is_asked_for(tmp_path):
    journal = Journal(tmp_path)
    jobs = [dataclasses.replace(JOB, repetition=n) for n in range(3)]
    for job, status in zip(jobs, ("ok", "crashed", "ok"), strict=True):
        journal.add(job, Outcome(dataclasses.replace(MEASURED, status=status), None))
    assert len(Journal(tmp_path)) == 3
    again = Journal(tmp_path, only_ok=True)
    assert [again.find(job) is not None for job in jobs] == [True, False, True]


def test_counts_stand_in_for_outputs(tmp_path):
    journal = Journal(tmp_path)
    job = dataclasses.replace(JOB, kind="accuracy")
    run = dataclasses.replace(MEASURED, kind="accuracy", latency_ns=(), invoke_ns=())
    journal.add(job, Outcome(run, None))
    assert journal.find(job) is None and journal.find_accuracy(job) is None  # no outputs, and nothing in their place
    journal.add(job, Outcome(run, None), make_accuracy())
    assert journal.find(job) == Outcome(run, None)
    assert journal.find_accuracy(job) == Journal(tmp_path).find_accuracy(job) == make_accuracy()
    assert Journal(tmp_path).find_accuracy(dataclasses.replace(job, repetition=1)) is None
    (tmp_path / "journal.jsonl").unlink()
    assert Journal(tmp_path).find_accuracy(job) is None  # it was never finished


def test_a_complete_profile_forgets(tmp_path):
    journal = Journal(tmp_path / "runs")
    journal.add(JOB, Outcome(MEASURED, None))
    journal.clear()
    assert len(journal) == 0 and journal.find(JOB) is None and not (tmp_path / "runs").exists()
    journal.clear()


def test_two_profiles_of_one_device_do_not_share_a_folder(tmp_path):
    folder = tmp_path / "results" / "pi"
    with exclusive(folder, "pi"):
        with pytest.raises(UsageError) as refused, exclusive(folder, "pi"):
            pass
        assert str(refused.value) == f"another edgebench is measuring on pi into {folder}: wait for it"
        with exclusive(tmp_path / "other", "cpu"):
            pass
    with exclusive(folder, "pi"):
        pass
