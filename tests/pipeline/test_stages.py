"""Worker processes beside one another: one place where all is heard, nothing left running, a death with its reason."""

from pathlib import Path

import pytest

from edgebench.converters.protocol import EVENTS, Started
from edgebench.pipeline.stages import Ended, Stages, Woken
from edgebench.pipeline.workers import WorkerDied, WorkerProcess
from tests.devices.sshd import processes_naming
from tests.waiting import wait_for

WORKER = """
import os, signal, sys
from edgebench.converters.protocol import Conversion, Started
from edgebench.lifeline import die_with_parent
from edgebench.messages import serve
die_with_parent()
def work(host):
    host.tell(Started("onnx:int8"))
    {then}
sys.exit(serve(work))
"""


@pytest.fixture
def worker(tmp_path, monkeypatch):
    """Return a worker that tells one event and then runs a line of code."""

    def make(name: str, then: str = "pass") -> WorkerProcess[Started]:
        (tmp_path / f"worker_{name}.py").write_text(WORKER.format(then=then))
        folder = tmp_path / name
        folder.mkdir()
        return WorkerProcess(Started(name), folder, f"worker_{name}", EVENTS, "the quantiser")

    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).parents[2]}")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    return make


def test_the_second_waits_where_one_at_a_time_may_run_and_a_death_says_why(worker):
    with Stages(1) as stages:
        stages.start("first", worker("first"))
        stages.start("second", worker("second", "os.kill(os.getpid(), signal.SIGKILL)"))
        heard = list(stages.heard())
    assert heard[:3] == [("first", Started("onnx:int8")), ("first", Ended(None)), ("second", Started("onnx:int8"))]
    name, ended = heard[3]
    assert len(heard) == 4 and name == "second" and isinstance(ended.error, WorkerDied)
    assert str(ended.error) == (
        "the quantiser died of SIGKILL: something killed it, most often the system does, for want of memory"
    )


def test_whoever_leaves_ends_what_runs_and_what_waits(worker, tmp_path):
    with pytest.raises(KeyboardInterrupt), Stages(1) as stages:
        stages.start("endless", worker("endless", "sys.stdin.read()"))
        stages.start("waiting", worker("waiting"))
        stages.wake()
        assert next(stages.heard()) == ("", Woken())
        assert next(stages.heard()) == ("endless", Started("onnx:int8"))
        raise KeyboardInterrupt
    wait_for(lambda: not processes_naming(str(tmp_path)))
