"""No reader ends in a traceback, hangs or writes elsewhere; `python -m tests.fuzzing` prints the counts."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from edgebench.errors import UsageError
from edgebench.files import sha256_file, write_json
from tests import fuzzing
from tests.fuzz_readers import INPUTS, readers
from tests.make import make_artifact

READERS = readers(Path())


@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.filterwarnings("ignore")
def test_whatever_is_given_is_read_or_refused_in_one_line(name: str) -> None:
    count, findings = fuzzing.fuzz(name, READERS[name], INPUTS[name])
    assert findings == [], f"repeat with: python -m tests.fuzzing --reader {name}"
    assert count.read + count.refused == INPUTS[name]


def test_there_are_enough_inputs() -> None:
    assert sum(INPUTS.values()) >= 2000 and set(READERS) == set(INPUTS)


@pytest.mark.parametrize(
    ("read", "what"),
    [
        (lambda chance, folder: 1 / 0, "ZeroDivisionError"),
        (lambda chance, folder: (folder.parent / "evil").write_text("x"), "wrote"),
        (lambda chance, folder: (_ for _ in ()).throw(UsageError("a" * 9)), None),
    ],
)
def test_the_fuzzer_finds(read, what) -> None:
    count, findings = fuzzing.fuzz("made up", read, 2)
    assert (count.refused, findings) == (2, []) if what is None else all(what in f.what for f in findings) and findings


def test_an_input_can_be_repeated_alone() -> None:
    one, two = (fuzzing.damaged(random.Random("7-csv-3"), b"path,label\n" * 5) for _ in range(2))
    assert one == two


@pytest.mark.parametrize("name", ["../../x", "/tmp/x", "..", "a/b", "a\0b", "x" * 300])
def test_a_name_that_leads_elsewhere_is_refused(edgebench, small_keras: Path, tmp_path: Path, name: str) -> None:
    from click.testing import CliRunner

    from edgebench.cli.convert import command

    done = CliRunner().invoke(
        command, [str(small_keras), "--to", "tflite:float32", "--name", name, "--out", str(tmp_path / "o")]
    )
    assert isinstance(done.exception, UsageError) and "--name" in str(done.exception)
    assert list(tmp_path.iterdir()) == []


def test_a_foreign_manifest_writes_nowhere_else(edgebench, converted: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "deep" / "given", tmp_path / "deep" / "out"
    folder.mkdir(parents=True)
    content = (converted / "artifacts/small/small-float32.tflite").read_bytes()
    (folder / "m.tflite").write_bytes(content)
    manifest = make_artifact(
        model="../../../evil", path="m.tflite", sha256=sha256_file(folder / "m.tflite"), size_bytes=len(content)
    )
    write_json(folder / "m.tflite.json", manifest)
    done = edgebench("profile", folder, "--min-runs", "1", "--out", out)
    assert done.returncode == 2 and "its model is '../../../evil'" in done.stderr
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["deep", "given", "m.tflite", "m.tflite.json"]
    write_json(folder / "m.tflite.json", json.loads((folder / "m.tflite.json").read_text()) | {"format": "exe"})
    assert edgebench("profile", folder, "--out", out).returncode == 2
