"""Accuracy on several cores: the same outputs bit for bit, one failing piece fails the whole, memory does not grow."""

import dataclasses

import numpy as np
import pytest

from edgebench.devices import pieces as module
from edgebench.devices.local import LocalDevice
from edgebench.devices.pieces import pieces
from edgebench.records import NAN, OK, REFUSED, Job, Preprocessing, Settings
from tests.models import onnx_models


@pytest.fixture
def job(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (203, 8, 8, 3), np.uint8)
    np.save(tmp_path / "images.npy", images)
    model = onnx_models.classifier(tmp_path / "model.onnx")
    return Job(
        kind="accuracy", artifact=str(model), artifact_sha256="a" * 64, runtime="onnxruntime",
        runtime_module="edgebench.runner.runtimes.onnxruntime", input=None, output=None, layout="",
        preprocessing=Preprocessing("none"), images=str(tmp_path / "images.npy"), images_sha256="b" * 64,
        settings=Settings(),
    )  # fmt: skip


@pytest.fixture(autouse=True)
def _three_cores(monkeypatch):
    monkeypatch.setattr(module.os, "sched_getaffinity", lambda _: {0, 1, 2})


def outcome_of(job):
    with LocalDevice() as device:
        return device.run(job, lambda _event: None)


def test_the_pieces_are_all_images_in_order(job):
    parts = pieces(job)
    assert [(part.first, part.last) for part in parts] == [(0, 68), (68, 135), (135, 203)]
    assert pieces(dataclasses.replace(job, kind="latency")) == [dataclasses.replace(job, kind="latency")]
    by_eight = dataclasses.replace(job, settings=Settings(batch=8))
    assert [part.first for part in pieces(by_eight)] == [0, 64, 136]
    gpu = dataclasses.replace(job, settings=Settings(accelerator="gpu"))
    assert pieces(gpu) == [gpu]


def test_several_processes_say_what_one_says(job, monkeypatch):
    several = outcome_of(job)
    monkeypatch.setattr(module, "LEAST_IMAGES", 1000)
    one = outcome_of(job)
    assert several.run.status == one.run.status == OK
    assert several.run.images == one.run.images == 203 and several.run.settings == job.settings
    assert several.outputs.dtype == np.float32 and (several.outputs == one.outputs).all()


def test_what_fails_in_a_piece_fails_the_whole(job, tmp_path):
    broken = onnx_models.classifier(tmp_path / "nan.onnx", bias=float("nan"))
    run = outcome_of(dataclasses.replace(job, artifact=str(broken))).run
    assert run.status == NAN and run.reason == "; ".join(
        f"{n} of {n} images gave outputs that are not finite, the first is image {first}"
        for n, first in ((68, 0), (67, 68), (68, 135))
    )
    (tmp_path / "cut.onnx").write_bytes(broken.read_bytes()[:100])
    assert outcome_of(dataclasses.replace(job, artifact=str(tmp_path / "cut.onnx"))).run.status == REFUSED
