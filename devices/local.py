"""This machine as a device: the same bundle as everywhere else, in a fresh subprocess for every job."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO

from edgebench import registry
from edgebench.devices.base import DeviceInfo, Outcome, Phase, Progress, Waiting
from edgebench.devices.bundle import write_bundle
from edgebench.devices.pieces import pieces, together
from edgebench.devices.returns import parse_phase, read_outcome
from edgebench.errors import DeviceError
from edgebench.files import scratch_folder, write_json
from edgebench.lifeline import with_parent
from edgebench.records import Job
from edgebench.runner.sensors import temperature_celsius

GPU_FILES = ("/dev/nvidiactl", "/dev/dri/renderD128", "/dev/kgsl-3d0", "/dev/mali0", "/dev/dxg")


TURN_SECONDS = 0.5

_ONE_AT_A_TIME = threading.Lock()
"""Two jobs of this process on this machine at once would measure each other."""


class LocalDevice:
    """Runs jobs in subprocesses of this Python. `name` is `cpu` or `gpu`."""

    def __init__(self, name: str = "cpu") -> None:
        self.name = name
        self._stack = contextlib.ExitStack()
        self._folder = Path()
        self._bundle = Path()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._cancelled = False

    def __enter__(self) -> LocalDevice:
        self._folder = self._stack.enter_context(scratch_folder())
        self._bundle = write_bundle(self._folder)
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def info(self) -> DeviceInfo:
        """List the runtimes this Python can import, without importing them.

        Raises DeviceError for `gpu` on a machine that has none.
        """
        if self.name == "gpu" and not any(Path(path).exists() for path in GPU_FILES):
            raise DeviceError("this machine has no GPU that its system shows: use --device cpu")
        found = {
            runtime.name: importlib.metadata.version(runtime.distribution)
            for runtime in registry.runtimes().values()
            if importlib.util.find_spec(runtime.package) is not None
        }
        return DeviceInfo(self.name, found)

    def put(self, path: Path, sha256: str) -> str:  # noqa: ARG002 (the protocol's; nothing travels here)
        """Return the path itself: everything is here already."""
        return str(path.absolute())

    def run(self, job: Job, progress: Progress) -> Outcome:
        """Run one job in a fresh process and read back what it wrote; an accuracy job in one process a core."""
        with self._turn(progress):
            parts = pieces(job)
            if len(parts) == 1:
                return self._run(job, progress)
            with ThreadPoolExecutor(len(parts)) as pool:
                waiting = [pool.submit(self._run, part, progress) for part in parts]
                try:
                    return together(job, [one.result() for one in waiting])
                except BaseException:
                    self._kill()  # the other pieces: the pool waits for them
                    raise

    def _run(self, job: Job, progress: Progress) -> Outcome:
        with tempfile.TemporaryDirectory(dir=self._folder) as name:
            folder = Path(name)
            write_json(folder / "job.json", job)
            code, stderr, phase = run_process(
                [sys.executable, str(self._bundle), str(folder / "job.json"), str(folder)],
                timeout=job.settings.timeout_seconds,
                progress=progress,
                started=self._note,
            )
            if self._cancelled:
                raise KeyboardInterrupt  # what it brought is no result: it was killed here
            return read_outcome(job, folder, code, stderr, phase)

    def cancel(self) -> None:
        """Kill what runs, from another thread: whoever waits for it is interrupted as by Ctrl-C."""
        self._cancelled = True
        self._kill()

    def _kill(self) -> None:
        for process in [one for one in self._processes if one.poll() is None]:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)

    def temperature(self) -> float | None:
        """Return this machine's degrees Celsius; None where it does not say."""
        return temperature_celsius()

    def _note(self, process: subprocess.Popen[bytes]) -> None:
        self._processes.append(process)
        if self._cancelled:
            self.cancel()

    @contextlib.contextmanager
    def _turn(self, progress: Progress) -> Iterator[None]:
        """Wait for this machine's turn; whoever waits can be interrupted."""
        while not _ONE_AT_A_TIME.acquire(timeout=TURN_SECONDS):
            progress(Waiting())
        try:
            yield
        finally:
            _ONE_AT_A_TIME.release()


def run_process(
    command: list[str],
    timeout: float,
    progress: Progress,
    started: Callable[[subprocess.Popen[bytes]], None] | None = None,
) -> tuple[int | None, str, str]:
    """Run the runner, whose last argument is its folder; return its exit code, the end of its errors, its last phase.

    The exit code is None where it was stopped for time.

    The process has its own group, so that a time-out or Ctrl-C leaves no orphan behind, and it dies with this one.
    """
    phase = "start"
    deadline = time.monotonic() + timeout
    environment = with_parent(TF_CPP_MIN_LOG_LEVEL="3", PYTHONUNBUFFERED="1", TMPDIR=command[-1])
    with tempfile.TemporaryFile() as stderr:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=environment,
            start_new_session=True,
        )
        try:
            if started is not None:
                started(process)
            assert process.stdout is not None
            for event in _events(process.stdout, deadline):
                phase = event.phase
                progress(event)
            code = process.wait(max(0.0, deadline - time.monotonic()))
        except (TimeoutError, subprocess.TimeoutExpired):
            code = None
        finally:
            _kill_group(process)
        stderr.seek(0)
        return code, stderr.read()[-4000:].decode(errors="replace"), phase


def _events(stream: IO[bytes], deadline: float) -> Iterator[Phase]:
    """Yield the progress in of a process's standard output until it closes; TimeoutError at the deadline."""
    lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()

    def pump() -> None:
        for line in stream:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=pump, daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            raise TimeoutError from None
        if line is None:
            return
        event = parse_phase(line)
        if event is not None:  # else not ours: a library wrote before the stream was protected
            yield event


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()
