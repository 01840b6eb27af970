"""The images of a training: leaks and unreadable files are named, and nothing is trained on what tests."""

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_images

from edgebench.errors import UsageError
from edgebench.images.duplicates import across, looks
from edgebench.images.stored import StoredRows, new_rows
from edgebench.records import EpochRecord, Preprocessing
from edgebench.training.data import open_splits, prepare
from edgebench.training.events import Note
from edgebench.training.phases import best_of, class_weights, confusion, judge, order, out_of_patience
from edgebench.training.settings import Training

RULE = Preprocessing("none")


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Patches of two photographs, in train, val and test folders; no two alike."""
    folder = tmp_path_factory.mktemp("scenes")
    generator = np.random.default_rng(0)
    for split, count in (("train", 6), ("val", 3), ("test", 3)):
        for name, photo in zip(("flower", "temple"), load_sample_images().images[::-1], strict=True):
            place = folder / split / name
            place.mkdir(parents=True)
            for index in range(count):
                top, left = generator.integers(0, 250), generator.integers(0, 450)
                Image.fromarray(photo[top : top + 150, left : left + 150]).save(place / f"{index}.png")
    return folder


def test_a_photo_in_two_splits_under_another_name_and_size_is_named(scenes, tmp_path):
    with Image.open(scenes / "train/temple/3.png") as image:
        image.resize((97, 97), Image.Resampling.BICUBIC).save(scenes / "test/temple/holiday.jpg", quality=80)
    (scenes / "val/flower/copy.png").write_bytes((scenes / "train/flower/0.png").read_bytes())
    (scenes / "test/flower/broken.png").write_bytes(b"no picture")
    notes = []
    training = Training("cnn:8", str(scenes))
    splits = open_splits(training, tmp_path, notes.append)
    data = prepare(splits, RULE, (48, 48, 3), tmp_path / "cache", notes.append)
    assert data.duplicates == (
        "val/flower/copy.png (val) is train/flower/0.png (train)",
        "test/temple/holiday.jpg (test) is train/temple/3.png (train)",
    )
    assert data.unreadable == ("test/flower/broken.png: not an image",)
    said = [note.text for note in notes if isinstance(note, Note)]
    assert said[0].startswith("1 images cannot be read and are left out: test/flower/broken.png")
    assert said[1].startswith("2 images are in two splits at once")
    assert data.counts == {"train": 12, "val": 7, "test": 7} and data.judged_on == "test"
    assert len(data.test.names) == 7 and "test/flower/broken.png" not in data.test.names


def test_different_patches_of_one_photograph_are_no_duplicates(tmp_path):
    photo = load_sample_images().images[0]
    patches = np.stack([photo[y : y + 96, x : x + 96] for y in (0, 100, 200) for x in (0, 100, 200, 300)])
    np.save(tmp_path / "a.npy", patches[:6])
    np.save(tmp_path / "b.npy", patches[6:])
    with StoredRows(tmp_path / "a.npy") as one, StoredRows(tmp_path / "b.npy") as other:
        assert across(looks(one), looks(other)) == []
        assert [(d.first, d.second) for d in across(looks(one), looks(one))] == [(i, i) for i in range(6)]


def test_a_folder_that_cannot_be_written_gets_its_split_beside_the_model(photos, tmp_path, monkeypatch):
    def refuse(dataset, file, parent=None):
        if parent is None:
            raise OSError(30, "Read-only file system")
        (tmp_path / "seen").write_text(f"{file} {parent}")

    monkeypatch.setattr("edgebench.training.data.write_split", refuse)
    notes = []
    open_splits(Training("cnn:8", str(photos / "train")), tmp_path, notes.append)
    assert f"--data {tmp_path / 'split.csv'}" in notes[0].text
    assert (tmp_path / "seen").read_text() == f"{tmp_path / 'split.csv'} {photos / 'train'}"


def test_one_class_and_two_images_are_one_clear_line(tmp_path):
    for name in ("a", "b"):
        (tmp_path / "two" / name).mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(tmp_path / "two" / name / "1.png")
    with pytest.raises(UsageError, match="the class 'a' of two has 1 images"):
        open_splits(Training("cnn:8", str(tmp_path / "two")), tmp_path, print)


def test_rows_on_disk_are_read_in_any_order_and_not_mapped(tmp_path):
    values = np.arange(24, dtype=np.float32).reshape(6, 4)
    with new_rows(tmp_path / "x.npy", (6, 4)) as add:
        add(values[:4])
        add(values[4:])
    with StoredRows(tmp_path / "x.npy") as rows:
        assert len(rows) == 6 and np.array_equal(rows.take([5, 0, 5]), values[[5, 0, 5]])
        assert np.array_equal(np.concatenate(list(rows.batches(4))), values)


def test_orders_judgements_and_patience():
    training = Training("cnn:8", "x", seed=1, patience=2, class_weights=True)
    assert sorted(order(training, 0, 3, 10)) == list(range(10))
    assert np.array_equal(order(training, 0, 3, 10), order(training, 0, 3, 10))
    assert not np.array_equal(order(training, 0, 3, 10), order(training, 0, 4, 10))
    probabilities = np.array([[0.5, 0.5], [0.25, 0.75], [0.75, 0.25]], np.float32)
    verdict = judge(probabilities, np.array([0, 1, 1]))
    assert verdict.accuracy == pytest.approx(2 / 3)
    assert verdict.loss == pytest.approx((np.log(2) + np.log(4 / 3) + np.log(4)) / 3)
    assert confusion(probabilities, np.array([0, 1, 1]), 2) == ((1, 0), (1, 1))

    history = [EpochRecord("all", n + 1, 1, 0, loss, 0, 1e-3, 1) for n, loss in enumerate((3.0, 2.0, 2.0, 2.5))]
    assert best_of(history) == 1
    assert not out_of_patience(training, history[:3], "all") and out_of_patience(training, history, "all")


def test_a_rare_class_weighs_more():
    from edgebench.training.data import Part

    part = Part(None, np.array([0] * 9 + [1] * 3), ())
    assert class_weights(Training("cnn:8", "x", class_weights=True), part, 2) == pytest.approx([12 / 18, 2.0])
    assert class_weights(Training("cnn:8", "x"), part, 2).tolist() == [1, 1]
