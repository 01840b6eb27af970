"""Kills the host with -9 at random moments of a profile over local sshd devices, and counts what that costs.

    python -m benchmarks.kills --kills 60

Prints the journaled runs that were measured again, the host's processes that live 5 s later, and what is left behind
once the profile has been let through: temporary folders and files here, jobs and uploads on the devices.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.devices.sshd import LocalSshd
from tests.models import onnx_models

STRAY_SECONDS = 5.0
Due = Callable[[], bool]  # whether the host is to be killed now
QUICK = ("--processes", "3", "--min-runs", "5", "--min-seconds", "0.05", "--max-seconds", "0.5", "--max-processes", "3")


@dataclass
class Count:
    """What the kills have cost so far. `kept` is (device, job) -> when the journaled run of that job began."""

    kills: int = 0
    profiles: int = 0
    journaled: int = 0
    again: int = 0
    strays: int = 0
    left: list[str] = field(default_factory=list)
    kept: dict[tuple[str, str], str] = field(default_factory=dict)


@dataclass
class Lab:
    """Two boards and this machine, with a temporary folder of their own."""

    folder: Path
    boards: list[LocalSshd]
    models: list[Path]

    def command(self) -> list[str]:
        """The one command that is typed again and again."""
        words = [word for name in ("cpu", *(board.name for board in self.boards)) for word in ("--device", name)]
        files = [str(model) for model in self.models]
        return [sys.executable, "-m", "edgebench", "profile", *files, "--preprocess", "none", *words, *QUICK]

    def start(self) -> subprocess.Popen[bytes]:
        """Start a host. Its temporary files lie in the lab's folder."""
        environment = {**os.environ, "TMPDIR": str(self.folder / "tmp"), "PYTHONPATH": str(Path.cwd())}
        log = (self.folder / "host.log").open("ab")
        return subprocess.Popen(self.command(), cwd=self.folder, env=environment, stdout=log, stderr=log)

    def results(self) -> Path:
        """Where the host writes."""
        return self.folder / "edgebench-out/results"


def make_lab(folder: Path, boards: int = 2, models: int = 3) -> Lab:
    """Start the sshd devices and write their devices.toml."""
    (folder / "tmp").mkdir(parents=True)
    made = [LocalSshd(folder / f"board{number}", f"board{number}") for number in range(boards)]
    tables = []
    for board in made:
        config = board.config()
        keys = ("host", "ssh_config", "python", "store")
        tables.append(f"[{board.name}]\n" + "\n".join(f"{key} = {json.dumps(getattr(config, key))}" for key in keys))
    (folder / "devices.toml").write_text("\n".join(tables) + "\n")
    files = [onnx_models.classifier(folder / f"model{number}.onnx", bias=float(number)) for number in range(models)]
    return Lab(folder, made, files)


def journaled(lab: Lab) -> dict[tuple[str, str], str]:
    """Return what the journals hold: only a run with a line in the journal is finished."""
    found = {}
    for journal in lab.results().glob("*/runs/journal.jsonl"):
        for line in journal.read_text().splitlines():
            try:
                name = json.loads(line)["job"]
                run = json.loads((journal.parent / f"{name}.json").read_text())
            except (ValueError, OSError):
                continue
            found[journal.parent.parent.name, name] = run["started"]
    return found


def in_results(lab: Lab) -> set[tuple[str, str]]:
    """Return (device, when it began) of every run that a finished cell holds; its journal is cleared then."""
    return {
        (path.parent.name, run["started"])
        for path in lab.results().glob("*/*.json")
        for run in json.loads(path.read_text())["runs"]
    }


def note(lab: Lab, count: Count) -> None:
    """Look for every run that was journaled before: in the journal still, in a result now, or measured again."""
    now, ended = journaled(lab), in_results(lab)
    for (device, job), started in list(count.kept.items()):
        if now.get((device, job)) != started:
            count.again += (device, started) not in ended
            count.journaled += 1
            del count.kept[device, job]
    count.kept.update(now)


def strays(lab: Lab) -> list[str]:
    """Return the processes of a dead host: local runners, ssh clients, agents. Jobs of a device run on by design."""
    listeners = [board._process.pid for board in lab.boards]
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        on_device = any(str(board.store) in command for board in lab.boards)
        if parent in listeners or (str(lab.folder) in command and not on_device and "sshd" not in command):
            found.append(f"{path.name}: {command[:200]}")
    return found


def kill_once(lab: Lab, count: Count, due: Due) -> bool:
    """Start the host and kill it when that is due; return whether it was through before."""
    host = lab.start()
    while host.poll() is None:
        if not due():
            time.sleep(0.01)
            continue
        os.kill(host.pid, signal.SIGKILL)
        host.wait()
        count.kills += 1
        note(lab, count)
        deadline = time.monotonic() + STRAY_SECONDS
        while strays(lab) and time.monotonic() < deadline:
            time.sleep(0.1)
        count.strays += len(strays(lab))
        return False
    assert host.returncode == 0, (lab.folder / "host.log").read_text()[-2000:]
    note(lab, count)
    count.profiles += 1
    return True


def at_random(seed: int, longest: float) -> Iterator[Due]:
    """Yield moments within so many seconds of when each is asked for."""
    chance = random.Random(seed)
    while True:
        moment = time.monotonic() + chance.uniform(0.2, longest)
        yield lambda moment=moment: time.monotonic() > moment


def measure(lab: Lab, kills: int, moments: Iterator[Due]) -> Count:
    """Kill so many hosts, each at the next moment, then let the last profile through and look what is left."""
    count = Count()
    while count.kills < kills:
        kill_once(lab, count, next(moments))
        print(
            f"kill {count.kills}: journaled {len(count.kept)}, again {count.again}, strays {count.strays}", flush=True
        )
    kill_once(lab, count, lambda: False)
    count.left = [str(path) for path in (lab.folder / "tmp").iterdir()]
    count.left += [str(path) for path in lab.folder.rglob(".*edgebench-tmp-*")]
    for board in lab.boards:
        board.wait_until_idle()
        count.left += [name for name in board.files() if name.startswith(("jobs", "incoming"))]
    return count


def main() -> None:
    """Print the figures of one run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--longest", type=float, default=12.0, help="seconds after which a host is killed at the latest"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kills-") as name:
        lab = make_lab(Path(name) / "lab")
        try:
            count = measure(lab, options.kills, at_random(options.seed, options.longest))
        finally:
            for board in lab.boards:
                board.stop()
    print(f"kills -9 of the host            {count.kills} (and {count.profiles} profiles that came through)")
    print(f"journaled runs measured again   {count.again} of {count.journaled}")
    print(f"live strays after {STRAY_SECONDS:.0f} s           {count.strays}")
    print(f"leftover folders and files      {len(count.left)} {count.left[:5] if count.left else ''}")


if __name__ == "__main__":
    main()
