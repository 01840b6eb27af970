"""Jobs on a device: each in its own folder, detached from the connection, at most one at a time.

    jobs/<session>-<hash>/job.json progress stderr out/{run.json,outputs.npy} state.json exit.json

The lock is a flock on one file, held by the job's supervisor and by the runner itself: the kernel frees it when both
are gone, however they went, so a dead owner cannot hold it and none that lives can lose it.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import sys
import time
from typing import Any, Optional

from . import probe, supervise
from .governor import Governor
from .owned import own_entries, remove
from .reservation import Reservation, read_json
from .store import Store

FETCHABLE = {"run.json": "out/run.json", "outputs.npy": "out/outputs.npy", "stderr": "stderr"}
POLL_SECONDS = 0.25  # often enough for a person, seldom enough not to disturb what is measured
PIECE = 1 << 20
MOST_FINISHED = 32  # jobs that ended and that nobody has fetched; the first that began go first
KILL_SECONDS = 20.0


class Jobs:
    """`source` is the descriptor of the connection: a wait ends when it closes."""

    def __init__(self, store: Store, source: int, session: str, owner: str) -> None:
        self._store = store
        self._source = source
        self._owner = owner
        self._reservation = Reservation(store.path("reserved"), session, owner)
        self._governor = Governor(store.path("governor.json"))

    def reserve(self, governor: str = "") -> dict[str, object]:
        """Keep the device for this session until `release`; say who has it where it is another's."""
        holder = self._reservation.take()
        if holder is None and not self._free():
            running = self._holder()  # perhaps a job of a session that has left: it still runs
            holder = None if str(running.get("id")).startswith(self._reservation.session) else running
        if holder is not None:
            return {"state": "busy", "holder": holder}
        return {"state": "reserved", **(self._governor.set(governor) if governor else {})}

    def release(self) -> dict[str, object]:
        """Give the device free, with the governor it had."""
        if self._reservation.held() and self._free():
            self._governor.give_back()
        self._reservation.release()
        return {}

    def leave(self) -> None:
        """The connection ended: the session may come back for a while."""
        if self._reservation.held() and self._free():
            self._governor.give_back()
        self._reservation.leave()

    def temperature(self) -> dict[str, object]:
        """Return how hot it is, in millidegrees Celsius; None where the device does not say."""
        return {"millidegrees": probe.temperature()}

    def start(
        self,
        id: str,
        job: str,
        bundle: str,
        paths: list[str],
        timeout: float,
    ) -> dict[str, object]:
        """Start a job, or say that it is running or done already, or who holds the device."""
        folder = self._store.path("jobs", id)
        if os.path.exists(os.path.join(folder, "job.json")):
            return self._state(id)
        holder = self._reservation.take()
        if holder is not None:
            return {"state": "busy", "holder": holder}
        lock = _take(self._lock_path())
        if lock is None:
            return {"state": "busy", "holder": self._holder()}
        try:
            self._drop_old()
            remove(folder)
            os.makedirs(os.path.join(folder, "out"), mode=0o700)
            os.ftruncate(lock, 0)
            os.pwrite(lock, json.dumps({"id": id, "owner": self._owner}).encode(), 0)
            _write(os.path.join(folder, "state.json"), json.dumps({"boot_id": probe.boot_id(), "number": self._next()}))
            command = [sys.executable, bundle, os.path.join(folder, "job.json"), os.path.join(folder, "out")]
            _write(os.path.join(folder, "job.json"), job)
            supervise.detach(folder, command, paths, timeout, lock, self._reservation.descriptors())
        except OSError:
            remove(folder)
            raise
        finally:
            os.close(lock)
        return {"state": "running"}

    def wait(self, id: str, offset: int, seconds: float) -> tuple[dict[str, object], bytes]:
        """Return the job's state and its progress from `offset`, as soon as there is any news."""
        progress = self._store.path("jobs", id) + "/progress"
        deadline = time.monotonic() + seconds
        while True:
            state = self._state(id)
            news = b""
            if os.path.exists(progress):
                with open(progress, "rb") as stream:
                    stream.seek(offset)
                    news = stream.read(PIECE)
            if news or state["state"] != "running" or time.monotonic() > deadline:
                return state, news
            if select.select([self._source], [], [], POLL_SECONDS)[0]:
                return state, b""

    def fetch(self, id: str, file: str, offset: int) -> tuple[dict[str, object], bytes]:
        """Return a piece of one of the job's files and the file's whole size; size -1: there is none."""
        if file not in FETCHABLE:
            raise ValueError(f"not a file of a job: {file!r}")
        path = os.path.join(self._store.path("jobs", id), FETCHABLE[file])
        if not os.path.exists(path):
            return {"size": -1}, b""
        with open(path, "rb") as stream:
            stream.seek(offset)
            return {"size": os.path.getsize(path)}, stream.read(PIECE)

    def forget(self, prefix: str, keep: str = "") -> dict[str, object]:
        """Delete the folders of jobs whose id starts with `prefix`, but not that of `keep` or of the one that runs."""
        running = self._holder().get("id") if not self._free() else None
        names = own_entries(self._store.root, "jobs")
        names = [name for name in names if name.startswith(prefix) and name not in (running, keep)]
        for name in names:
            remove(self._store.path("jobs", name))
        return {"removed": len(names)}

    def kill(self, id: str) -> dict[str, object]:
        """End a running job and all its processes."""
        if self._free() or self._holder().get("id") != id:
            return {"killed": False}
        supervise.kill(self._store.path("jobs", id))
        deadline = time.monotonic() + KILL_SECONDS
        while not self._free() and time.monotonic() < deadline:  # a process in a disk that hangs cannot be killed
            time.sleep(POLL_SECONDS)
        return {"killed": self._free()}

    def kill_all(self) -> dict[str, object]:
        """End whatever runs."""
        return self.kill(str(self._holder().get("id", ""))) if not self._free() else {"killed": False}

    def _next(self) -> int:
        return 1 + max(map(self._number, own_entries(self._store.root, "jobs")), default=0)

    def _number(self, id: str) -> int:
        """Return which job it was of those here: counted, for the device's clock may step."""
        number = (read_json(self._store.path("jobs", id) + "/state.json") or {}).get("number")
        return number if isinstance(number, int) else 0

    def _drop_old(self) -> None:
        """Delete the jobs that nobody has come back for. Called with the lock held: none of them runs."""
        for id in sorted(own_entries(self._store.root, "jobs"), key=self._number)[:-MOST_FINISHED]:
            remove(self._store.path("jobs", id))

    def _state(self, id: str) -> dict[str, object]:
        folder = self._store.path("jobs", id)
        holds = not self._free() and self._holder().get("id") == id
        ended = read_json(os.path.join(folder, "exit.json"))  # after the lock: it is written before the lock is freed
        if ended is not None:
            return {"state": "done", **ended}
        if holds:
            return {"state": "running"}
        begun = read_json(os.path.join(folder, "state.json")) or {}
        if begun.get("boot_id") not in (None, probe.boot_id()):
            return {"state": "lost", "restarted": True, "reason": "the device restarted while it ran"}
        if os.path.exists(os.path.join(folder, "out", "run.json")):
            return {"state": "done", "code": 0}  # its supervisor died, but it finished
        return {"state": "lost", "reason": "its processes were killed on the device"}

    def _lock_path(self) -> str:
        return self._store.path("lock")

    def _free(self) -> bool:
        handle = _take(self._lock_path())
        if handle is None:
            return False
        os.close(handle)
        return True

    def _holder(self) -> dict[str, Any]:
        return read_json(self._lock_path()) or {}


def _take(path: str) -> Optional[int]:
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


def _write(path: str, text: str) -> None:
    with open(path + ".new", "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(path + ".new", path)
