"""Splits that the data bring, and the one that is drawn by seed and written down."""

from collections import Counter

import numpy as np
import pytest

from edgebench.errors import UsageError
from edgebench.images.evaluation import FOR_CALIBRATION, open_dataset, open_whole
from edgebench.images.splits import make_splits, split_file, write_split
from tests.images.test_evaluation import picture


@pytest.fixture
def pets(tmp_path):
    for label, (name, count) in enumerate({"cat": 20, "dog": 10}.items()):
        for index in range(count):
            picture(tmp_path / "pets" / name / f"{index:02}.png", 100 * label + index)
    return tmp_path / "pets"


def names(dataset):
    return {item.name for item in dataset.items}


def test_a_folder_without_splits_is_drawn_by_seed_class_by_class(pets):
    parts = make_splits(open_whole(pets), seed=3)
    assert [len(part.items) for part in (parts.train, parts.val, parts.test)] == [21, 6, 3]
    assert Counter(item.label for item in parts.val.items) == {0: 4, 1: 2}
    assert Counter(item.label for item in parts.test.items) == {0: 2, 1: 1}
    assert names(parts.train) | names(parts.val) | names(parts.test) == names(open_whole(pets))
    assert names(make_splits(open_whole(pets), seed=3).test) == names(parts.test)
    assert names(make_splits(open_whole(pets), seed=4).test) != names(parts.test)


def test_what_was_written_down_is_what_calibrates_and_tests_from_then_on(pets):
    parts = make_splits(open_whole(pets), seed=0)
    write_split(parts.to_write, split_file(pets))
    assert names(open_dataset(pets)) == names(parts.test)
    assert names(open_dataset(pets, splits=FOR_CALIBRATION)) == names(parts.train)
    again = make_splits(open_whole(pets), seed=99)
    assert names(again.val) == names(parts.val) and again.to_write is None
    # The file is a data set of its own, too.
    table = open_dataset(pets / "split.csv")
    assert names(table) == names(parts.test) and table.classes == ("cat", "dog")


def test_images_that_came_later_or_moved_are_said(pets):
    write_split(make_splits(open_whole(pets), 0).to_write, split_file(pets))
    late = picture(pets / "cat/late.png", 1)
    with pytest.raises(UsageError, match=r"does not name 1 of the images \(cat/late\.png, \.\.\)"):
        open_dataset(pets)
    late.unlink()
    lines = (pets / "split.csv").read_text().replace("cat/00.png,cat", "cat/00.png,dog")
    (pets / "split.csv").write_text(lines)
    with pytest.raises(UsageError, match=r"calls cat/00\.png 'dog' and it lies under 'cat'"):
        open_dataset(pets)


def test_a_csv_with_a_column_of_splits(pets):
    rows = [f"cat/{i:02}.png,cat,{s}" for i, s in enumerate(("train", "train", "validation", "test"))]
    rows += [f"dog/{i:02}.png,dog,{s}" for i, s in enumerate(("Train", "val", "test"))]
    (pets / "t.csv").write_text("\n".join(["path,label,split", *rows]))
    assert names(open_dataset(pets / "t.csv")) == {"cat/03.png", "dog/02.png"}
    parts = make_splits(open_whole(pets / "t.csv"), 0)
    assert [len(p.items) for p in (parts.train, parts.val, parts.test)] == [3, 2, 2]
    (pets / "t.csv").write_text("\n".join(["path,label,split", rows[0], "dog/00.png,dog,tests"]))
    with pytest.raises(UsageError, match=r"the split of dog/00\.png is 'tests', expected train, val or test"):
        open_dataset(pets / "t.csv")
    (pets / "t.csv").write_text("\n".join(["path,label,remark", "cat/00.png,cat,blurred", "dog/00.png,dog,"]))
    assert len(open_dataset(pets / "t.csv").items) == 2


def test_every_split_of_an_npz_keeps_its_rows(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (9, 4, 4, 1), dtype=np.uint8)
    labels = np.arange(9) % 2
    np.savez(
        tmp_path / "d.npz", x_train=images[:4], y_train=labels[:4], x_val=images[4:6], y_val=labels[4:6],
        x_test=images[6:], y_test=labels[6:],
    )  # fmt: skip
    whole = open_whole(tmp_path / "d.npz")
    assert [item.split for item in whole.items] == ["train"] * 4 + ["val"] * 2 + ["test"] * 3
    test = open_dataset(tmp_path / "d.npz")
    assert [item.name for item in test.items] == ["x_test[0]", "x_test[1]", "x_test[2]"]
    assert np.array_equal(test.array[[item.row for item in test.items]], images[6:])
    assert np.array_equal(whole.array[[item.row for item in whole.of_split("val").items]], images[4:6])


def test_an_npz_without_splits_is_written_down_beside_it(tmp_path):
    path = tmp_path / "d.npz"
    np.savez(path, x=np.zeros((20, 4, 4, 3), np.uint8), y=np.arange(20) % 2)
    parts = make_splits(open_whole(path), 0)
    write_split(parts.to_write, split_file(path))
    assert split_file(path).name == "d.split.csv"
    assert [item.row for item in open_dataset(path).items] == [item.row for item in parts.test.items]


def test_val_is_drawn_from_train_where_test_is_given(pets):
    for split in ("train", "test"):
        for name in ("cat", "dog"):
            for index in range(8):
                picture(pets.parent / "two" / split / name / f"{index}.png", index)
    parts = make_splits(open_whole(pets.parent / "two"), 0)
    assert (len(parts.train.items), len(parts.val.items), len(parts.test.items)) == (14, 2, 16)
    assert parts.to_write is None and all(name.startswith("train/") for name in names(parts.val))


def test_a_class_that_one_split_lacks_keeps_the_indices(tmp_path):
    for place in ("train/ant", "train/bee", "train/cat", "test/ant", "test/cat"):
        picture(tmp_path / place / "a.png", 1)
    assert [(item.name, item.label) for item in open_dataset(tmp_path).items] == [
        ("test/ant/a.png", 0),
        ("test/cat/a.png", 2),
    ]


@pytest.mark.parametrize(
    ("places", "message"),
    [
        (["cat"] * 5, "has one class, 'cat'"),
        (["cat", "dog"], "the class 'cat' of d has 1 images: a split into train, val, test needs 3"),
        (["cat/x"] * 4 + ["dog/.keep"], "the class 'dog' of d has no images"),
        (["train/cat", "train/dog", "val/cat", "val/eel"], "the class 'eel' is in val and not in train"),
        (["test/cat", "test/dog"], "has the split test alone"),
        (["."] * 4, "have no labels"),
    ],
)
def test_what_cannot_be_split_is_one_clear_line(tmp_path, places, message):
    for index, place in enumerate(places):
        if place.endswith(".keep"):
            (tmp_path / "d" / place).parent.mkdir(parents=True)
        else:
            picture(tmp_path / "d" / place / f"{index}.png", index)
    with pytest.raises(UsageError, match=message) as error:
        make_splits(open_whole(tmp_path / "d"), 0)
    assert "\n" not in str(error.value)
