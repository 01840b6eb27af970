"""Several evaluation sets and perturbed ones: each artifact sees the same pixels, nothing is stored, all is resumed."""

import dataclasses

import numpy as np
import pytest

from edgebench.errors import UsageError
from edgebench.images.evaluation import open_dataset
from edgebench.images.perturbations import parse_perturbation
from edgebench.measures.outputs import unpack
from edgebench.pipeline.artifacts import find_artifacts
from edgebench.pipeline.evaluations import Exams
from edgebench.pipeline.profile import profile
from edgebench.pipeline.request import Request
from edgebench.records import OK
from tests.models import onnx_models
from tests.pipeline.test_profile import QUICK, Counting, ignore, write_photos

ONCE = dataclasses.replace(QUICK, processes=1, max_processes=1)
PERTURBATIONS = (*parse_perturbation("noise=0:40:40"), *parse_perturbation("patch=3", seed=1))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Photos and three models, of which two have images of one size."""
    folder = tmp_path_factory.mktemp("perturbed")
    write_photos(folder)
    (folder / "models").mkdir()
    for name in ("one", "two"):
        onnx_models.classifier(folder / "models" / f"{name}.onnx")
    onnx_models.classifier(folder / "models" / "small.onnx", size=6)
    return folder


def request(models, place, out, perturbations=PERTURBATIONS, sets=1, **changes):
    datasets = [open_dataset(place / "photos")] * sets
    exams = Exams(datasets, out / "cache", ignore, perturbations)
    return Request(find_artifacts([models], None), exams, ONCE, out, **changes)


class Watching(Counting):
    """Counts the jobs, and keeps the pixels each was given and what lay beside them."""

    def __init__(self, cache, interrupt_after=10**9):
        super().__init__(interrupt_after)
        self.pixels, self.beside, self.cache = [], 0, cache

    def run(self, job, progress):
        if job.kind == "accuracy":
            self.pixels.append((job.cell, np.load(job.images)))
            self.beside = max(self.beside, len(list(self.cache.glob(".edgebench-tmp-*/*.npy"))))
        return super().run(job, progress)


@pytest.fixture(scope="module")
def whole(place):
    """A profile from its beginning to its end: the results by model, its device, its folder."""
    out = place / "whole"
    device = Watching(out / "cache")
    return {r.artifact.model: r for r in profile(request(place / "models", place, out), device, ignore)}, device, out


def test_every_artifact_sees_the_same_perturbed_pixels(whole):
    results, device, out = whole
    assert all(result.status == OK for result in results.values())
    labels = [e.perturbation and e.perturbation.label for e in results["one"].evaluations]
    assert labels == [None, "noise 0", "noise 40", "patch 3"]
    of = {name: [p for cell, p in device.pixels if cell.startswith(name)] for name in results}
    assert [len(of[name]) for name in results] == [3, 3, 3]  # severity 0 is the set as it is
    assert all((a == b).all() for a, b in zip(of["one"], of["two"], strict=True))
    clean, noisy = of["one"][0].astype(int), of["one"][1].astype(int)
    assert 20 < np.abs(noisy - clean).mean() < 40
    assert device.beside == 1 and not list((out / "cache").glob(".edgebench-tmp-*/*.npy"))
    untouched, zero = results["one"].evaluations[:2]
    assert zero.accuracy.top1_correct == untouched.accuracy.top1_correct and zero.accuracy.classes is None
    assert untouched.accuracy.classes is not None and untouched.outputs and not zero.outputs
    assert [run.kind for run in results["one"].runs] == ["memory", "accuracy", "latency"]


def test_an_interrupted_sweep_of_perturbations_goes_on(whole, place, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        profile(request(place / "models", place, tmp_path), Watching(tmp_path / "cache", 8), ignore)
    resumed = Watching(tmp_path / "cache")
    results = profile(request(place / "models", place, tmp_path), resumed, ignore)
    assert len(resumed.jobs) + 8 == len(whole[1].jobs)
    assert [r.evaluations for r in results] == [r.evaluations for r in whole[0].values()]


def test_a_limit_on_images_takes_the_same_images_perturbed(place, tmp_path):
    out = tmp_path / "out"
    device = Watching(out / "cache")
    result = profile(request(place / "models/one.onnx", place, out, PERTURBATIONS[1:2], images=5), device, ignore)[0]
    assert {len(pixels) for _, pixels in device.pixels} == {5}
    assert len({e.accuracy.rows_sha256 for e in result.evaluations}) == 1
    assert all(len(unpack(e.accuracy.right, 5)) == 5 for e in result.evaluations)


def test_two_sets_are_two_evaluations_and_one_measurement(place, tmp_path):
    result = profile(request(place / "models/one.onnx", place, tmp_path / "out", (), sets=2), Counting(), ignore)[0]
    assert [run.kind for run in result.runs] == ["memory", "accuracy", "accuracy", "latency"]
    assert len(result.evaluations) == 2 and len({e.outputs for e in result.evaluations}) == 2


def test_a_patch_without_room_is_said_before_anything_is_measured(place, tmp_path):
    device = Counting()
    with pytest.raises(UsageError, match=r"patch=9 is larger than the images of one, 8x8"):
        profile(
            request(place / "models/one.onnx", place, tmp_path / "out", parse_perturbation("patch=9")), device, ignore
        )
