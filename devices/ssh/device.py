"""A device reached over SSH. Nothing needs to be installed there but Python and sshd."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import signal
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgebench.devices.base import (
    Busy,
    DeviceInfo,
    Listener,
    Notice,
    OnDevice,
    Outcome,
    Progress,
    Rest,
    Waiting,
)
from edgebench.devices.bundle import write_bundle
from edgebench.devices.config import DeviceConfig
from edgebench.devices.provision.facts import Facts, Usage, read_facts, read_usage
from edgebench.devices.provision.plan import FAMILIES, missing_families, usable_runtimes
from edgebench.devices.returns import failed, most_output_bytes, read_outcome
from edgebench.devices.ssh.carry import Provision, provision
from edgebench.devices.ssh.connection import Connection
from edgebench.devices.ssh.events import ProgressReader
from edgebench.devices.ssh.fetch import fetch_file
from edgebench.devices.ssh.upload import upload
from edgebench.devices.text import SHORT, clean_text
from edgebench.errors import DeviceError
from edgebench.files import MAX_RECORD_BYTES, scratch_folder, sha256_file
from edgebench.records import CRASHED, FAILED, Job, to_dict

POLL_SECONDS = 2.0
GRACE_SECONDS = 60.0  # after a job's own time-out, before the host ends it
BUSY_PAUSE_SECONDS = 2.0
BUSY_PATIENCE_SECONDS = 6 * 3600.0  # a device is reserved for a whole profile
MAX_STDERR = 1 << 20
FULL_DISK_BYTES = 1 << 20
MOST_STARTS = 3  # of one job that the device says it has lost before anyone waited for it
MOST_ATTEMPTS = 2  # of one job in which the device restarts


@dataclass(frozen=True)
class Start:
    """What the agent's `start` is asked: a job by its name there, and what it runs with."""

    id: str
    job: str  # as JSON
    bundle: str
    paths: list[str]  # of the runtime's packages
    timeout: float  # seconds


class SshDevice:
    """Runs jobs on a device over SSH, detached there: a broken connection, or a host that dies, loses none of them.

    `session` says whose unfinished jobs are picked up again: the same value, the same profile; without one, nobody's.
    """

    def __init__(
        self,
        config: DeviceConfig,
        session: str = "",
        tell: Listener | None = None,
        install: bool = True,
    ) -> None:
        self.name = config.name
        self.config = config
        report = tell or _silent
        self._progress: Progress = lambda event: report(OnDevice(config.name, event))
        self._session = hashlib.sha256((session or uuid.uuid4().hex).encode()).hexdigest()[:12]
        self._install = install
        self._connection = Connection(config, self._progress, self._session)
        self._places: dict[tuple[Path, str], str] = {}  # what is known to be there
        self._lent: dict[str, str] = {}
        self._rows: dict[str, int] = {}
        self._facts: Facts | None = None
        self._bundle = ""

    def __enter__(self) -> SshDevice:
        return self

    def __exit__(self, *exception: object) -> None:
        if exception[:1] == (None,):
            self._connection.request_once("forget", prefix=self._session)
            self._connection.request_once("give_back")
        self._connection.request_once("release")
        self._connection.close()

    @property
    def bytes_sent(self) -> int:
        """How much went over the connection to the device."""
        return self._connection.bytes_sent

    def cancel(self) -> None:
        """End at once, from another thread; a job that runs on the device goes on, and the same profile finds it."""
        self._connection.cancel()

    def facts(self) -> Facts:
        """Ask the device what it is."""
        self._facts = read_facts(self._connection.request("facts")[0], self.name)
        return self._facts

    def info(self) -> DeviceInfo:
        """Describe the device, reserved for this session, after carrying over what it lacks of the runtimes."""
        self.reserve()
        pins = self.config.runtimes
        reasons = self.install() if self._install and missing_families(self.facts(), pins) else {}
        facts = self._known_facts()
        return DeviceInfo(
            self.name,
            usable_runtimes(facts, pins),
            emulated=self.config.emulated or facts.emulator is not None,
            remote=True,
            reasons=reasons,
            rest=Rest(self.config.cool_down, self.config.max_temperature),
        )

    def reserve(self) -> None:
        """Keep the device for this session, when whoever has it is done; set its governor where one is named."""
        governor = self.config.governor or ""
        state = self._when_free(lambda: self._connection.request("reserve", governor=governor)[0], self._progress)
        reason = clean_text(state.get("reason", ""), SHORT)
        if reason:
            self._progress(Notice(f"its governor stays as it is ({reason})"))

    def temperature(self) -> float | None:
        """Return degrees Celsius; None where the device does not say."""
        value = self._connection.request("temperature")[0].get("millidegrees")
        return value / 1000 if type(value) is int and abs(value) < 1_000_000 else None

    def runtimes(self) -> dict[str, str]:
        """Return runtime -> version of what can be used there now."""
        return usable_runtimes(self._known_facts(), self.config.runtimes)

    def install(self, upgrade: bool = False) -> dict[str, str]:
        """Carry over the runtimes it lacks; return format -> why nothing there can run it."""
        self.reserve()  # what is carried over would disturb another's numbers
        wanted = Provision(tuple(FAMILIES) if upgrade else None, upgrade, self.config.runtimes)
        reasons = provision(self._connection, self.facts(), self._progress, wanted)
        self.facts()
        return reasons

    def usage(self) -> Usage:
        """Return the folder edgebench uses there, with its bytes (`size`) and number of `files`."""
        return read_usage(self._connection.request("usage")[0], self.name)

    def remove_all(self) -> Usage:
        """End what runs there and delete the folder; return what `usage` would have said."""
        self._connection.request("kill_all")
        return read_usage(self._connection.request("remove_all")[0], self.name)

    def put(self, path: Path, sha256: str) -> str:
        """Make a file or folder available on the device and return its path there."""
        known = self._places.get((path, sha256))
        if known is not None:
            return known
        there = self._places[path, sha256] = self._upload(path, sha256)
        return there

    def lend(self, path: Path, sha256: str) -> str:
        """Make a file available for this session alone, until `take_back`."""
        if sha256 not in self._lent:
            self._lent[sha256] = self._upload(path, sha256, "lent")
        return self._lent[sha256]

    def take_back(self, sha256: str) -> None:
        """Delete there what was lent under this hash; a session that was killed left it for its next run to delete."""
        if self._lent.pop(sha256, None) is not None:
            self._connection.request("give_back", sha256=sha256)

    def _upload(self, path: Path, sha256: str, kind: str = "objects") -> str:
        there = upload(self._connection, path, sha256, self._progress, kind)
        if path.suffix == ".npy":
            self._rows[there] = len(np.load(path, mmap_mode="r", allow_pickle=False))
        return there

    def run(self, job: Job, progress: Progress) -> Outcome:
        """Run one job in a fresh process on the device, or pick it up where it is running or done already.

        A device that restarts meanwhile gets the job once more.
        """
        start = self._start_of(job)
        for attempt in range(MOST_ATTEMPTS):
            self._connection.request("forget", prefix=self._session, keep=start.id)
            self._start(start, progress)
            state, phase = self._wait(start.id, job, progress)
            if state.get("state") != "lost":
                break
            reason = clean_text(state.get("reason", "no reason given"), SHORT)
            if attempt + 1 == MOST_ATTEMPTS or not state.get("restarted"):
                again = " again" if attempt else ""
                return failed(job, FAILED, f"{reason}{again}, in phase {phase!r}")
            progress(Notice(f"{reason}; the job is started once more"))
            self._connection.request("forget", prefix=start.id)
        with scratch_folder() as folder:
            return self._collect(start.id, job, state, phase, folder)

    def _known_facts(self) -> Facts:
        return self._facts or self.facts()

    def _start_of(self, job: Job) -> Start:
        """Name the job by its content: the same job in the same session is the same folder on the device."""
        facts = self._known_facts()
        if not self._bundle:
            with scratch_folder() as folder:
                bundle = write_bundle(folder)
                self._bundle = self.put(bundle, sha256_file(bundle))
        paths = list(facts.environments[job.runtime].paths) if job.runtime in facts.environments else []
        made = Start("", json.dumps(to_dict(job)), self._bundle, paths, job.settings.timeout_seconds)
        digest = hashlib.sha256(json.dumps(dataclasses.asdict(made), sort_keys=True).encode()).hexdigest()
        return dataclasses.replace(made, id=f"{self._session}-{digest[:32]}")

    def _start(self, start: Start, progress: Progress) -> None:
        """Start the job. Raises DeviceError for a device that says it is lost however often it is started."""
        for _ in range(MOST_STARTS):
            state = self._when_free(lambda: self._connection.request("start", **dataclasses.asdict(start))[0], progress)
            if state.get("state") != "lost":
                return
            self._connection.request("forget", prefix=start.id)  # of an earlier attempt that nobody waited for
        reason = clean_text(state.get("reason", "no reason given"), SHORT)
        raise DeviceError(f"{self.name} loses every job as it is started: {reason}")

    def _when_free(self, ask: Callable[[], dict[str, object]], progress: Progress) -> dict[str, object]:
        """Ask until the device is not busy for somebody else, and tell for whom."""
        deadline = time.monotonic() + BUSY_PATIENCE_SECONDS
        while True:
            state = ask()
            if state.get("state") != "busy":
                return state
            holder = state.get("holder")
            owner = clean_text(holder.get("owner", "someone") if isinstance(holder, dict) else "someone", 100)
            if time.monotonic() > deadline:
                raise DeviceError(f"{self.name} has been measuring for {owner} for too long: try again later")
            progress(Busy(owner))
            self._connection.pause(BUSY_PAUSE_SECONDS)

    def _wait(self, identifier: str, job: Job, progress: Progress) -> tuple[dict[str, object], str]:
        reader = ProgressReader(progress)
        deadline = time.monotonic() + job.settings.timeout_seconds + GRACE_SECONDS
        while True:
            state, news = self._connection.request(
                "wait", id=identifier, offset=reader.offset, seconds=POLL_SECONDS, limit=1 << 20
            )
            reader.feed(news)
            if state.get("state") != "running" and not news:
                return state, reader.phase
            if not news:
                progress(Waiting())  # where Ctrl-C can take hold
            if time.monotonic() > deadline:
                self._connection.request("kill", id=identifier)
                return {"state": "done", "code": None}, reader.phase

    def _collect(self, identifier: str, job: Job, state: dict[str, object], phase: str, folder: Path) -> Outcome:
        code = state.get("code")
        if code is not None and not (type(code) is int and abs(code) < 1000):
            return failed(job, FAILED, f"{self.name} answered with the exit code {clean_text(code, 40)!r}")
        rows = self._rows.get(job.images)
        limits = {"run.json": MAX_RECORD_BYTES, "stderr": MAX_STDERR}
        if job.kind == "accuracy":
            limits["outputs.npy"] = most_output_bytes(job, rows)
        for file, limit in limits.items():
            if not fetch_file(self._connection, self.name, identifier, file, limit, folder / file):
                return failed(job, FAILED, f"{self.name} offers a {file} of more than {limit} bytes; it was not read")
        stderr = (
            (folder / "stderr").read_bytes()[-4000:].decode(errors="replace") if (folder / "stderr").exists() else ""
        )
        outcome = read_outcome(job, folder, code, stderr, phase, rows)
        if state.get("out_of_memory") is True and code == -signal.SIGKILL:
            return failed(job, CRASHED, f"{outcome.run.reason}: the kernel killed it for want of memory")
        free = state.get("disk_free_bytes")
        if outcome.run.status == FAILED and isinstance(free, int) and free < FULL_DISK_BYTES:
            self._connection.request("forget", prefix=identifier)  # what it has half written
            return failed(job, FAILED, f"No space left on the disk of {self.name}: {outcome.run.reason}")
        return outcome


def _silent(event: OnDevice) -> None:
    """Show no progress."""
    del event
