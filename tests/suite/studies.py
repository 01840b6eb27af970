"""Small studies of linear classifiers (the extension package's): every step is real, none loads a framework."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgebench.results.figure import Basis
from edgebench.results.figures import FIGURES
from tests.waiting import wait_for

QUICK = """
processes = 1
max-processes = 1
min-runs = 3
min-seconds = 0.01
max-seconds = 0.05
"""
SUITE = f"""
[[models]]
model = "models/*.linear.json"

[convert]
to = ["lin:float32", "lin:float16"]
data = "photos"

[profile]
device = "cpu"
data = "photos"
{QUICK}
"""
OF_THE_DAY = {"created", "stability", "notes", "samples", "stopped_by"}  # how long it took, and what the time was like
ARCHIVES = {"artifact_sha256"}  # a .lin is an archive, which says when it was made


@dataclass(frozen=True)
class Study:
    """A folder with models, photos and suite.toml, and the site folder of the package that reads them."""

    folder: Path
    site: Path

    @property
    def out(self) -> Path:
        return self.folder / "edgebench-out"

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": os.pathsep.join([str(self.site), str(Path.cwd())])}

    def start(self, *words: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "edgebench", "run", "suite.toml", *map(str, words)]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=pipe, stderr=pipe, text=True)

    def run(self, *words: object) -> subprocess.CompletedProcess[str]:
        process = self.start(*words)
        stdout, stderr = process.communicate()
        assert "Traceback" not in stderr, stderr
        return subprocess.CompletedProcess([], process.returncode, stdout, stderr)

    def lines(self, kind: str = "") -> list[dict[str, Any]]:
        """What the journal holds."""
        path = self.out / "suites/suite.jsonl"
        lines = [json.loads(text) for text in path.read_text().splitlines()] if path.exists() else []
        return [line for line in lines if kind in ("", line["kind"])]

    def table(self, but: Set[str] = frozenset(ARCHIVES)) -> list[dict[str, str]]:
        """The report's rows without what a clock, a memory or the day decides."""
        with (self.out / "report/report.csv").open() as stream:
            rows = list(csv.DictReader(stream))
        kept = [n for n, figure in FIGURES.items() if figure.basis is not Basis.MACHINE and n not in OF_THE_DAY | but]
        return sorted(({n: row[n] for n in kept if n in row} for row in rows), key=json.dumps)

    def runs(self) -> Counter[tuple[str, str, str]]:
        """How many runs of which kind every result has."""
        found: Counter[tuple[str, str, str]] = Counter()
        for path in (self.out / "results").glob("*/*.json"):
            for run in json.loads(path.read_text())["runs"]:
                found[path.parent.name, path.stem, run["kind"]] += 1
        return found


def install(package: Path, folder: Path) -> Path:
    """Install the extension package into a folder of its own and return its site."""
    shutil.copytree(package, folder / "package", ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    command += ["--disable-pip-version-check", "--target", str(folder / "site"), str(folder / "package")]
    subprocess.run(command, check=True, capture_output=True)
    return folder / "site"


def make_study(folder: Path, site: Path, photos: Path, models: int = 2, suite: str = SUITE) -> Study:
    """Write the models, a copy of the photos and suite.toml."""
    (folder / "models").mkdir(parents=True)
    for number in range(models):
        write_model(folder / f"models/net{number}.linear.json", photos, seed=number)
    shutil.copytree(photos, folder / "photos")
    (folder / "suite.toml").write_text(suite)
    return Study(folder, site)


def write_model(path: Path, photos: Path, seed: int) -> None:
    """Write a classifier of 8 x 8 pixels, random weights."""
    generator = np.random.default_rng(seed)
    labels = sorted(folder.name for folder in (photos / "test").iterdir())
    weights = generator.normal(0, 0.3, (64, len(labels))).tolist()
    bias = generator.normal(0, 0.1, len(labels)).tolist()
    path.write_text(json.dumps({"size": [8, 8, 1], "labels": labels, "weights": weights, "bias": bias}))


@dataclass
class Kills:
    """What kills have cost: `kept` is (device, job) -> when the run that was journaled began."""

    kept: dict[tuple[str, str], str]
    lost: int = 0  # journaled runs, and lines of the suite's journal, that were gone after a kill
    kills: int = 0


def kept_runs(study: Study) -> dict[tuple[str, str], str]:
    """Return what the devices' journals hold now."""
    found = {}
    for journal in (study.out / "results").glob("*/runs/journal.jsonl"):
        for text in journal.read_text().splitlines():
            try:
                name = json.loads(text)["job"]
                found[journal.parent.parent.name, name] = json.loads((journal.parent / f"{name}.json").read_text())[
                    "started"
                ]
            except ValueError:
                continue  # a torn last line
    return found


def progress(study: Study) -> int:
    """How far a study is: lines of its own journal and of its devices'. Only ever more, until it is through."""
    files = [study.out / "suites/suite.jsonl", *(study.out / "results").glob("*/runs/journal.jsonl")]
    return sum(path.read_bytes().count(b"\n") for path in files if path.exists())


def kill_at(study: Study, moments: list[int], *words: object) -> Kills:
    """Run the study, killed with -9 as soon as it is as far as each of the moments says; then let it through."""
    done = Kills({})
    for moment in sorted(moments):
        process = study.start(*words)
        wait_for(lambda moment=moment: progress(study) >= moment or process.poll() is not None)  # noqa: B023
        assert process.poll() is None, f"it was through before {moment}: {process.communicate()}"
        process.kill()
        process.communicate()
        done.kills += 1
        now = kept_runs(study)
        done.lost += sum(now.get(key) != started for key, started in done.kept.items())
        done.kept |= now
    last = study.run(*words)
    assert last.returncode == 0, last.stdout + last.stderr
    final = {
        (path.parent.name, run["started"])
        for path in (study.out / "results").glob("*/*.json")
        for run in json.loads(path.read_text())["runs"]
    }
    done.lost += sum((device, started) not in final for (device, _), started in done.kept.items())
    return done


def again(study: Study) -> list[str]:
    """Return the steps that have more than one line: what was done twice."""
    counted = Counter(line["place"] for line in study.lines() if line["kind"] != "reported")
    return [place for place, count in counted.items() if count > 1]


def differences(one: Study, other: Study) -> list[dict[str, tuple[str, str]]]:
    """Return what differs between two studies' tables, row by row."""
    rows = zip(one.table(), other.table(), strict=True)
    found = ({name: (a[name], b[name]) for name in a if a[name] != b[name]} for a, b in rows)
    return [row for row in found if row]
