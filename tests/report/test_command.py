import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgebench.report import write_report
from tests.make import make_failed, make_result, write_results
from tests.models import onnx_models


def edgebench(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edgebench", *map(str, arguments)]
    environment = {**os.environ, "COLUMNS": "80"}
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120, env=environment)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return write_results(tmp_path / "edgebench-out", [make_result(), make_failed(reason="signal 11")])


def test_a_folder_becomes_a_table_and_five_files(out, tmp_path):
    done = edgebench("report", "edgebench-out", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    names = sorted(path.name for path in (out / "report").iterdir())
    assert names == ["flips.csv", "plots", "report.csv", "report.html", "report.json", "report.md"]
    assert "tflite:float32" in done.stdout and "digits onnx:int8 on cpu: crashed: signal 11" in done.stdout
    assert "\x1b" not in done.stdout and "…" not in done.stdout
    assert "Report: edgebench-out/report/report.html" in done.stdout.replace(os.sep, "/")


def test_folders_of_several_machines_merge(out, tmp_path):
    other = write_results(tmp_path / "pi", [make_result(device="pi"), make_result(created="2020-01-01")])
    paths = write_report([out, other], tmp_path / "merged")
    assert paths.folder == tmp_path / "merged" / "report"
    assert sorted((row.device, row.status) for row in paths.report.rows) == [
        ("cpu", "crashed"),
        ("cpu", "ok"),
        ("pi", "ok"),
    ]
    assert len(paths.report.replaced) == 1


def test_json_goes_to_stdout_alone(out, tmp_path):
    done = edgebench("report", out, "--json", cwd=tmp_path)
    assert json.loads(done.stdout) == json.loads((tmp_path / "edgebench-out/report/report.json").read_text())


def test_a_requirement_puts_the_recommendation_on_top_and_decides_the_exit_code(out, tmp_path):
    wish = ["--require", "size_bytes < 500000", "--minimise", "size_bytes"]
    done = edgebench("report", out, *wish, cwd=tmp_path)
    lines = done.stdout.strip().splitlines()
    assert done.returncode == 0 and lines[0].startswith("To ship: cpu · 1 thread")
    assert lines[1] == "  Ship digits tflite:float32 (digits-float32.tflite): size_bytes = 400000"
    markdown = (tmp_path / "edgebench-out/report/report.md").read_text()
    assert markdown.index("Ship digits tflite:float32") < markdown.index("## Results")
    assert "fails digits onnx:int8: crashed: signal 11" in markdown
    done = edgebench("report", out, "--require", "size_bytes < 1", "--json", cwd=tmp_path)
    (told,) = json.loads(done.stdout)["recommendations"]
    assert (done.returncode, told["chosen"], told["requirements"]) == (1, [], ["size_bytes < 1"])
    done = edgebench("report", out, "--require", "size < 1", cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.startswith("edgebench: unknown name 'size'")


def test_a_broken_file_is_left_out_said_and_ends_with_1(out, tmp_path):
    (out / "results" / "cpu" / "half.json").write_text('{"artifact": {"model"')
    done = edgebench("report", out, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("edgebench: left out: ") and "half.json" in done.stderr
    assert done.stderr.count("\n") == 1
    assert "half.json" in (tmp_path / "edgebench-out/report/report.md").read_text()


def test_a_broken_file_whose_name_is_no_utf8_is_left_out_too(out, tmp_path):
    (out / "results" / "cpu" / os.fsdecode(b"h\xe4lf.json")).write_text('{"artifact": {"model"')
    done = edgebench("report", out, cwd=tmp_path)
    assert done.returncode == 1 and done.stderr.count("left out") == 1 and "Traceback" not in done.stderr
    assert "lf.json" in json.loads((tmp_path / "edgebench-out/report/report.json").read_text())["rejected"][0]


@pytest.mark.parametrize("content", [None, "", "{"])
def test_nothing_to_report_is_wrong_usage_in_one_line(tmp_path, content):
    folder = tmp_path / "results"
    folder.mkdir()
    if content is not None:
        (folder / "x.json").write_text(content)
    done = edgebench("report", folder, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(f"edgebench: no results in {folder}: ") and done.stderr.count("\n") == 1
    assert not (tmp_path / "edgebench-out").exists()


def test_a_missing_folder_and_an_unwritable_output_are_one_line(out, tmp_path):
    done = edgebench("report", "nowhere", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, "edgebench: no such results folder: nowhere\n")
    (tmp_path / "taken").write_text("")
    done = edgebench("report", out, "--out", "taken/deeper", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("edgebench: cannot write the report to taken/deeper/report")
    assert done.stderr.count("\n") == 1


def test_help_has_an_example_and_loads_neither_pandas_nor_jinja(tmp_path):
    done = edgebench("report", "--help", cwd=tmp_path)
    assert "Example:" in done.stdout
    code = "import sys, edgebench.report; print([m for m in ('pandas', 'jinja2', 'PIL') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "[]\n"


def test_what_a_real_profile_wrote_is_reported(tmp_path):
    onnx_models.classifier(tmp_path / "good.onnx")
    onnx_models.classifier(tmp_path / "nan.onnx", bias=float("nan"))
    pixels = np.random.default_rng(0).integers(0, 255, (20, 8, 8, 3), dtype=np.uint8)
    np.savez(tmp_path / "data.npz", images=pixels, labels=np.arange(20) % 4)
    options = ["--preprocess", "none", "--processes", "2", "--min-seconds", "0.05", "--max-seconds", "0.1"]
    edgebench("profile", "good.onnx", "nan.onnx", "--data", "data.npz", *options, cwd=tmp_path)
    done = edgebench("report", "edgebench-out", "--json", cwd=tmp_path)
    rows = {row["model"]: row for row in json.loads(done.stdout)["rows"]}
    assert (done.returncode, done.stderr) == (0, "")
    assert {name: row["status"] for name, row in rows.items()} == {"good": "ok", "nan": "nan"}
    good = rows["good"]
    assert good["images"] == 20 and 0 <= good["top1"] <= 1 and good["machine"]
    assert 0 < good["latency_ms_low"] <= good["latency_ms_median"] <= good["latency_ms_high"]
    assert 0 < good["model_rss_bytes"] < good["peak_rss_bytes"]
