"""A package with its own converter, format, runtime and device takes an artifact from source to report."""

import csv
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from edgebench.cli import reading

PACKAGE = Path(__file__).parent / "extension_package"
ROOT = PACKAGE.parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The package installed into a folder of its own; returns what runs Python with it on the path."""
    folder = tmp_path_factory.mktemp("extension")
    shutil.copytree(PACKAGE, folder / "package", ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    command += ["--disable-pip-version-check", "--target", str(folder / "site"), str(folder / "package")]
    subprocess.run(command, check=True, capture_output=True)

    def python(*arguments):
        environment = {**os.environ, "PYTHONPATH": str(folder / "site")}
        return subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True, env=environment)

    python.site = folder / "site"
    return python


@pytest.fixture(scope="module")
def model(tmp_path_factory, photos):
    """The model and the folder where its artifacts go."""
    folder = tmp_path_factory.mktemp("model")
    generator = np.random.default_rng(5)
    content = {
        "size": [8, 8, 1],
        "labels": sorted(folder.name for folder in (photos / "test").iterdir()),
        "weights": generator.normal(0, 0.3, (64, 10)).tolist(),
        "bias": generator.normal(0, 0.1, 10).tolist(),
    }
    (folder / "digits.linear.json").write_text(json.dumps(content))
    return folder / "digits.linear.json"


def test_from_source_to_report(installed, model, photos):
    out = model.parent / "out"
    made = installed("-m", "edgebench", "convert", model, "--to", "all", "--data", photos, "--out", out)
    assert made.returncode == 0, made.stderr
    manifests = [json.loads(path.read_text()) for path in sorted((out / "artifacts").rglob("*.lin.json"))]
    assert [manifest["precision"] for manifest in manifests] == ["float16", "float32"]
    assert manifests[0]["tools"]["edgebench-linear"] == "1.0"
    profile = ["profile", out / "artifacts", "--device", "lab", "--data", photos, "--out", out, "--processes", 1]
    measured = installed("-m", "edgebench", *profile)
    assert measured.returncode == 0, measured.stderr + measured.stdout
    reported = installed("-m", "edgebench", "report", out / "results", "--out", out)
    assert reported.returncode == 0, reported.stderr
    with (out / "report/report.csv").open() as stream:
        rows = {row["precision"]: row for row in csv.DictReader(stream)}
    assert {(row["format"], row["device"], row["runtime"], row["status"]) for row in rows.values()} == {
        ("lin", "lab", "numpy", "ok")
    }
    assert float(rows["float32"]["agreement"]) == 1.0 and float(rows["float32"]["latency_ms_median"]) > 0


def test_code_of_the_package_is_in_the_cache_key(installed, model, tmp_path):
    convert = ["-m", "edgebench", "convert", model, "--to", "lin:float32", "--out", tmp_path]
    assert "unchanged" not in installed(*convert).stderr
    assert "unchanged" in installed(*convert).stderr
    converter = installed.site / "edgebench_linear/converter.py"
    converter.write_text(converter.read_text() + "\n# it converts differently now\n")
    assert "unchanged" not in installed(*convert).stderr


def test_what_a_model_cannot_become_is_said(installed, model, tmp_path):
    done = installed("-m", "edgebench", "convert", model, "--to", "onnx:float32", "--out", tmp_path)
    assert done.returncode == 2
    assert f"{model} becomes lin, not onnx:float32: choose another --to" in done.stderr


def test_the_runtime_travels_with_the_runner(installed, tmp_path):
    code = "import sys, pathlib\nfrom edgebench.devices import bundle\nbundle.write_bundle(pathlib.Path(sys.argv[1]))"
    assert installed("-c", code, tmp_path).returncode == 0
    names = zipfile.ZipFile(tmp_path / "runner.pyz").namelist()
    assert {"edgebench_linear/__init__.py", "edgebench_linear/runtime.py"} <= set(names)
    assert "edgebench_linear/converter.py" not in names


def test_the_page_of_commands_is_fresh():
    # in a process of its own: click keeps the options for help of the first call of a command
    written = subprocess.run(
        [sys.executable, "-m", "edgebench.cli.reference"], capture_output=True, text=True, check=True
    )
    assert (ROOT / "docs/commands.md").read_text() == written.stdout, "make docs writes it"


def test_the_page_of_figures_is_fresh():
    text = (ROOT / "docs/reading.md").read_text()
    assert text == reading.page(text), "make docs writes it"
