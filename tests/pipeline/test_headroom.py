"""A model that is too large for this machine's memory: said before, and the reason of what the system killed."""

from pathlib import Path

from edgebench.pipeline import headroom, workers
from edgebench.pipeline.calibration import plan_images
from edgebench.pipeline.convert import convert
from edgebench.pipeline.events import MemoryShort
from edgebench.pipeline.manifests import Order
from edgebench.records import CRASHED, Source

WORKER = """
import os, signal, sys
import numpy as np
from edgebench.converters import worker
from edgebench.converters.base import SourceModel
from edgebench.records import Preprocessing

class Module:
    @staticmethod
    def to_onnx(model, path):
        os.kill(os.getpid(), signal.SIGKILL)

    @staticmethod
    def predict(model, images):
        return np.ones((len(images), 4), np.float32)

def load(request):
    parameters = 50_000_000
    return Module, SourceModel(request.source, 8, 8, 3, 4, (), parameters, Preprocessing("none"), None)

worker.load = load
sys.exit(worker.main(sys.argv[1:]))
"""
SHORT = (
    "converting it takes about 3.7 GB of memory and 2.5 GB are free: the system may kill it; free some, or convert it "
    "on a larger machine"
)


def test_it_is_said_before_and_in_the_reason_of_what_was_killed(tmp_path, monkeypatch):
    (tmp_path / "killed_worker.py").write_text(WORKER)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).parents[2]}")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setattr(workers, "CONVERTER", "killed_worker")
    monkeypatch.setattr(headroom.psutil, "virtual_memory", lambda: type("Memory", (), {"available": 2_500_000_000}))
    monkeypatch.setattr(headroom, "GROUPS", ())
    images, events = plan_images(None, False, 1, 0, ()), []
    variants = ("onnx:float32", "onnx:dynamic")
    order = Order(Source("keras", "/nowhere", "s"), "large", None, variants, (), images, tmp_path / "out")
    made = convert(order, events.append)
    assert [event for event in events if isinstance(event, MemoryShort)] == [MemoryShort("large", SHORT)]
    killed = (
        f"the converter died of SIGKILL: something killed it, most often the system does, for want of memory ({SHORT})"
    )
    assert [(each.status, each.reason) for each in made] == [
        (CRASHED, killed),
        (CRASHED, f"there is no float32 graph to start from: {killed}"),
    ]


def test_nothing_is_said_where_it_fits_or_nobody_knows():
    assert headroom.shortage("keras", ["onnx"], 50_000_000, 3_700_000_000) == ""
    assert headroom.shortage("keras", ["onnx"], 50_000_000, 3_699_999_999) == SHORT.replace("2.5 GB", "3.7 GB")
    assert headroom.shortage("keras", ["savedmodel", "tflite"], 50_000_000, 3_100_000_000) == ""
    assert headroom.shortage("huggingface", ["onnx"], 50_000_000, 1) == ""
    assert headroom.shortage("keras", ["theirs"], 50_000_000, 1) == ""


def test_a_container_may_use_less_than_the_machine_has(tmp_path, monkeypatch):
    limit, used = tmp_path / "memory.max", tmp_path / "memory.current"
    monkeypatch.setattr(headroom, "GROUPS", ((limit, used),))
    machine = headroom.available()
    limit.write_text("max\n")
    used.write_text("1\n")
    assert headroom.available() > machine // 2
    limit.write_text("1000\n")
    used.write_text("400\n")
    assert headroom.available() == 600
