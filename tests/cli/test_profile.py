"""`edgebench profile` and `edgebench report` as a user runs them, on real artifacts of every variant."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys

import pytest

from edgebench.files import read_record
from edgebench.records import Result
from edgebench.variants import VARIANTS
from tests.debian import need_root
from tests.results.test_rows import CONTRACT
from tests.waiting import hear_ctrl_c, wait_for

QUICK = ("--processes", 2, "--min-runs", 10, "--min-seconds", 0.05, "--max-seconds", 0.5, "--max-processes", 2)


@pytest.fixture(scope="module")
def profiled(converted, photos, tmp_path_factory, edgebench):
    """Every variant, measured on this machine; the output folder and what was printed."""
    out = tmp_path_factory.mktemp("profiled")
    done = edgebench("profile", converted / "artifacts", "--data", photos, "--out", out, *QUICK)
    return out, done


def results(out):
    return [read_record(Result, path) for path in sorted((out / "results/cpu").glob("*.json"))]


def test_every_variant_has_a_result(profiled):
    out, done = profiled
    assert done.returncode == 0, done.stdout + done.stderr
    assert {r.artifact.variant for r in results(out)} == set(VARIANTS)
    assert not (out / "results/cpu/runs").exists()


def test_float32_agrees_with_the_source_model_on_every_image(profiled):
    for result in results(profiled[0]):
        counts = result.evaluations[0].accuracy
        assert counts.images == 60 and counts.reference_sha256 and not counts.reference_reason
        paired = counts.both_correct + counts.only_artifact_correct + counts.only_reference_correct
        assert paired + counts.neither_correct == 60
        if result.artifact.precision == "float32":
            assert counts.agree == 60 and (counts.exact or counts.sqnr_db > 60)
        else:
            assert counts.agree >= 57


def test_every_result_has_its_latency_memory_and_environment(profiled):
    for result in results(profiled[0]):
        kinds = [run.kind for run in result.runs]
        assert kinds.count("memory") == kinds.count("accuracy") == 1 and kinds.count("latency") == 2
        for run in result.runs:
            assert run.environment["machine"] and run.environment["python"] and run.runtime_version


def test_the_report_has_the_columns_in_their_order(profiled, tmp_path, edgebench):
    done = edgebench("report", profiled[0] / "results", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    with (tmp_path / "report/report.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0])[: len(CONTRACT)] == CONTRACT
    assert len(rows) == len(VARIANTS)
    for row in rows:
        assert row["status"] == "ok" and float(row["latency_ms_median"]) > 0 and int(row["peak_rss_bytes"]) > 1e6
        assert float(row["latency_ms_low"]) <= float(row["latency_ms_median"]) <= float(row["latency_ms_high"])
        assert row["latency_ms_p99"] == "" or float(row["latency_ms_p99"]) > 0
    assert {p.name for p in (tmp_path / "report").iterdir()} == {
        "flips.csv",
        "plots",
        *(f"report.{e}" for e in ("csv", "json", "md", "html")),
    }


def test_json_is_json(converted, tmp_path, edgebench):
    (artifact,) = (converted / "artifacts").rglob("*-int8.tflite")
    done = edgebench("profile", artifact, "--out", tmp_path, "--json", *QUICK)
    (row,) = json.loads(done.stdout)
    assert row["precision"] == "int8" and row["status"] == "ok" and row["top1"] is None


def test_one_bad_artifact_costs_one_cell(converted, photos, tmp_path, edgebench):
    folder = tmp_path / "artifacts"
    shutil.copytree(next((converted / "artifacts").iterdir()), folder)
    for keep in ("float32.tflite", "dynamic.tflite"):
        assert list(folder.glob(f"*-{keep}"))
    for path in folder.iterdir():
        if not path.name.removesuffix(".json").endswith(("-float32.tflite", "-dynamic.tflite")):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    (manifest,) = folder.glob("*-dynamic.tflite.json")
    failed = json.loads(manifest.read_text()) | {"status": "failed", "reason": "made up", "path": ""}
    manifest.write_text(json.dumps(failed))
    done = edgebench("profile", folder, "--data", photos, "--out", tmp_path, *QUICK)
    assert done.returncode == 1
    assert "conversion: made up" in done.stdout
    found = {r.artifact.precision: r.status for r in results(tmp_path)}
    assert found == {"float32": "ok", "dynamic": "failed"}


def test_a_source_model_that_is_gone_leaves_accuracy_without_a_reference(small_keras, photos, tmp_path, edgebench):
    own = tmp_path / "mine.keras"
    shutil.copy(small_keras, own)
    edgebench("convert", own, "--to", "tflite:float32", "--out", tmp_path)
    own.unlink()
    done = edgebench("profile", tmp_path / "artifacts", "--data", photos, "--out", tmp_path, *QUICK)
    assert done.returncode == 0, done.stderr
    (result,) = results(tmp_path)
    counts = result.evaluations[0].accuracy
    assert counts.top1_correct is not None and counts.agree is None
    assert "mine.keras" in counts.reference_reason
    assert "no reference to compare with" in done.stderr


def test_ctrl_c_keeps_what_is_finished(converted, tmp_path, edgebench):
    artifacts = sorted((converted / "artifacts").rglob("*.tflite"))
    command = [sys.executable, "-m", "edgebench", "profile", *map(str, artifacts), "--out", str(tmp_path)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(
        [*command, *map(str, QUICK)], stderr=pipe, stdout=pipe, text=True, preexec_fn=hear_ctrl_c
    )
    journal = tmp_path / "results/cpu/runs/journal.jsonl"
    wait_for(lambda: journal.exists() and len(journal.read_text().splitlines()) >= 3, lambda: process.poll() is None)
    os.kill(process.pid, signal.SIGINT)
    _, stderr = process.communicate()
    assert process.returncode == 130
    assert "interrupted; what was finished is kept" in stderr and "Traceback" not in stderr
    done = edgebench("profile", *artifacts, "--out", tmp_path, *QUICK)
    assert done.returncode == 0 and "going on with an interrupted profile" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("gone.tflite",), "no artifact at gone.tflite"),
        ((".",), "holds no artifact"),
        (("ARTIFACT", "--data", "gone"), "no images at gone"),
        (("ARTIFACT", "--device", "toaster"), "toaster"),
        (("ARTIFACT", "--images", "some"), "--images"),
        (("ARTIFACT", "--preprocess", "keras:nothing"), "nothing"),
    ],
)
def test_wrong_usage_is_one_clear_line(converted, tmp_path, edgebench, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    artifact = next((converted / "artifacts").rglob("*-float32.tflite"))
    words = [str(artifact) if word == "ARTIFACT" else word for word in arguments]
    done = edgebench("profile", *words, "--out", tmp_path / "out")
    assert done.returncode == 2, done.stderr
    assert message in done.stderr


def test_an_output_folder_that_cannot_be_written(converted, tmp_path, edgebench):
    (tmp_path / "file").write_text("in the way")
    artifact = next((converted / "artifacts").rglob("*-float32.tflite"))
    done = edgebench("profile", artifact, "--out", tmp_path / "file" / "out", *QUICK)
    assert done.returncode in (1, 2)
    assert len(done.stderr.strip().splitlines()) == 1 and "file" in done.stderr


def test_a_full_disk_is_one_clear_line_and_loses_nothing(converted, tmp_path, edgebench):
    need_root("mount a small file system")
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48k", "tmpfs", disk], check=True)
    try:
        done = edgebench("profile", *(converted / "artifacts").rglob("*.tflite"), "--out", disk, *QUICK)
        assert done.returncode == 1
        assert "No space left on device" in done.stderr.splitlines()[-1]
        kept = (disk / "results/cpu/runs/journal.jsonl").read_text().splitlines()
        assert kept and all((disk / f"results/cpu/runs/{json.loads(line)['job']}.json").exists() for line in kept)
    finally:
        subprocess.run(["umount", disk], check=True)
