"""One connection to a device: the OpenSSH client as a subprocess, the agent at its other end, requests in between.

The client's own configuration holds: ~/.ssh/config, agent, jump hosts, known_hosts. Never asked and never accepted
silently: passwords (BatchMode) and unknown host keys (StrictHostKeyChecking). What the agent answers is untrusted:
every line and body is bounded before it is read.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import shlex
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from edgebench.devices.config import DeviceConfig
from edgebench.devices.ssh.errors import explain, explain_hello, explain_silence
from edgebench.devices.ssh.payload import REMOTE_SCRIPT, payload
from edgebench.devices.ssh.wire import Wire, WireClosedError, WireSilentError
from edgebench.devices.text import SHORT, clean_bytes, clean_text
from edgebench.errors import DeviceError

GREETING = b"edgebench-agent 1 "
MAX_NOISE = 64 * 1024  # what a login shell may print before the agent greets
START_SECONDS = 90.0  # an emulated or very small device needs some for its Python
ANSWER_SECONDS = 120.0
CLOSE_SECONDS = 0.3


class LinkLostError(DeviceError):
    """The connection broke; the device may be reachable again."""


class RefusedByDeviceError(DeviceError):
    """The agent answered that it cannot do what was asked; `code` is an errno name or "refused"."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Link:
    """A connection; `open` makes it. Counts the bytes it sends."""

    def __init__(self, config: DeviceConfig, session: str = "", client: tuple[str, ...] = ("ssh",)) -> None:
        self._config = config
        self._session = session
        self._noise = b""
        self._greeted = False
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed in close())
        self._process = self._start([*client, *_options(config), "--", config.host, _remote_command(config)])
        assert self._process.stdout is not None and self._process.stdin is not None
        self._wire = Wire(self._process.stdout.fileno(), self._process.stdin.fileno(), config.name)

    def _start(self, command: list[str]) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                bufsize=0,
                start_new_session=True,  # Ctrl-C is for edgebench; it closes the connection itself
            )
        except FileNotFoundError as error:
            self._errors.close()
            raise DeviceError(f"there is no {command[0]} on this machine: install the OpenSSH client") from error

    @property
    def bytes_sent(self) -> int:
        """How much went to the device."""
        return self._wire.bytes_sent

    def open(self) -> None:
        """Send the agent and wait for its greeting, wherever in a line the login leaves it."""
        owner = f"{getpass.getuser()}@{socket.gethostname()}"
        deadline = time.monotonic() + START_SECONDS
        settings = {"store": self._config.store, "owner": owner, "session": self._session}
        try:
            self._wire.write(payload(settings), START_SECONDS)
            while len(self._noise) < MAX_NOISE:
                line = self._wire.read_line(deadline)
                before, greeting, rest = line.partition(GREETING)
                self._noise += before + b"\n"
                if greeting:
                    self._greeted = True
                    explain_hello(self._config, self._wire.parse(rest))
                    return
        except WireSilentError:
            raise LinkLostError(explain_silence(self._config, self._heard(), self._said(), START_SECONDS)) from None
        except WireClosedError:
            raise self._lost() from None
        raise DeviceError(
            f"the login shell of {self._config.name} prints too much before a command starts: "
            f"{clean_bytes(self._noise, SHORT)!r}"
        )

    def request(
        self, operation: str, body: bytes = b"", patience: float = ANSWER_SECONDS, limit: int = 0, **values: Any
    ) -> tuple[dict[str, object], bytes]:
        """Send one request and return the answer and its body of at most `limit` bytes."""
        line = json.dumps({"op": operation, "bytes": len(body), **values}).encode() + b"\n"
        try:
            self._wire.write(line + body, patience)
            answer, content = self._wire.read_answer(operation, time.monotonic() + patience, limit)
        except WireSilentError:
            raise LinkLostError(f"{self._config.name} did not answer in {patience:.0f} s") from None
        except WireClosedError:
            raise self._lost() from None
        if "error" in answer:
            message = f"{self._config.name}: {clean_text(answer.get('message', ''))}"
            raise RefusedByDeviceError(clean_text(answer["error"], 40), message)
        return answer, content

    def abort(self) -> None:
        """End the client at once, from another thread: whoever waits for an answer finds the connection broken."""
        self._process.kill()

    def close(self) -> None:
        """Close the connection; the agent ends by itself when its input closes."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        try:
            self._process.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()

    def _heard(self) -> bytes:
        """What the device printed that was no answer."""
        return self._noise + self._wire.pending

    def _said(self) -> str:
        self._errors.seek(0)
        return self._errors.read(8192).decode(errors="replace")

    def _lost(self) -> DeviceError:
        """Say why the client ended, in words that say what to do; only a broken link may be tried again."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        noise = b"" if self._greeted else self._heard()
        message, final = explain(self._config, self._process.returncode, self._said(), noise, self._greeted)
        return DeviceError(message) if final else LinkLostError(message)


def _options(config: DeviceConfig) -> list[str]:
    options = [
        "-T",
        "-oBatchMode=yes",
        "-oStrictHostKeyChecking=yes",
        "-oConnectTimeout=20",
        "-oServerAliveInterval=10",
        "-oServerAliveCountMax=3",
        "-oForwardAgent=no",
        "-oForwardX11=no",
        "-oClearAllForwardings=yes",
        "-oPermitLocalCommand=no",
        "-oRemoteCommand=none",
        "-oLogLevel=ERROR",
    ]
    if config.ssh_config:
        options += ["-F", str(Path(config.ssh_config).expanduser())]
    if config.identity:
        options += ["-i", str(Path(config.identity).expanduser())]
    if config.user:
        options += ["-l", config.user]
    if config.port:
        options += ["-p", str(config.port)]
    return options


def _remote_command(config: DeviceConfig) -> str:
    """Return what the login shell executes; a leading ~ or $HOME of `python` is left to it, all else is quoted."""
    python = config.python
    for home in ("~/", "$HOME/", "${HOME}/"):
        if python.startswith(home):
            return f"exec ~/{shlex.quote(python[len(home) :])} -u -c {shlex.quote(REMOTE_SCRIPT)}"
    return f"exec {shlex.quote(python)} -u -c {shlex.quote(REMOTE_SCRIPT)}"
