"""Starting a worker process and reading its events; a worker that dies is told apart from one that refuses."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from edgebench.devices.returns import signal_name
from edgebench.errors import ConversionError, EdgebenchError, UsageError
from edgebench.files import write_json
from edgebench.lifeline import with_parent

MODULE = "edgebench.converters.worker"


class WorkerDied(Exception):
    """The worker ended without saying so: by a signal (a crash in a library, or too little memory) or an error."""


class WorkerProcess:
    """A running worker: iterate over its events, answer with `tell`. A context manager that leaves no orphan."""

    def __init__(
        self, request: dict[str, Any], folder: Path, module: str = MODULE, noun: str = "the converter"
    ) -> None:
        """`request` goes to `python -m module` as a file in `folder`; `noun` is what it is called in messages."""
        self._module, self._noun = module, noun
        self._request = folder / "request.json"
        write_json(self._request, request)
        self._stderr: IO[bytes]
        self._process: subprocess.Popen[bytes]

    def __enter__(self) -> WorkerProcess:
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
        return self

    def __exit__(self, *exception: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def tell(self, answer: dict[str, Any]) -> None:
        """Send one line; a worker that is gone is noticed by `events`."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(answer).encode() + b"\n")
            self._process.stdin.flush()

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield events until `done`. Raises the worker's own error, or WorkerDied where it ended without a word."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            event = json.loads(line)
            if event["event"] == "done":
                return
            if event["event"] == "error":
                raise _error(event)
            yield event
        code = self._process.wait()
        if code < 0:
            raise WorkerDied(f"{self._noun} died of {signal_name(-code)}")
        self._stderr.seek(0)
        lines = self._stderr.read()[-4000:].decode(errors="replace").strip().splitlines()
        raise WorkerDied(f"{self._noun} ended with exit code {code}: {lines[-1] if lines else 'no message'}")


def _error(event: dict[str, Any]) -> EdgebenchError:
    return (UsageError if event["exit_code"] == UsageError.exit_code else ConversionError)(event["message"])
