"""Whatever an agent answers: an outcome or one clear error, never a traceback, a hang or a write elsewhere."""

import json
import os
import time
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgebench.devices.base import Notice, OnDevice, Outcome
from edgebench.devices.config import DeviceConfig
from edgebench.devices.provision.advice import advise, describe, what_runs
from edgebench.devices.provision.facts import read_facts
from edgebench.devices.provision.plan import make_plan
from edgebench.devices.ssh import connection, device
from edgebench.devices.ssh.link import LinkLostError
from edgebench.devices.ssh.wire import Wire, WireClosedError, WireSilentError
from edgebench.errors import DeviceError, EdgebenchError
from tests.make import make_job

LEAST_ANSWERS = 5000
EXAMPLES = 350
seen = {"answers": 0}

HONEST = {
    "system": "Linux", "kernel": "6.6", "machine": "aarch64", "userland_bits": 64, "glibc": "2.36", "python": "3.11.2",
    "python_implementation": "cpython", "python_abi": "cp311", "python_path": "/usr/bin/python3",
    "disk_free_bytes": 10**10, "packages": {"numpy": "1.26.4", "onnxruntime": "1.20.1"}, "environments": {},
}  # fmt: skip
ODD_TEXT = st.sampled_from(
    ["", "x", "2", "3.²", "../..", "/etc/passwd", "\x1b]0;t\x07", "\u202eevil", "\x9b2J", "3.11\n", "a" * 5000, "lost"]
)
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), ODD_TEXT, st.text(max_size=8), st.just({}),
    st.just([]), st.just([[[]]]), st.just({"owner": "\x1b[2J"}), st.just({"version": "x", "paths": [1]}),
)  # fmt: skip
STATES = st.sampled_from(["busy", "running", "done", "lost", "reserved", "splendid"])
KEYS = ("state", "holder", "reason", "restarted", "present", "partial", "path", "size", "code", "bytes", "error")
ANY = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4)
STATE = st.fixed_dictionaries(
    {"state": STATES}, optional=dict.fromkeys(("code", "reason", "holder", "restarted"), VALUES)
)
PLACE = st.fixed_dictionaries({"path": st.sampled_from(["/a/b", "b", "/\x1b", 7]), "present": st.booleans()})
FACTS = st.builds(lambda key, value: {**HONEST, key: value}, st.sampled_from(sorted(HONEST)), VALUES)
LINES = st.one_of(
    st.one_of(ANY, STATE, PLACE, FACTS, st.just(HONEST)).map(lambda answer: json.dumps(answer).encode()),
    st.binary(max_size=40),
    st.sampled_from([b"[" * 3000, b"9" * 5000, b"null", b'{"bytes": -1}', b'{"bytes": 1e3}', b'{"bytes": 5}\nabc']),
)


class Liar:
    """A link whose device answers with the next of these lines, each over a real pipe."""

    answers: ClassVar[list[bytes]] = []
    bytes_sent = 0

    def __init__(self, config, session=""):
        self.name = config.name

    def open(self):
        pass

    def close(self):
        pass

    def abort(self):
        pass

    def request(self, operation, body=b"", patience=1.0, limit=0, **values):
        if not Liar.answers:
            raise DeviceError("no more answers")
        seen["answers"] += 1
        source, sink = os.pipe()
        wire = Wire(source, sink, self.name)
        try:
            wire.write(Liar.answers.pop(0) + b"\n", 1.0)
            os.close(sink)
            answer, content = wire.read_answer(operation, time.monotonic() + 1, limit)
        except (WireClosedError, WireSilentError):
            raise LinkLostError("cut") from None
        finally:
            os.close(source)
        if "error" in answer:
            raise DeviceError("refused")
        return answer, content


@pytest.fixture
def fast(monkeypatch, tmp_path):
    monkeypatch.setattr(connection, "Link", Liar)
    monkeypatch.setattr(device, "BUSY_PAUSE_SECONDS", 0)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "model.json").write_text("{}")
    np.save(tmp_path / "images.npy", np.zeros((2, 4, 4, 3), np.uint8))
    return tmp_path


def told(event):
    assert isinstance(event, OnDevice)
    for text in vars(event.event).values():
        assert not isinstance(text, str) or (text.isprintable() and len(text) < 4000)
    assert not isinstance(event.event, Notice) or event.event.text


JOB = make_job(artifact="/a", artifact_sha256="a" * 64, images="/i", images_sha256="b" * 64)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(answers=st.lists(LINES, min_size=18, max_size=24))
def check(answers, folder):
    Liar.answers = list(answers)
    far = device.SshDevice(DeviceConfig(name="liar", host="x"), "s", told, install=False)
    steps = (
        lambda: far.info(),
        lambda: far.usage(),
        lambda: far.put(folder / "images.npy", "b" * 64),
        lambda: far.run(JOB, lambda event: told(OnDevice("liar", event))),
        lambda: far.temperature(),
    )
    while Liar.answers:
        for step in steps:
            try:
                result = step()
            except EdgebenchError as error:
                assert str(error).isprintable() and len(str(error)) < 5000
            else:
                assert not isinstance(result, Outcome) or (result.run.reason.isprintable() and result.outputs is None)


def test_five_thousand_answers_are_outcomes_or_clear_errors(fast):
    before = sorted(path.name for path in fast.iterdir())
    seen["answers"] = 0
    check(folder=fast)
    assert seen["answers"] >= LEAST_ANSWERS
    assert sorted(path.name for path in fast.iterdir()) == before


@settings(max_examples=600, deadline=None, database=None)
@given(facts=FACTS)
def test_facts_are_refused_or_safe_to_plan_and_to_show(facts):
    try:
        found = read_facts(facts, "liar")
    except DeviceError as error:
        assert str(error).isprintable()
        return
    make_plan(found)
    shown = [*describe(found).values(), *what_runs(found).values(), *advise(found)]
    assert all(line.isprintable() and len(line) < 2000 for line in shown)
    assert found.python_abi.startswith("cp3") and "/" not in found.python_abi + (found.glibc or "") + found.machine


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("python_abi", "/tmp/x"),
        ("python_abi", "../"),
        ("python_abi", "cp312"),
        ("python", "x"),
        ("python", "2"),
        ("python", "3.²"),
        ("python", "3.11"),
        ("glibc", "2.36/../.."),
        ("glibc", "9"),
        ("machine", "aarch64/.."),
        ("userland_bits", 65),
        ("packages", {"onnxruntime": "\x1b[2J"}),
    ],
)
def test_a_fact_that_decides_has_exactly_its_form(key, value):
    with pytest.raises(DeviceError, match="describes itself in a way that cannot be"):
        read_facts({**HONEST, key: value}, "liar")
