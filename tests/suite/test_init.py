"""`edgebench init`: what it writes is a suite that runs as it stands."""

import json
import os
import tomllib
import zipfile

import pytest
from PIL import Image

from edgebench.cli import cli
from edgebench.errors import UsageError


def photos(folder, classes=("cat", "dog"), count=3):
    for name in classes:
        (folder / name).mkdir(parents=True)
        for index in range(count):
            Image.new("RGB", (8, 8), (index, 0, 0)).save(folder / name / f"{index}.png")


def keras_file(path, name="net"):
    """What `sources` takes for a whole .keras file; nobody loads it here."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps({"class_name": "Functional", "config": {"name": name}}))
        archive.writestr("model.weights.h5", b"")


def init(*words):
    return cli.main(["init", *map(str, words)], standalone_mode=False)


def test_models_and_images_become_a_suite_that_runs(tmp_path, monkeypatch, capsys):
    keras_file(tmp_path / "models/first.keras")
    keras_file(tmp_path / 'models/se"cond.keras', "mobilenet_v2_1.00")
    (tmp_path / "models/broken.keras").write_text("no archive")
    photos(tmp_path / "data/photos")
    photos(tmp_path / "data/others/test")
    (tmp_path / "notes.csv").write_text("a,b\n1,2\n")  # no table of images
    assert init(tmp_path) == 0
    said = capsys.readouterr()
    assert "2 models and 12 images" in said.out and "broken.keras" in said.err
    text = (tmp_path / "suite.toml").read_text()
    suite = tomllib.loads(text)
    assert [model["model"] for model in suite["models"]] == ["models/first.keras", 'models/se"cond.keras']
    assert suite["convert"] == {
        "to": ["tflite:float32", "onnx:float32", "tflite:int8", "onnx:int8"],
        "data": "data/others",
    }
    assert suite["profile"] == {"device": ["cpu"], "data": {"main": "data/others"}}
    assert "preprocess = keras:mobilenet_v2" in text and 'set2 = "data/photos"' in text
    monkeypatch.chdir("/")
    assert cli.main(["run", str(tmp_path / "suite.toml"), "--dry-run"], standalone_mode=False) == 0
    assert "8 cells: 0 finished, 8 to do" in capsys.readouterr().out
    assert not (tmp_path / "edgebench-out").exists()


def test_images_alone_are_trained_on(tmp_path, capsys):
    photos(tmp_path / "photos")
    assert init(tmp_path) == 0
    suite = tomllib.loads((tmp_path / "suite.toml").read_text())
    assert suite["train"]["first"]["data"] == "photos" and suite["models"] == [{"train": "first"}]
    assert cli.main(["run", str(tmp_path / "suite.toml"), "--dry-run"], standalone_mode=False) == 0
    assert "1 training: 0 finished" in capsys.readouterr().out


def test_a_model_alone_is_not_asked_for_int8(tmp_path):
    keras_file(tmp_path / "net.keras")
    assert init(tmp_path) == 0
    suite = tomllib.loads((tmp_path / "suite.toml").read_text())
    assert suite["convert"] == {"to": ["tflite:float32", "onnx:float32"]} and suite["profile"] == {"device": ["cpu"]}
    assert cli.main(["run", str(tmp_path / "suite.toml"), "--dry-run"], standalone_mode=False) == 0


def test_nothing_is_overwritten(tmp_path):
    keras_file(tmp_path / "net.keras")
    (tmp_path / "suite.toml").write_text("mine")
    with pytest.raises(UsageError, match="left as it is"):
        init(tmp_path)
    assert (tmp_path / "suite.toml").read_text() == "mine"


def test_an_empty_folder_is_said(tmp_path):
    with pytest.raises(UsageError, match="no model and no images"):
        init(tmp_path)
    with pytest.raises(UsageError, match="there is no folder"):
        init(tmp_path / "gone")
    assert not os.listdir(tmp_path)
