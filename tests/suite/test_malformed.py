"""Suites that cannot be run: one clear line with file and line number, exit 2, and nothing is started."""

import os
import subprocess
import sys

import pytest
from PIL import Image

from edgebench.cli import cli
from edgebench.suite.errors import SuiteError

NET = '[[models]]\nmodel = "keras:MobileNetV2?weights=none&input_size=32&classes=3"\n'
TO = '[convert]\nto = ["tflite:float32"]\n'
SOUND = f"{NET}{TO}"
TRAIN = '[train.heads]\nbase = "cnn:8"\ndata = "photos"\n'

# what is wrong -> the text of the suite, the line that is named, words of the message
MALFORMED = {
    "no TOML": ("[suite\n", 1, "no TOML"),
    "a value is missing": (f"{SOUND}jobs =\n", 5, "no TOML"),
    "a key twice": (f"{SOUND}to = []\n", 5, "no TOML"),
    "an empty file": ("", 1, "there is no model"),
    "no model": (TO, 1, "[[models]]"),
    "an unknown table": (f"{SOUND}[profil]\n", 5, "did you mean profile?"),
    "an unknown key of suite": (f'{SOUND}[suite]\nnme = "x"\n', 6, "did you mean name?"),
    "an unknown key of convert": (f"{SOUND}calibration-image = 5\n", 5, "did you mean calibration-images?"),
    "an unknown key of profile": (f"{SOUND}\n# how\n[profile]\nmin_runs = 5\n", 8, "did you mean min-runs?"),
    "an unknown key of a model": (f'{NET}preproces = "none"\n{TO}', 3, "did you mean preprocess?"),
    "a table that is a value": (f"profile = 3\n{SOUND}", 1, "profile is a table"),
    "models that are a value": (f'models = "a.keras"\n{TO}', 1, "models is a table"),
    "an unknown variant": (f'{NET}[convert]\nto = ["tflite:float32",\n  "tflite:int4"]\n', 4, "tflite:int4"),
    "an unknown application": ('[[models]]\nmodel = "keras:MobilNetV2"\n', 2, "did you mean MobileNetV2?"),
    "a model that is not there": ('[[models]]\nmodel = "gone.keras"\n', 2, "there is no"),
    "a glob of nothing": ('[[models]]\nmodel = "gone/*.keras"\n', 2, "nothing matches"),
    "a model and a training": (f'{NET}train = "heads"\n{TO}', 1, "one of `model` and `train`"),
    "neither model nor training": (f"{NET}[[models]]\n{TO}", 3, "one of `model` and `train`"),
    "two models of one name": (f"{NET}{NET}{TO}", 4, "also the model of line 2"),
    "an unknown training": (f'{TRAIN}[[models]]\ntrain = "head"\n', 5, "did you mean heads?"),
    "a training without images": ('[train.heads]\nbase = "cnn:8"\n[[models]]\ntrain = "heads"\n', 1, "no images"),
    "a base that is none": (f'{TRAIN}[[models]]\ntrain = "heads"\n'.replace("cnn:8", "cn:8"), 2, "cn:8"),
    "a wrong optimizer": (f'{TRAIN}optimizer = "adm"\n[[models]]\ntrain = "heads"\n', 4, "adm"),
    "a text for a number": (f'{SOUND}[profile]\nthreads = "two"\n', 6, "two"),
    "a number out of range": (f"{SOUND}[profile]\nthreads = [1, 0]\n", 6, "0 is not in the range"),
    "a list where one value goes": (f"{SOUND}seed = [1, 2]\n", 5, "takes one value"),
    "an empty list": (f"{SOUND}[profile]\ndevice = []\n", 6, "is empty"),
    "no truth": (f'{SOUND}[profile]\noperators = "yes"\n', 6, "neither true nor false"),
    "an unknown device": (f'{SOUND}[profile]\ndevice = ["cpu", "toaster"]\n', 6, "toaster"),
    "images that are not there": (f'{SOUND}[profile]\ndata = "gone"\n', 6, "no images at"),
    "an unknown perturbation": (f'{SOUND}[profile]\ndata = "photos"\nperturb = ["nois=1"]\n', 7, "nois"),
    "a perturbation of nothing": (f'{SOUND}[profile]\nperturb = ["noise=1"]\n', 5, "change images"),
    "an option of the run": (f'{SOUND}out = "elsewhere"\n', 5, "[suite]"),
    "trust in a file": (f'{NET}import = "mine.py"\n{TO}', 3, "only where that is typed"),
    "an empty exclude": (f"{SOUND}[[exclude]]\n", 5, "says nothing"),
    "an exclude of nothing": (f'{SOUND}[[exclude]]\nvariant = "tflit:*"\n', 5, "no variant is 'tflit:*'"),
    "everything excluded": (f'{SOUND}[[exclude]]\nvariant = "*"\n', 1, "nothing to do"),
    "no address": (f'{SOUND}[schedule]\nscheduler = "farm"\n', 6, "tcp://HOST:8786"),
    "a name that is a path": (f'[suite]\nname = "../x"\n{SOUND}', 2, "no file name"),
    "int8 without images": (f'{NET}[convert]\nto = ["tflite:int8"]\n', 2, "needs images"),
}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos/a").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "photos/a/1.png")


@pytest.mark.parametrize("text, line, words", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_suite_is_one_line_that_says_where(tmp_path, text, line, words):
    (tmp_path / "suite.toml").write_text(text)
    with pytest.raises(SuiteError) as raised:
        cli.main(["run", "suite.toml"], standalone_mode=False)
    message = str(raised.value)
    assert message.startswith(f"suite.toml:{line}: ") and words in message
    assert "\n" not in message and raised.value.exit_code == 2
    assert sorted(os.listdir(tmp_path)) == ["photos", "suite.toml"]


def test_there_are_thirty():
    assert len(MALFORMED) >= 30


def test_the_command_line_prints_it_and_exits_with_2(tmp_path):
    (tmp_path / "suite.toml").write_text(f"{SOUND}[profile]\ndevise = 3\n")
    done = subprocess.run([sys.executable, "-m", "edgebench", "run", "suite.toml"], capture_output=True, text=True)
    assert done.returncode == 2 and not done.stdout
    expected = "edgebench: suite.toml:6: [profile]: unknown key 'devise': did you mean device?\n"
    assert done.stderr == expected
    assert sorted(os.listdir(tmp_path)) == ["photos", "suite.toml"]


def test_a_suite_that_is_not_there_names_init(tmp_path):
    with pytest.raises(Exception, match="edgebench init"):
        cli.main(["run", "gone.toml"], standalone_mode=False)
