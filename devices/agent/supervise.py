"""The supervisor: a detached process that starts the runner, waits for it, and writes down how it ended."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from typing import Optional

from . import reservation
from .governor import Governor
from .owned import remove

KEPT_BYTES = 512  # room for how the job ended, taken beforehand: its disk may be full by then


def detach(folder: str, command: list[str], paths: list[str], timeout: float, lock: int, held: list[int]) -> None:
    """Fork a process that no longer belongs to the connection and supervises `command`; returns at once.

    `held` are the descriptors whose locks say that the connection lives: the new process lets go of them.
    """
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        os.setsid()
        if os.fork():
            os._exit(0)
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        for descriptor in held:
            os.close(descriptor)
        os.chdir("/")
        _supervise(folder, command, paths, timeout, lock)
    finally:
        os._exit(0)


def kill(folder: str) -> None:
    """Kill the runner's process group and the supervisor, as they are named in the job's folder."""
    path = os.path.join(folder, "pids.json")
    for _ in range(50):  # a job that has just been started has not written it yet
        if os.path.exists(path):
            break
        time.sleep(0.1)
    with open(path) as stream:
        pids = json.load(stream)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pids["supervisor"], signal.SIGKILL)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pids["runner"], signal.SIGKILL)


def _supervise(folder: str, command: list[str], paths: list[str], timeout: float, lock: int) -> None:
    import subprocess  # takes long to import on a small device: only where a job runs

    before = _oom_kills()
    _note(folder, "exit.json.kept", {}, KEPT_BYTES)
    began = time.monotonic()
    with open(os.path.join(folder, "progress"), "wb") as out, open(os.path.join(folder, "stderr"), "wb") as errors:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=errors,
            env={**environment(paths), "TMPDIR": folder},
            cwd=folder,
            start_new_session=True,
            pass_fds=(lock,),  # as long as the runner lives, the device is busy, supervisor or not
        )
        _note(folder, "pids.json", {"supervisor": os.getpid(), "runner": process.pid})
        code: Optional[int]
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            code = None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # and whatever it started
        process.wait()
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    if code != 0:
        remove(os.path.join(folder, "out"))  # half of a result would only fill the disk
    ended = {
        "code": code,
        "seconds": time.monotonic() - began,
        "out_of_memory": _oom_kills() > before,
        "disk_free_bytes": free,
    }
    with open(os.path.join(folder, "exit.json.kept"), "r+") as stream:
        stream.write(json.dumps(ended))
    os.replace(os.path.join(folder, "exit.json.kept"), os.path.join(folder, "exit.json"))
    store = os.path.dirname(os.path.dirname(folder))
    if not reservation.is_reserved(os.path.join(store, "reserved")):  # its host is gone: nobody else will
        Governor(os.path.join(store, "governor.json")).give_back()


def environment(paths: list[str]) -> dict[str, str]:
    """Return the environment of a process that imports a runtime from `paths`."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "SSH_"))}
    return {**kept, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}


def _note(folder: str, name: str, value: dict[str, object], size: int = 0) -> None:
    path = os.path.join(folder, name)
    with open(path + ".new", "w") as stream:
        stream.write(json.dumps(value).ljust(size))
    os.replace(path + ".new", path)


def _oom_kills() -> int:
    """How often the kernel has killed a process for want of memory since it started."""
    try:
        with open("/proc/vmstat") as stream:
            counts = dict(line.split() for line in stream)
    except (OSError, ValueError):
        return 0
    return int(counts.get("oom_kill", 0))
