"""Models that a suite trains: found again, and trained anew where settings or images changed."""

import json
import shutil

import pytest

pytest.importorskip("keras")

SUITE = """
[train.small]
base = "cnn:4?input_size=16"
data = "photos"
epochs = 1
dropout = 0.1

[[models]]
train = "small"

[convert]
to = ["tflite:float32"]
"""


def test_a_training_is_a_step_like_any_other(photos, tmp_path, edgebench):
    shutil.copytree(photos, tmp_path / "photos")
    suite = tmp_path / "suite.toml"
    suite.write_text(SUITE)

    def plan():
        stages = json.loads(edgebench("run", suite, "--dry-run", "--json").stdout)
        return {stage["kind"]: stage["finished"] for stage in stages}

    done = edgebench("run", suite)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 artifact: 1 ok, 0 failed, 0 missing" in done.stdout
    out = tmp_path / "edgebench-out"
    manifest = json.loads(next((out / "artifacts/small").glob("*.json")).read_text())
    assert manifest["training"]["settings"]["dropout"] == 0.1
    assert plan() == {"trained": 1, "converted": 1, "measured": 0}
    suite.write_text(SUITE.replace("0.1", "0.2"))
    assert plan() == {"trained": 0, "converted": 0, "measured": 0}
    suite.write_text(SUITE)
    assert plan()["trained"] == 1
    next((tmp_path / "photos/train").glob("*/0.png")).unlink()
    assert plan() == {"trained": 0, "converted": 0, "measured": 0}
