"""Starting a worker process and reading its events; a worker that dies is told apart from one that refuses."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Generic, TypeVar

from edgebench.converters import protocol
from edgebench.devices.returns import signal_name
from edgebench.errors import ConversionError, UsageError
from edgebench.lifeline import with_parent
from edgebench.messages import Done, Refused, from_line, to_line

CONVERTER = "edgebench.converters.worker"
QUANTISER = "edgebench.converters.quantize.worker"
MEMORY = ": something killed it, most often the system does, for want of memory"
E = TypeVar("E")


class WorkerDied(Exception):
    """The worker ended without saying so: by a signal (a crash in a library, or too little memory) or an error."""


class WorkerProcess(Generic[E]):
    """A running worker: iterate over its events, answer with `tell`. A context manager that leaves no orphan."""

    def __init__(self, request: object, folder: Path, module: str, events: Sequence[type[E]], noun: str) -> None:
        """`request` goes to `python -m module` as a file in `folder`; `noun` is what it is called in messages."""
        self._module, self._kinds, self._noun = module, events, noun
        self._request = folder / "request.json"
        self._request.write_text(to_line(request), encoding="utf-8")
        self._stderr: IO[bytes]
        self._process: subprocess.Popen[bytes]
        self._killed = threading.Event()

    def __enter__(self) -> WorkerProcess[E]:
        self._stderr = tempfile.TemporaryFile()
        temporary = self._request.parent / "tmp"  # what the frameworks leave there goes with the folder
        temporary.mkdir(exist_ok=True)
        self._process = subprocess.Popen(
            [sys.executable, "-m", self._module, str(self._request)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env=with_parent(TF_CPP_MIN_LOG_LEVEL="3", PYTHONUNBUFFERED="1", TMPDIR=str(temporary.absolute())),
            start_new_session=True,
        )
        if self._killed.is_set():
            self._process.kill()
        return self

    def __exit__(self, *exception: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def kill(self) -> None:
        """End it, now or as soon as it starts; from any thread."""
        self._killed.set()
        if hasattr(self, "_process"):
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    def tell(self, answer: object) -> None:
        """Send one line; a worker that is gone is noticed by `events`."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(to_line(answer).encode() + b"\n")
            self._process.stdin.flush()

    def events(self) -> Iterator[E]:
        """Yield events until `Done`. Raises the worker's own error, or WorkerDied where it ended without a word."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            event: E | Done | Refused = from_line((*self._kinds, Done, Refused), line, self._noun)
            if isinstance(event, Done):
                return
            if isinstance(event, Refused):
                kind = UsageError if event.exit_code == UsageError.exit_code else ConversionError
                raise kind(event.reason)
            yield event
        code = self._process.wait()
        if code < 0:
            why = MEMORY if code == -signal.SIGKILL else ""
            raise WorkerDied(f"{self._noun} died of {signal_name(-code)}{why}")
        self._stderr.seek(0)
        lines = self._stderr.read()[-4000:].decode(errors="replace").strip().splitlines()
        raise WorkerDied(f"{self._noun} ended with exit code {code}: {lines[-1] if lines else 'no message'}")


def converter(request: protocol.Request, folder: Path) -> WorkerProcess[protocol.Event]:
    """Return the worker that has the source model, not started yet, with what it is asked."""
    return WorkerProcess(request, folder, CONVERTER, protocol.EVENTS, "the converter")


def quantiser(request: protocol.Quantisation, folder: Path) -> WorkerProcess[protocol.Event]:
    """Return a worker that makes precisions of one float32 graph, not started yet."""
    return WorkerProcess(request, folder, QUANTISER, protocol.EVENTS, "the quantiser")
