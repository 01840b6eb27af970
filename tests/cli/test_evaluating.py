"""The options that say on which images: bad input is one line that says what to do."""

import numpy as np
import pytest

from edgebench.cli.evaluating import open_datasets, read_perturbations
from edgebench.errors import UsageError
from edgebench.images.evaluation import open_dataset
from edgebench.records import Perturbation


@pytest.fixture
def photos(tmp_path):
    np.savez(tmp_path / "photos.npz", x=np.zeros((2, 4, 4, 3), np.uint8), y=np.arange(2))
    return tmp_path / "photos.npz"


def test_sets_by_name_and_without(photos, tmp_path):
    other = tmp_path / "others.npz"
    other.write_bytes(photos.read_bytes())
    assert [one.name for one in open_datasets([str(photos), f"shifted = {other}".replace(" ", "")], None)] == [
        "photos.npz",
        "shifted",
    ]


@pytest.mark.parametrize("values", [["{}", "{}"], ["x={}", "x={}"], ["photos.npz={}", "{}"]])
def test_two_sets_of_one_name(photos, values):
    with pytest.raises(UsageError, match=r"--data is given twice with the name '.*': name them, --data NAME=PATH"):
        open_datasets([value.format(photos) for value in values], None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("noize=10", "unknown perturbation 'noize': did you mean noise"),
        ("noise=300", "noise goes from 0 to 255, not to 300"),
        ("noise=nan", "not to nan"),
        ("fog=9", "fog has the severities 1 to 5, not 9"),
        ("fog=0:5:1.5", "fog has the severities 1 to 5"),
        ("noise", "says no severity: write it as noise=0:100:10"),
        ("noise=5:1:1", "cannot go from 5 to 1 in steps of 1"),
        ("noise=0:100:0", "in steps of 0"),
    ],
)
def test_a_perturbation_that_cannot_be(photos, text, words):
    with pytest.raises(UsageError, match=words):
        read_perturbations([text], (), 0, [open_dataset(photos)])


def test_each_is_made_once_and_there_must_be_images(photos):
    found = read_perturbations(["noise=10,20", "noise=20"], ("blur",), 3, [open_dataset(photos)])
    assert found[:2] == (Perturbation("noise", 10, 3), Perturbation("noise", 20, 3)) and len(found) == 2 + 4 * 5
    with pytest.raises(UsageError, match="change images: give them with --data"):
        read_perturbations(["noise=10"], (), 0, [])
