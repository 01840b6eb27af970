"""Killed, stopped, typed again: no finished epoch is lost, and the weights are those of an uninterrupted training."""

import json
import signal
import subprocess
import sys
import zipfile

import numpy as np
import psutil
import pytest

pytest.importorskip("keras")
from edgebench.errors import EdgebenchError
from edgebench.training import run
from edgebench.training.settings import AUGMENTATIONS, Training
from tests.training.conftest import ROOT, weights

CNN = "cnn:4-8?input_size=16&channels=1"


def plain(record):
    return [{name: value for name, value in vars(epoch).items() if name != "seconds"} for epoch in record.history]


def command(loose, out, *more):
    line = [sys.executable, "-m", "edgebench", "train", CNN, "--data", loose, "--out", out, *more]
    return subprocess.Popen(list(map(str, line)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_killed_and_typed_again_it_ends_with_the_weights_of_an_uninterrupted_run(loose, trains, tmp_path, monkeypatch):
    settings = {"base": CNN, "data": str(loose), "epochs": 6, "batch": 8, "augment": AUGMENTATIONS}
    training = Training(**settings, learning_rate=0.01)
    whole = trains(training, tmp_path / "whole")
    monkeypatch.setattr(run, "MODULE", "tests.training.dying")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    with pytest.raises(EdgebenchError, match=r"died of SIGKILL.*the same command goes on from there"):
        run.train(training, tmp_path / "killed", lambda _: None)
    lines = []
    again = trains(training, tmp_path / "killed", lambda event: lines.append(str(event)))
    assert [line.endswith("done=2)") for line in lines if line.startswith("Started")] == [True]
    ones, others = weights(whole.path), weights(again.path)
    assert ones.keys() == others.keys() and all(np.array_equal(ones[name], others[name]) for name in ones)
    assert not any("optimizer" in name for name in ones)
    with zipfile.ZipFile(whole.path) as archive:
        assert not json.loads(archive.read("config.json")).get("compile_config")
    assert plain(whole.record) == plain(again.record)
    # Typed a third time there is nothing to do; with another rate it is not replaced unasked.
    assert trains(training, tmp_path / "killed").before
    with pytest.raises(EdgebenchError, match=r"learning_rate was 0\.01 and is 0\.02"):
        trains(Training(**settings, learning_rate=0.02), tmp_path / "killed")


def test_ctrl_c_keeps_the_best_epoch_and_says_so(loose, tmp_path):
    with command(loose, tmp_path, "--epochs", 100_000, "--patience", 0, "--batch", 16) as process:
        said = []
        for line in process.stderr:
            said.append(line)
            if "epoch 2 of" in line:
                process.send_signal(signal.SIGINT)
                break
        out, rest = process.communicate()
    assert process.returncode == 130, rest
    assert "stopping: the best epoch so far is kept" in rest and "Traceback" not in rest
    assert "s, interrupted; best: all, epoch" in out and "the same command goes on" in out
    record = json.loads((tmp_path / "models/cnn-4-8/training.json").read_text())
    losses = [epoch["val_loss"] for epoch in record["history"]]
    assert record["stopped"] == "interrupted" and 2 <= len(losses) < 100_000
    assert record["best"] == losses.index(min(losses))
    assert weights(tmp_path / "models/cnn-4-8/cnn-4-8.keras")
    assert list((tmp_path / "cache/training").glob("*/last.npz"))


def test_a_killed_command_leaves_no_training_behind(loose, tmp_path):
    with command(loose, tmp_path, "--epochs", 100_000, "--patience", 0) as process:
        for _ in process.stderr:  # the split that is kept, said before any framework is loaded
            break
        workers = psutil.Process(process.pid).children(recursive=True)
        process.kill()
    assert workers
    gone, alive = psutil.wait_procs(workers, timeout=120)
    assert gone and not alive
