"""Several devices in one command: groups, one that is off, Ctrl-C, and hosts that are killed."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from benchmarks import kills
from edgebench.devices.base import DeviceInfo, Notice, Rest
from edgebench.devices.config import expand_names
from edgebench.errors import UsageError
from edgebench.pipeline.resting import rest
from tests.devices.test_devices_command import name_devices, profile_command
from tests.models import onnx_models
from tests.waiting import hear_ctrl_c, wait_for

LAB = '[a]\nhost = "a"\n[b]\nhost = "b"\n[groups]\nlab = ["a", "b"]\nhouse = ["lab", "cpu"]\n'


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def test_groups_and_all(tmp_path):
    (tmp_path / "devices.toml").write_text(LAB)
    assert expand_names(("house",), tmp_path) == ["a", "b", "cpu"]
    assert expand_names(("b", "all", "lab"), tmp_path) == ["b", "a"]
    (tmp_path / "devices.toml").write_text('[groups]\none = ["other"]\nother = ["one"]\n')
    with pytest.raises(UsageError, match="the group 'one' holds itself: one > other > one"):
        expand_names(("one",), tmp_path)
    with pytest.raises(UsageError, match="no device has a name yet"):
        expand_names(("all",), tmp_path)


class Oven:
    """A device that cools by ten degrees at every look."""

    def __init__(self, degrees):
        self.degrees = degrees

    def temperature(self):
        self.degrees = None if self.degrees is None else self.degrees - 10
        return self.degrees


@pytest.mark.parametrize(
    ("degrees", "wish", "looks", "words"),
    [
        (90, Rest(0, 55), 50, ""),
        (90, Rest(6, None), 90, ""),
        (None, Rest(0, 55), None, "it does not say how hot it is"),
        (90_000, Rest(0, 55), None, "it did not cool to 55 degrees C in 15 minutes"),
    ],
)
def test_a_round_waits_for_rest_and_for_the_temperature(degrees, wish, looks, words):
    now, told, oven = [0.0], [], Oven(degrees)
    rest(oven, wish, told.append, lambda seconds: now.__setitem__(0, now[0] + seconds), lambda: now[0])
    notices = [event.text for event in told if isinstance(event, Notice)]
    assert (" ".join(notices)).startswith(words) and bool(notices) == bool(words)
    assert looks is None or oven.degrees == looks
    assert now[0] >= wish.cool_down
    assert DeviceInfo("x", {}).rest == Rest()


def started(folder: Path) -> dict[str, set[str]]:
    """Return device -> when each of its runs began."""
    found: dict[str, set[str]] = {}
    for path in (folder / "edgebench-out/results").glob("*/*.json"):
        runs = json.loads(path.read_text())["runs"]
        found.setdefault(path.parent.name, set()).update(run["started"] for run in runs)
    return found


@pytest.mark.device
def test_seven_devices_of_which_one_is_off_typed_twice(board, tmp_path):
    """The second time measures only the seventh. Six of them are one machine: each has its own store."""
    config = board.config()
    tables = [
        f'[d{n}]\nhost = "board"\nssh_config = "{config.ssh_config}"\npython = "{config.python}"\n'
        f'store = "{board.store}{n}"\n'
        for n in range(6)
    ]
    off = '[off]\nhost = "127.0.0.1"\nport = 1\n'
    (tmp_path / "devices.toml").write_text("\n".join(tables) + off)
    model = onnx_models.classifier(tmp_path / "model.onnx")
    command = [*profile_command([model], "all"), "--processes", "1"]
    first = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert first.returncode == 1 and "Traceback" not in first.stderr, first.stderr
    assert "the connection to off (127.0.0.1) broke or could not be made" in first.stderr
    assert "the same command measures only what is missing" in first.stderr
    before = started(tmp_path)
    assert sorted(before) == [f"d{n}" for n in range(6)]
    on = off.replace('"127.0.0.1"\nport = 1', f'"board"\nssh_config = "{config.ssh_config}"')
    on += f'python = "{config.python}"\nstore = "{board.store}off"\n'
    (tmp_path / "devices.toml").write_text("\n".join(tables) + on)
    second = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert second.returncode == 0, second.stderr
    after = started(tmp_path)
    assert len(after.pop("off")) == 2 and after == before
    assert len(re.findall("finished before and not measured again", second.stderr)) == 6
    assert not list((tmp_path / "edgebench-out").rglob("runs"))  # all are done: the next command measures afresh


@pytest.mark.device
def test_only_what_failed_is_measured_again(tmp_path):
    good, bad = onnx_models.classifier(tmp_path / "good.onnx"), tmp_path / "bad.onnx"
    bad.write_bytes(good.read_bytes()[:200])
    command = profile_command([good, bad], "cpu")
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 1
    before = started(tmp_path)["cpu"]
    again = subprocess.run([*command, "--only-failed"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert again.returncode == 1 and "bad" in again.stderr
    kept = before & started(tmp_path)["cpu"]
    assert len(kept) == 3  # the good one's memory and two latencies


@pytest.mark.device
def test_ctrl_c_ends_three_busy_devices_at_once(board, tmp_path):
    """Each of the three is in a run of ten minutes, of which none is waited for."""
    name_devices(board, tmp_path, "")
    text = (tmp_path / "devices.toml").read_text()
    (tmp_path / "devices.toml").write_text(text + text.replace("[board]", "[twin]").replace("/store", "/twin"))
    model = onnx_models.classifier(tmp_path / "model.onnx")
    command = [*profile_command([model], "cpu", "board", "twin"), "--sustained", "600s"]
    pipe = subprocess.PIPE
    host = subprocess.Popen(
        command, cwd=tmp_path, stderr=pipe, text=True, start_new_session=True, preexec_fn=hear_ctrl_c
    )

    def busy() -> int:
        journals = (tmp_path / "edgebench-out/results").glob("*/runs/journal.jsonl")
        return sum(bool(path.read_text().strip()) for path in journals)

    # the memory is through on each, so the ten minutes of latency have begun, or begin
    wait_for(lambda: busy() == 3, lambda: host.poll() is None)
    os.kill(host.pid, signal.SIGINT)
    _, said = host.communicate()
    assert host.returncode == 130 and "interrupted" in said and "Traceback" not in said
    journals = (tmp_path / "edgebench-out/results").glob("*/runs/journal.jsonl")
    kinds = [json.loads(line)["kind"] for path in journals for line in path.read_text().splitlines()]
    assert kinds == ["memory"] * 3
    from tests.devices.test_devices_command import subprocess as run

    for name in ("board", "twin"):
        run.run([*command[:3], "devices", "clean", name], cwd=tmp_path, check=True, capture_output=True)


@pytest.mark.device
def test_hosts_that_are_killed_cost_nothing_and_leave_nothing(openssh, tmp_path, monkeypatch):
    """The small form of benchmarks/kills.py: killed at the first journaled run of eight, and at the fifth."""
    monkeypatch.setattr(kills, "STRAY_SECONDS", 300.0)  # on however busy a machine
    lab = kills.make_lab(tmp_path / "lab", boards=1, models=1)
    moments = (lambda least=least: len(kills.journaled(lab)) >= least for least in (1, 5))
    try:
        count = kills.measure(lab, 2, moments)
    finally:
        for board in lab.boards:
            board.stop()
    assert (count.kills, count.profiles, count.again, count.strays, count.left) == (2, 1, 0, 0, [])
    assert count.journaled >= 5  # there was something to measure again
