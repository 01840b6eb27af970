"""Images that carry none, one or several labels: as a CSV and as an NPZ say so."""

from pathlib import Path

import numpy as np
import pytest

from edgebench.errors import UsageError
from edgebench.images.evaluation import evaluation_set, open_dataset
from edgebench.images.splits import make_splits, write_split
from edgebench.records import Preprocessing

PIXELS = np.random.default_rng(0).integers(0, 255, (4, 4, 4, 3), np.uint8)


def table(folder: Path, text: str, name: str = "labels.csv") -> Path:
    (folder / name).write_text(text)
    return folder / name


def arrays(folder: Path, y, name: str = "photos.npz") -> Path:
    np.savez(folder / name, x=PIXELS, y=np.asarray(y))
    return folder / name


def sets(dataset):
    return [item.labels for item in dataset.items]


def test_labels_of_a_csv_with_separators_are_sets(tmp_path):
    found = open_dataset(table(tmp_path, "path,label\na.png,dog|cat\nb.png, cat \nc.png,\nd.png,cow; cat;cat\n"))
    assert found.multi_label and found.classes == ("cat", "cow", "dog") and not found.ordered
    assert sets(found) == [(0, 2), (0,), (), (0, 1)]
    assert found.labels.tolist() == [0, 0, -1, 0]
    assert [found.label_of(item) for item in found.items] == ["cat|dog", "cat", "", "cat|cow"]


def test_numbers_names_in_order_and_splits(tmp_path):
    found = open_dataset(table(tmp_path, "a.png,2|0,train\nb.png,1,test\n"), splits=("train",))
    assert found.multi_label and found.classes == () and sets(found) == [(0, 2)]
    named = open_dataset(table(tmp_path, "a.png,b|a\nb.png,a\n"), labels=("b", "c", "a"))
    assert named.ordered and sets(named) == [(0, 2), (2,)]
    with pytest.raises(UsageError, match="label 'x' is not among the labels b, c, a"):
        open_dataset(table(tmp_path, "a.png,b|x\n"), labels=("b", "c", "a"))


def test_one_label_each_is_one_class_each_also_where_a_name_has_the_separator(tmp_path):
    plain = open_dataset(table(tmp_path, "a.png,cat\nb.png,dog\n"))
    assert not plain.multi_label and sets(plain) == [(), ()] and plain.labels.tolist() == [0, 1]
    whole = open_dataset(table(tmp_path, "a.png,cat|kitten\nb.png,dog\n"), labels=("cat|kitten", "dog"))
    assert not whole.multi_label and whole.labels.tolist() == [0, 1]


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.float32])
def test_columns_of_an_npz_are_sets(tmp_path, dtype):
    found = open_dataset(arrays(tmp_path, np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0], [1, 1, 1]], dtype)))
    assert found.multi_label and found.ordered and found.classes == ("0", "1", "2")
    assert sets(found) == [(0, 2), (), (1,), (0, 1, 2)]


def test_one_hot_columns_are_one_class_each(tmp_path):
    found = open_dataset(arrays(tmp_path, np.eye(3)[[2, 0, 1, 1]]))
    assert not found.multi_label and found.labels.tolist() == [2, 0, 1, 1] and set(sets(found)) == {()}


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (np.full((4, 3), 2), "expected one whole number for each of the 4 images, or a row of 0 and 1 for each"),
        (np.full((4, 3), np.nan), "expected one whole number"),
        (np.zeros((3, 3)), r"`y` is float64 \(3, 3\)"),
        (np.zeros((4, 3, 2)), "must hold one whole number for each"),
    ],
)
def test_columns_that_are_no_labels(tmp_path, y, words):
    with pytest.raises(UsageError, match=words):
        open_dataset(arrays(tmp_path, y))
    with pytest.raises(UsageError, match="has 3 columns, but --labels has 2 names"):
        open_dataset(arrays(tmp_path, np.eye(3)[[0, 1, 2, 2]]), labels=("a", "b"))


def test_the_evaluation_set_keeps_them_and_its_hash_knows_them(tmp_path):
    size, rule = (4, 4, 3), Preprocessing("none")
    one = open_dataset(arrays(tmp_path, [[1, 0], [1, 1], [0, 0], [0, 1]]))
    made = evaluation_set(one, rule, size, tmp_path / "cache")
    again = evaluation_set(one, rule, size, tmp_path / "cache")
    assert made.sets == again.sets == ((0,), (0, 1), (), (1,))
    assert made.record == again.record and made.record.multi_label and made.record.labelled
    assert (made.record.images, made.record.classes) == (4, 2)
    other = evaluation_set(
        open_dataset(arrays(tmp_path, [[1, 0], [1, 0], [0, 0], [0, 1]])), rule, size, tmp_path / "cache"
    )
    assert other.sets[1] == (0,) and other.record.sha256 != made.record.sha256
    assert other.record.pixels_sha256 == made.record.pixels_sha256


def test_they_are_not_trained_on_and_their_split_is_held(tmp_path):
    path = table(tmp_path, "a.png,cat|dog\nb.png,\n")
    found = open_dataset(path)
    with pytest.raises(UsageError, match="carry several labels"):
        make_splits(found, 0)
    split = tmp_path / "labels.split.csv"
    write_split(found, split)
    assert split.read_text() == "path,label,split\na.png,cat|dog,\nb.png,,\n"
    split.write_text("path,label,split\na.png,cat|dog,test\nb.png,,train\n")
    assert [item.split for item in open_dataset(path, splits=()).items] == ["test", "train"]
    split.write_text("path,label,split\na.png,cat,test\nb.png,,train\n")
    with pytest.raises(UsageError, match=r"calls a.png 'cat' and it lies under 'cat\|dog'"):
        open_dataset(path)
