"""Batches in accuracy runs: the same bits as one image at a time, or one image at a time."""

import dataclasses

import numpy as np
import pytest

from edgebench.records import Settings, TensorSpec
from edgebench.runner import batching, kinds
from edgebench.runner.runtimes import RefusedError, litert
from tests.make import make_job, make_run

COUNT = 203  # the last batch is not full


@pytest.fixture
def images(tmp_path):
    values = np.random.default_rng(0).integers(0, 256, (COUNT, 16, 16, 1), np.uint8)
    np.save(tmp_path / "images.npy", values)
    return tmp_path / "images.npy"


@pytest.fixture
def clock(monkeypatch):
    """Decides which way is the faster one, whatever this machine does meanwhile."""
    now = {"batches": 1, "one": 2}
    monkeypatch.setattr(batching, "_nanoseconds", lambda outputs, session, size: now["one" if size == 1 else "batches"])
    return now


def outputs_of(job, runtime, folder):
    events = []
    run = kinds.accuracy(job, make_run(kind="accuracy"), runtime, folder, lambda *a, **facts: events.append(facts))
    assert events[-1] == {"done": COUNT, "total": COUNT} and run.images == COUNT and run.status == "ok"
    return run, np.load(folder / "outputs.npy")


@pytest.mark.parametrize("precision", ["float32", "int8", "dynamic"])
def test_batches_give_the_same_bits(converted, images, tmp_path, clock, monkeypatch, precision):
    (file,) = (converted / "artifacts").rglob(f"*-{precision}.tflite")
    job = make_job(runtime="litert", artifact=file, images=images, settings=Settings(pin=False))
    run, several = outputs_of(job, litert, tmp_path)
    assert run.environment[batching.FACT] == "16" and run.input.shape == (1, 16, 16, 1)
    clock["batches"] = 3
    run, one = outputs_of(job, litert, tmp_path)
    assert run.environment[batching.FACT] == "1: no faster in batches of 16"
    assert several.shape == (COUNT, 10) and several.tobytes() == one.tobytes()
    monkeypatch.setattr(batching, "FEWEST_IMAGES", COUNT + 1)
    run, few = outputs_of(job, litert, tmp_path)
    assert batching.FACT not in run.environment and few.tobytes() == one.tobytes()


class Net:
    """A session that sums pixels; `mixes` adds something of the whole batch, `breaks` cannot be invoked in batches."""

    version = "1"

    def __init__(self, batch, mixes=False, breaks=False):
        self.input, self.output = TensorSpec("x", (batch, 16, 16, 1), "float32"), TensorSpec("y", (batch, 2), "float32")
        self._mixes, self._breaks, self.batch, self.closed = mixes, breaks and batch > 1, batch, False

    def copy_in(self, array):
        assert array.shape == self.input.shape and not self.closed
        self._values = array

    def invoke(self):
        if self._breaks:
            raise RefusedError("no room")

    def copy_out(self):
        sums = self._values.sum(axis=(1, 2, 3)) + self._mixes * self._values.mean()
        return np.stack([sums, -sums], axis=1)

    def facts(self):
        return {}

    def close(self):
        self.closed = True


class Runtime:
    """Opens `Net`s, and remembers them."""

    def __init__(self, refuses=False, **habits):
        self.opened, self._refuses, self._habits = [], refuses, habits

    def takes_batches(self, name):
        return name == "litert"

    def open_session(self, name, path, settings):
        if self._refuses and settings.batch > 1:
            raise RefusedError("it is fixed")
        self.opened.append(Net(settings.batch, **self._habits))
        return self.opened[-1]


@pytest.mark.parametrize(
    ("habits", "fact"),
    [
        ({}, "16"),
        ({"mixes": True}, "1: outputs differ in batches of 16"),
        ({"breaks": True}, "1: refused at 16: no room"),
        ({"refuses": True}, "1: refused at 16: it is fixed"),
    ],
)
def test_what_a_batch_changes_goes_one_by_one(images, tmp_path, clock, habits, fact):
    job = make_job(runtime="litert", artifact=images, images=images, settings=Settings(pin=False))
    run, outputs = outputs_of(job, Runtime(**habits), tmp_path)
    assert run.environment[batching.FACT] == fact
    alone = Net(1, mixes=habits.get("mixes", False))
    for row, image in zip(outputs, np.load(images), strict=True):
        alone.copy_in(image[None].astype(np.float32))
        assert (row == alone.copy_out()[0]).all()


def test_where_nothing_is_tried(images, tmp_path, clock, monkeypatch):
    job = make_job(runtime="litert", artifact=images, images=images, settings=Settings(pin=False))
    settings = Settings(pin=False)
    for changed in (
        dataclasses.replace(job, runtime="tflite-runtime"),
        dataclasses.replace(job, settings=dataclasses.replace(settings, batch=2)),
        dataclasses.replace(job, settings=dataclasses.replace(settings, accelerator="gpu")),
    ):
        runtime = Runtime()
        run, _ = outputs_of(changed, runtime, tmp_path)
        assert batching.FACT not in run.environment and len(runtime.opened) == 1
    for limit in ("LARGEST_INPUT", "LARGEST_FILE"):
        with monkeypatch.context() as smaller:
            smaller.setattr(batching, limit, 255)
            assert batching.FACT not in outputs_of(job, Runtime(), tmp_path)[0].environment


def test_latency_and_memory_take_what_they_were_asked_for(images, tmp_path):
    quick = Settings(pin=False, min_runs=2, min_seconds=0, max_seconds=0.1, warmup=1)
    job = make_job("latency", runtime="litert", artifact=images, images=images, settings=quick)
    for kind in (kinds.latency, kinds.memory):
        runtime = Runtime()
        kind(job, make_run(kind="latency"), runtime, tmp_path, lambda *a, **k: None)
        assert [net.batch for net in runtime.opened] == [1]
