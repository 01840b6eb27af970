"""Perturbations: those of the published package pixel by pixel, the same for everybody, and bad input."""

from pathlib import Path

import numpy as np
import pytest

from edgebench.errors import UsageError
from edgebench.images.perturbations import (
    CORRUPTIONS,
    GREY,
    check_size,
    common,
    parse_perturbation,
    perturb,
)
from edgebench.records import Perturbation

PUBLISHED = np.load(Path(__file__).parent / "published_corruptions.npz")
"""One photograph (scikit-image's astronaut at 32 px) as `benchmarks/corruptions.py` had the package corrupt it."""
PHOTOGRAPH = PUBLISHED["original"]
IMAGES = np.stack([PHOTOGRAPH, PHOTOGRAPH[::-1], PHOTOGRAPH[:, ::-1]])


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corruption_is_the_published_one(name):
    ours = perturb(PHOTOGRAPH[None], Perturbation(name, 3), [0])[0].astype(int)
    apart = np.abs(ours - PUBLISHED[name])
    assert np.median(apart) == 0 and (apart > 1).mean() < 0.01
    assert np.abs(PUBLISHED[name].astype(int) - PHOTOGRAPH).mean() > 3


@pytest.mark.parametrize("name", [*CORRUPTIONS, "noise", "patch"])
def test_the_number_of_an_image_and_not_its_piece_decides(name):
    perturbation = Perturbation(name, 4, seed=7)
    together = perturb(IMAGES, perturbation, [0, 1, 9])
    assert (perturb(IMAGES[2:], perturbation, [9])[0] == together[2]).all()
    assert together.dtype == np.uint8 and together.shape == IMAGES.shape
    grey = perturb(IMAGES[:1, :8, :10, :1], perturbation, [0])
    assert grey.shape == (1, 8, 10, 1)


def test_noise_grows_with_its_severity_and_is_clipped():
    flat = np.full((1, 200, 200, 3), 128, np.uint8)
    one, two = (perturb(flat, Perturbation("noise", sigma), [0]).astype(float) - 128 for sigma in (10, 20))
    assert one.std() == pytest.approx(10, rel=0.02)
    assert np.abs(two - 2 * one).max() <= 1.5  # the same noise, twice as strong
    assert perturb(flat, Perturbation("noise", 255), [0]).min() == 0
    assert (
        perturb(flat, Perturbation("noise", 10, seed=1), [0]) != perturb(flat, Perturbation("noise", 10), [0])
    ).any()
    assert perturb(flat, Perturbation("noise", 0), [0]) is flat


def test_a_patch_covers_a_square_inside_the_image():
    black = np.zeros((20, 30, 40, 3), np.uint8)
    covered = perturb(black, Perturbation("patch", 8), range(20)) == GREY
    assert (covered.sum(axis=(1, 2, 3)) == 8 * 8 * 3).all()
    places = {tuple(np.argwhere(image)[0]) for image in covered}
    assert len(places) > 10
    assert (perturb(black[:1], Perturbation("patch", 30), [0]) == GREY).sum() == 30 * 30 * 3


def test_severities_are_read_as_written():
    assert [p.severity for p in parse_perturbation("noise=0:100:25")] == [0, 25, 50, 75, 100]
    assert [p.severity for p in parse_perturbation("patch=20:160:28")] == [20, 48, 76, 104, 132, 160]
    assert [p.label for p in parse_perturbation("fog=1,3")] == ["fog 1", "fog 3"]
    assert [p.severity for p in parse_perturbation("noise=0:0.3:0.1")] == [0, 0.1, 0.2, 0.3]
    assert len(common()) == 75 and len(common("weather")) == 20


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nois=3", "unknown perturbation 'nois': did you mean noise?"),
        ("gausian_noise=3", "did you mean gaussian_noise?"),
        ("xyzzy=1", "known are noise, patch, gaussian_noise"),
        ("fog=6", "fog has the severities 1 to 5, not 6"),
        ("fog=1.5", "not 1.5"),
        ("noise=300", "noise goes from 0 to 255, not to 300"),
        ("noise=-1", "not to -1"),
        ("patch=2.5", "a whole number of pixels"),
        ("noise", "says no severity: write it as noise=0:100:10"),
        ("noise=a", "cannot read the severities"),
        ("noise=nan", "not to nan"),
        ("noise=1:2", "cannot read the severities"),
        ("noise=10:0:1", "cannot go from 10 to 0"),
        ("noise=0:10:0", "in steps of 0"),
        ("noise=0:inf:1", "cannot go from 0 to inf"),
        ("noise=0:255:0.01", "at most 200"),
    ],
)
def test_bad_perturbations_are_one_clear_line(text, message):
    with pytest.raises(UsageError) as error:
        parse_perturbation(text)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_a_patch_larger_than_the_images_is_refused():
    check_size(Perturbation("patch", 32), (32, 40, 3), "digits")
    with pytest.raises(UsageError, match=r"patch=33 is larger than the images of digits, 32x40: give at most patch=32"):
        check_size(Perturbation("patch", 33), (32, 40, 3), "digits")
