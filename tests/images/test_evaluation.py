"""Evaluation sets from folders, CSV and NPZ."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgebench.errors import UsageError
from edgebench.images.evaluation import FOR_CALIBRATION, evaluation_set, open_dataset, stratified
from edgebench.images.resizing import resize_image
from edgebench.records import Preprocessing

PLAIN = Preprocessing("none")


def picture(path, value, size=(20, 10), mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    channels = {"RGB": (value, 0, 255 - value), "L": value, "RGBA": (value, 0, 0, 128)}[mode]
    Image.new(mode, size, channels).save(path)
    return path


@pytest.fixture
def folder(tmp_path):
    for split, count in (("train", 3), ("test", 2)):
        for label, name in enumerate(("cat", "dog")):
            for index in range(count):
                picture(tmp_path / "pets" / split / name / f"{index}.png", 100 * label + index)
    return tmp_path / "pets"


def test_a_folder_of_class_folders(folder, tmp_path):
    dataset = open_dataset(folder)
    assert dataset.classes == ("cat", "dog")
    assert [item.name for item in dataset.items] == [f"test/{c}/{i}.png" for c in ("cat", "dog") for i in (0, 1)]
    found = evaluation_set(dataset, PLAIN, (8, 6, 3), tmp_path / "cache")
    images = np.load(found.images)
    assert images.shape == (4, 8, 6, 3) and images.dtype == np.uint8
    assert found.labels.tolist() == [0, 0, 1, 1]
    assert images[:, 0, 0, 0].tolist() == [0, 1, 100, 101]


def test_calibration_prefers_the_training_split(folder):
    assert len(open_dataset(folder, splits=FOR_CALIBRATION).items) == 6


def test_decoded_once_and_the_hash_is_of_the_pictures_not_of_the_size(folder, tmp_path):
    first = evaluation_set(open_dataset(folder), PLAIN, (8, 8, 3), tmp_path / "cache")
    stamp = first.images.stat().st_mtime_ns
    again = evaluation_set(open_dataset(folder), PLAIN, (8, 8, 3), tmp_path / "cache")
    other = evaluation_set(open_dataset(folder), PLAIN, (9, 9, 3), tmp_path / "cache")
    assert again.images.stat().st_mtime_ns == stamp and again.record == first.record
    assert other.record.sha256 == first.record.sha256
    assert other.record.pixels_sha256 != first.record.pixels_sha256


def test_a_changed_picture_is_another_evaluation_set(folder, tmp_path):
    first = evaluation_set(open_dataset(folder), PLAIN, (8, 8, 3), tmp_path / "cache")
    picture(folder / "test/cat/0.png", 77, size=(21, 10))
    assert (
        evaluation_set(open_dataset(folder), PLAIN, (8, 8, 3), tmp_path / "cache").record.sha256 != first.record.sha256
    )


def test_corrupt_images_are_named_and_counted(folder, tmp_path):
    (folder / "test/cat/empty.png").write_bytes(b"")
    (folder / "test/dog/cut.png").write_bytes((folder / "test/dog/0.png").read_bytes()[:-30])
    record = evaluation_set(open_dataset(folder), PLAIN, (8, 8, 3), tmp_path / "cache").record
    assert record.images == 4
    assert [line.split(":")[0] for line in record.skipped] == ["test/cat/empty.png", "test/dog/cut.png"]


def test_nothing_readable_is_an_error(tmp_path):
    (tmp_path / "x/cat").mkdir(parents=True)
    (tmp_path / "x/cat/a.png").write_bytes(b"not a picture")
    with pytest.raises(UsageError, match=r"not one image of x can be read; the first: cat/a\.png: not an image"):
        evaluation_set(open_dataset(tmp_path / "x"), PLAIN, (8, 8, 3), tmp_path / "cache")


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
@pytest.mark.parametrize("channels", [1, 3])
def test_grey_colour_and_transparent_images_fit_any_model(tmp_path, mode, channels):
    path = picture(tmp_path / "a.png", 200, mode=mode)
    with Image.open(path) as image:
        assert resize_image(image, PLAIN, (5, 4, channels)).shape == (5, 4, channels)


def test_sixteen_bit_grey_is_scaled_not_clipped():
    image = Image.fromarray(np.full((4, 4), 0x8000, np.uint16))
    assert resize_image(image, PLAIN, (4, 4, 1))[0, 0, 0] == 128


def test_shortest_edge_then_centre_crop():
    image = Image.fromarray(np.tile(np.arange(100, dtype=np.uint8), (50, 1)))
    pixels = resize_image(image, Preprocessing("x", resize=(10,)), (10, 10, 1))
    assert pixels.shape == (10, 10, 1)
    assert 25 <= pixels[0, 0, 0] <= 29 and 70 <= pixels[0, -1, 0] <= 74


def test_csv_with_header_and_names(folder, tmp_path):
    table = folder / "table.csv"
    table.write_text("file,class\ntest/dog/0.png,dog\ntest/cat/0.png,cat\ngone.png,cat\n")
    dataset = open_dataset(table)
    assert dataset.classes == ("cat", "dog")
    found = evaluation_set(dataset, PLAIN, (8, 8, 3), tmp_path / "cache")
    assert found.labels.tolist() == [1, 0]
    assert found.record.skipped[0].startswith("gone.png: FileNotFoundError")


def test_npz(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "digits.npz", x_test=images, y_test=np.arange(6) % 3)
    found = evaluation_set(open_dataset(tmp_path / "digits.npz"), PLAIN, (8, 8, 1), tmp_path / "cache")
    assert np.array_equal(np.load(found.images)[..., 0], images)
    assert found.labels.tolist() == [0, 1, 2, 0, 1, 2]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gone", None, "no images at"),
        ("data.txt", b"x", "is no data set"),
        ("data.npz", b"x", "cannot read"),
        ("empty.csv", b"", "no images found in"),
        ("half.csv", b"p,l\na.png,1\nb.png\n", "some rows have a label and some have none"),
    ],
)
def test_bad_data_is_one_clear_line(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=message) as error:
        open_dataset(tmp_path / name)
    assert "\n" not in str(error.value)


def test_npz_of_floats_or_pickles_is_refused(tmp_path):
    np.savez(tmp_path / "f.npz", x=np.zeros((2, 8, 8, 3)))
    with pytest.raises(UsageError, match="float64"):
        open_dataset(tmp_path / "f.npz")
    np.savez(tmp_path / "o.npz", x=np.array([{}], dtype=object))
    with pytest.raises(UsageError, match="cannot read"):
        open_dataset(tmp_path / "o.npz")


def test_a_folder_that_is_no_label(folder):
    with pytest.raises(UsageError, match="'dog', which is not among the labels cat, bird"):
        open_dataset(folder, ["cat", "bird"])


def test_stratified_is_balanced_and_seeded():
    labels = np.array([0] * 90 + [1] * 10)
    chosen = stratified(labels, 20, seed=1)
    assert chosen == stratified(labels, 20, seed=1) != stratified(labels, 20, seed=2)
    assert np.bincount(labels[chosen]).tolist() == [10, 10]
    assert len(stratified(labels, 1000, 0)) == 100


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, -1, 2], "`y` is -1 at row 1 (1 of 3 rows are no class index)"),
        ([0, 1, 2_000_000], "`y` is 2000000 at row 2"),
        ([[0.0], [1.0], [2.0]], "must hold one whole number for each of the 3 images"),
    ],
)
def test_a_label_that_is_none_is_named_and_not_taken_for_the_whole_set(tmp_path, labels, message):
    np.savez(tmp_path / "d.npz", x=np.zeros((3, 4, 4, 3), np.uint8), y=np.array(labels))
    with pytest.raises(UsageError, match=re.escape(message)):
        open_dataset(tmp_path / "d.npz")


def test_an_npz_all_of_minus_one_has_no_labels(tmp_path):
    np.savez(tmp_path / "d.npz", x=np.zeros((3, 4, 4, 3), np.uint8), y=np.full(3, -1))
    assert evaluation_set(open_dataset(tmp_path / "d.npz"), PLAIN, (4, 4, 3), tmp_path / "c").record.labelled is False


def test_a_csv_without_header_keeps_its_first_row_where_that_file_is_missing(folder, tmp_path):
    (folder / "table.csv").write_text("gone.png,cat\ntest/cat/0.png,cat\ntest/dog/0.png,dog\n")
    dataset = open_dataset(folder / "table.csv")
    assert [item.name for item in dataset.items] == ["gone.png", "test/cat/0.png", "test/dog/0.png"]
    record = evaluation_set(dataset, PLAIN, (8, 8, 3), tmp_path / "cache").record
    assert record.images == 2 and record.skipped[0].startswith("gone.png")


def test_csv_encodings(folder):
    (folder / "utf16.csv").write_bytes("path,label\ntest/cat/0.png,Käfer\n".encode("utf-16"))
    assert open_dataset(folder / "utf16.csv").classes == ("Käfer",)
    (folder / "latin.csv").write_bytes("path,label\ntest/cat/0.png,Käfer\n".encode("latin-1"))
    with pytest.raises(UsageError, match=r"latin.csv is not UTF-8 text \(line 2\): save it as UTF-8"):
        open_dataset(folder / "latin.csv")


def test_class_folders_whose_names_are_no_utf8(tmp_path):
    place = os.fsencode(tmp_path / "photos") + b"/caf\xe9"
    os.makedirs(place)
    picture(Path(os.fsdecode(place)) / "a.png", 5)
    found = evaluation_set(open_dataset(tmp_path / "photos"), PLAIN, (8, 8, 3), tmp_path / "cache")
    assert found.classes == ("caf\\xe9",) and found.record.images == 1


@pytest.mark.parametrize("upright", [False, True])
def test_photos_that_their_exif_turns_are_counted(tmp_path, upright):
    for name, orientation in (("a", None), ("b", 1), ("c", 6), ("d", 3), ("e", 99)):
        exif = Image.Exif()
        exif.update({} if orientation is None else {0x0112: orientation})
        Image.new("RGB", (6, 4)).save(tmp_path / f"{name}.jpg", exif=exif)
    picture(tmp_path / "f.png", 1)
    rule = Preprocessing("x", upright=upright)
    made = evaluation_set(open_dataset(tmp_path), rule, (4, 6, 3), tmp_path / "cache")
    assert (made.record.images, made.record.turned, made.record.skipped) == (6, 2, ())
