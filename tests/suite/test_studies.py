"""The five studies of benchmarks/suites/: each is a sound suite, in full and in its reduced form, and one is run."""

import csv
import json
import shutil

import pytest

from benchmarks.studies import SUITES, reduce, write_digits
from edgebench.cli import cli

FULL = {  # trainings, artifacts, cells
    "1-ten-models": (10, 50, 50),
    "2-flowers": (12, 24, 24),
    "3-imagenet-mini": (0, 16, 20),
    "4-animals": (24, 24, 24),
    "5-cifar-cinic": (4, 16, 16),
}
IMAGES = ("photos", "flowers", "imagenet-mini", "animals10", "cifar10", "cinic10")


def planned(capsys, suite):
    assert cli.main(["run", str(suite), "--dry-run", "--json"], standalone_mode=False) == 0
    return tuple(stage["total"] for stage in json.loads(capsys.readouterr().out))


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder = tmp_path_factory.mktemp("images")
    write_digits(folder / "photos")
    (folder / "photos/val").rename(folder / "photos/validation")
    return folder / "photos"


@pytest.mark.parametrize("name", FULL)
def test_a_study_is_a_sound_suite(name, images, tmp_path, capsys):
    suite = tmp_path / "suites" / f"{name}.toml"
    suite.parent.mkdir()
    shutil.copy(SUITES / f"{name}.toml", suite)
    for folder in IMAGES:
        shutil.copytree(images, suite.parent / folder)
    (suite.parent / "imagenet-mini/validation").rename(suite.parent / "imagenet-mini/val")
    assert planned(capsys, suite) == FULL[name]


def test_the_table_of_studies_is_whole():
    assert sorted(FULL) == [path.stem for path in sorted(SUITES.glob("*.toml"))]


def test_a_reduced_study_runs_to_its_report(tmp_path, edgebench):
    suite = reduce(SUITES / "3-imagenet-mini.toml", tmp_path)
    done = edgebench("run", suite, "--only", "mobilenetv2*/tflite:*")
    assert done.returncode == 0, done.stdout + done.stderr
    with (suite.parent / "out/report/report.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert {row["precision"] for row in rows} == {"float32", "int8"}
    assert {(row["perturbation"], row["severity"]) for row in rows} == {
        ("", ""), ("noise", "0.0"), ("noise", "50.0"), ("noise", "100.0"), ("patch", "4.0"), ("patch", "8.0"),
    }  # fmt: skip
