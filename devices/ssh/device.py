"""A device reached over SSH. Nothing needs to be installed there but Python and sshd."""

from __future__ import annotations

import hashlib
import json
import signal
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from edgebench.devices.base import Busy, DeviceInfo, Listener, OnDevice, Outcome, Progress, Waiting
from edgebench.devices.bundle import write_bundle
from edgebench.devices.config import DeviceConfig
from edgebench.devices.provision.facts import Facts, read_facts, read_usage
from edgebench.devices.provision.plan import FAMILIES, missing_families, usable_runtimes
from edgebench.devices.returns import failed, most_output_bytes, read_outcome
from edgebench.devices.ssh.carry import provision
from edgebench.devices.ssh.connection import Connection
from edgebench.devices.ssh.events import ProgressReader
from edgebench.devices.ssh.upload import upload
from edgebench.errors import DeviceError
from edgebench.files import MAX_RECORD_BYTES, sha256_file
from edgebench.records import CRASHED, FAILED, Job, to_dict

POLL_SECONDS = 2.0
GRACE_SECONDS = 60.0  # after a job's own time-out, before the host ends it
BUSY_PAUSE_SECONDS = 2.0
BUSY_PATIENCE_SECONDS = 3600.0
MAX_STDERR = 1 << 20
FULL_DISK_BYTES = 1 << 20


class SshDevice:
    """Runs jobs on a device over SSH, detached there: a broken connection, or a host that dies, loses none of them.

    `session` says whose unfinished jobs are picked up again: the same value, the same profile.
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
        self._session = hashlib.sha256(session.encode()).hexdigest()[:12]
        self._install = install
        self._connection = Connection(config, self._progress)
        self._places: dict[tuple[Path, str], str] = {}  # what is known to be there
        self._rows: dict[str, int] = {}
        self._facts: Facts | None = None
        self._bundle = ""

    def __enter__(self) -> SshDevice:
        return self

    def __exit__(self, *exception: object) -> None:
        if exception[:1] == (None,):
            self._connection.request_once("forget", prefix=self._session)
        self._connection.close()

    @property
    def bytes_sent(self) -> int:
        """How much went over the connection to the device."""
        return self._connection.bytes_sent

    def facts(self) -> Facts:
        """Ask the device what it is."""
        self._facts = read_facts(self._connection.request("facts")[0], self.name)
        return self._facts

    def info(self) -> DeviceInfo:
        """Describe the device, after carrying over what it lacks of the runtimes."""
        reasons = self.install() if self._install and missing_families(self.facts()) else {}
        facts = self._known_facts()
        emulated = self.config.emulated or facts.emulator is not None
        return DeviceInfo(self.name, usable_runtimes(facts), emulated, remote=True, reasons=reasons)

    def runtimes(self) -> dict[str, str]:
        """Return runtime -> version of what can be used there now."""
        return usable_runtimes(self._known_facts())

    def install(self, upgrade: bool = False) -> dict[str, str]:
        """Carry over the runtimes it lacks; return format -> why nothing there can run it."""
        families = tuple(FAMILIES) if upgrade else None
        reasons = provision(self._connection, self.facts(), self._progress, families, refresh=upgrade)
        self.facts()
        return reasons

    def usage(self) -> dict[str, Any]:
        """Return the folder edgebench uses there, with its bytes (`size`) and number of `files`."""
        return read_usage(self._connection.request("usage")[0], self.name)

    def remove_all(self) -> dict[str, Any]:
        """End what runs there and delete the folder; return what `usage` would have said."""
        self._connection.request("kill_all")
        return read_usage(self._connection.request("remove_all")[0], self.name)

    def put(self, path: Path, sha256: str) -> str:
        """Make a file or folder available on the device and return its path there."""
        known = self._places.get((path, sha256))
        if known is not None:
            return known
        there = upload(self._connection, path, sha256, self._progress)
        if path.suffix == ".npy":
            self._rows[there] = len(np.load(path, mmap_mode="r", allow_pickle=False))
        self._places[path, sha256] = there
        return there

    def run(self, job: Job, progress: Progress) -> Outcome:
        """Run one job in a fresh process on the device, or pick it up where it is running or done already."""
        request = self._request(job)
        self._connection.request("forget", prefix=self._session, keep=request["id"])
        self._start(request, progress)
        state, phase = self._wait(request["id"], job, progress)
        if state.get("state") == "lost":
            return failed(job, FAILED, f"{state.get('reason')}, in phase {phase!r}")
        with tempfile.TemporaryDirectory(prefix="edgebench-") as folder:
            return self._collect(request["id"], job, state, phase, Path(folder))

    def _known_facts(self) -> Facts:
        return self._facts or self.facts()

    def _request(self, job: Job) -> dict[str, Any]:
        """Name the job by its content: the same job in the same session is the same folder on the device."""
        facts = self._known_facts()
        if not self._bundle:
            with tempfile.TemporaryDirectory(prefix="edgebench-") as folder:
                bundle = write_bundle(Path(folder))
                self._bundle = self.put(bundle, sha256_file(bundle))
        value: dict[str, Any] = {
            "job": json.dumps(to_dict(job)),
            "bundle": self._bundle,
            "paths": list(facts.environments[job.runtime].paths) if job.runtime in facts.environments else [],
            "timeout": job.settings.timeout_seconds,
        }
        digest = hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
        return {"id": f"{self._session}-{digest[:32]}", **value}

    def _start(self, request: dict[str, Any], progress: Progress) -> None:
        deadline = time.monotonic() + BUSY_PATIENCE_SECONDS
        while True:
            state, _ = self._connection.request("start", **request)
            if state.get("state") == "lost":  # of an earlier attempt that nobody waited for
                self._connection.request("forget", prefix=request["id"])
            elif state.get("state") != "busy":
                return
            else:
                holder = state.get("holder") if isinstance(state.get("holder"), dict) else {}
                owner = str((holder or {}).get("owner", "someone"))[:100]
                if time.monotonic() > deadline:
                    raise DeviceError(f"{self.name} has been measuring for {owner} for too long: try again later")
                progress(Busy(owner))
                time.sleep(BUSY_PAUSE_SECONDS)

    def _wait(self, identifier: str, job: Job, progress: Progress) -> tuple[dict[str, Any], str]:
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

    def _collect(self, identifier: str, job: Job, state: dict[str, Any], phase: str, folder: Path) -> Outcome:
        code = state.get("code")
        if code is not None and not (isinstance(code, int) and abs(code) < 1000):
            return failed(job, FAILED, f"{self.name} answered with the exit code {str(code)[:40]!r}")
        rows = self._rows.get(job.images)
        limits = {"run.json": MAX_RECORD_BYTES, "stderr": MAX_STDERR}
        if job.kind == "accuracy":
            limits["outputs.npy"] = most_output_bytes(job, rows)
        for file, limit in limits.items():
            if not self._fetch(identifier, file, limit, folder / file):
                return failed(job, FAILED, f"{self.name} offers a {file} of more than {limit} bytes; it was not read")
        stderr = (
            (folder / "stderr").read_bytes()[-4000:].decode(errors="replace") if (folder / "stderr").exists() else ""
        )
        outcome = read_outcome(job, folder, code, stderr, phase, rows)
        if state.get("out_of_memory") is True and code == -signal.SIGKILL:
            return failed(job, CRASHED, f"{outcome.run.reason}: the kernel killed it for want of memory")
        free = state.get("disk_free_bytes")
        if outcome.run.status == FAILED and isinstance(free, int) and free < FULL_DISK_BYTES:
            return failed(job, FAILED, f"No space left on the disk of {self.name}: {outcome.run.reason}")
        return outcome

    def _fetch(self, identifier: str, file: str, limit: int, target: Path) -> bool:
        """Bring one of a job's files here, if there is one; False where it is larger than `limit`."""
        offset = 0
        while True:
            answer, piece = self._connection.request("fetch", id=identifier, file=file, offset=offset, limit=1 << 20)
            size = answer.get("size")
            if size == -1:
                return True
            if not isinstance(size, int) or size > limit or offset + len(piece) > limit:
                return file == "stderr"  # a log may be cut short, a result may not
            with target.open("ab") as stream:
                stream.write(piece)
            offset += len(piece)
            if offset >= size or not piece:
                return True


def _silent(event: OnDevice) -> None:
    """Show no progress."""
    del event
