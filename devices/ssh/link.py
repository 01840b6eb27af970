"""One connection to a device: the OpenSSH client as a subprocess, the agent at its other end, requests in between.

The client's own configuration holds: ~/.ssh/config, agent, jump hosts, known_hosts. Never asked and never accepted
silently: passwords (BatchMode) and unknown host keys (StrictHostKeyChecking). What the agent answers is untrusted:
every line and body is bounded before it is read.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import select
import shlex
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from edgebench.devices.config import DeviceConfig
from edgebench.devices.ssh.errors import explain
from edgebench.devices.ssh.payload import OLDEST_PYTHON, REMOTE_SCRIPT, payload
from edgebench.errors import DeviceError

GREETING = b"edgebench-agent 1 "
MAX_LINE = 256 * 1024
MAX_NOISE = 64 * 1024  # what a login shell may print before the agent greets
START_SECONDS = 90.0  # an emulated or very small device needs some for its Python
ANSWER_SECONDS = 120.0


class LinkLostError(DeviceError):
    """The connection broke; the device may be reachable again."""


class RefusedByDeviceError(DeviceError):
    """The agent answered that it cannot do what was asked; `code` is an errno name or "refused"."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Link:
    """An open connection. Counts the bytes it sends and receives."""

    def __init__(self, config: DeviceConfig, client: tuple[str, ...] = ("ssh",)) -> None:
        self._config = config
        self._buffer = b""
        self.bytes_sent = 0
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed in close())
        self._process = self._open([*client, *_options(config), "--", config.address, _remote_command(config)])
        try:
            self.hello = self._greet()
        except BaseException:
            self.close()
            raise

    def _open(self, command: list[str]) -> subprocess.Popen[bytes]:
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

    def request(
        self, operation: str, body: bytes = b"", patience: float = ANSWER_SECONDS, limit: int = 0, **values: Any
    ) -> tuple[dict[str, Any], bytes]:
        """Send one request and return the answer and its body of at most `limit` bytes."""
        self._write(json.dumps({"op": operation, "bytes": len(body), **values}).encode() + b"\n" + body, patience)
        deadline = time.monotonic() + patience
        answer = self._parse(self._read_line(deadline))
        length = answer.pop("bytes", 0)
        if not isinstance(length, int) or not 0 <= length <= limit:
            raise DeviceError(
                f"{self._config.name} answered {operation!r} with {length!r} bytes, at most {limit} belong there"
            )
        content = self._read_exactly(length, deadline)
        if "error" in answer:
            raise RefusedByDeviceError(str(answer["error"]), f"{self._config.name}: {answer.get('message', '')}")
        return answer, content

    def close(self) -> None:
        """Close the connection; the agent ends by itself when its input closes."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()

    def _greet(self) -> dict[str, Any]:
        owner = f"{getpass.getuser()}@{socket.gethostname()}"
        deadline = time.monotonic() + START_SECONDS
        self._write(payload({"store": self._config.store, "owner": owner}), START_SECONDS)
        noise = 0
        while noise < MAX_NOISE:
            line = self._read_line(deadline)
            if line.startswith(GREETING):
                hello = self._parse(line[len(GREETING) :])
                if "too_old" in hello:
                    raise DeviceError(
                        f"{self._config.name} has Python {hello['too_old']}; edgebench needs "
                        f"{'.'.join(map(str, OLDEST_PYTHON))} or newer there: install one and name it as python = "
                        f'"..." in devices.toml'
                    )
                return hello
            noise += len(line) + 1
        raise DeviceError(f"the login shell of {self._config.name} prints too much before a command starts")

    def _write(self, content: bytes, timeout: float) -> None:
        assert self._process.stdin is not None
        descriptor = self._process.stdin.fileno()
        os.set_blocking(descriptor, False)
        deadline = time.monotonic() + timeout
        view = memoryview(content)
        while view:
            _, ready, _ = select.select([], [descriptor], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise LinkLostError(f"{self._config.name} took nothing for {timeout:.0f} s")
            try:
                sent = os.write(descriptor, view)
            except OSError as error:
                raise self._lost() from error
            self.bytes_sent += sent
            view = view[sent:]

    def _read_line(self, deadline: float) -> bytes:
        while b"\n" not in self._buffer:
            if len(self._buffer) > MAX_LINE:
                raise DeviceError(f"{self._config.name} sent a line of more than {MAX_LINE} bytes; that is no answer")
            self._fill(deadline)
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def _read_exactly(self, count: int, deadline: float) -> bytes:
        while len(self._buffer) < count:
            self._fill(deadline)
        body, self._buffer = self._buffer[:count], self._buffer[count:]
        return body

    def _fill(self, deadline: float) -> None:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        if not select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))[0]:
            raise LinkLostError(f"{self._config.name} did not answer in time")
        more = os.read(descriptor, 1 << 16)
        if not more:
            raise self._lost()
        self._buffer += more

    def _parse(self, line: bytes) -> dict[str, Any]:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DeviceError(f"{self._config.name} sent something that is no answer: {line[:80]!r}") from error
        if not isinstance(value, dict):
            raise DeviceError(f"{self._config.name} sent something that is no answer: {line[:80]!r}")
        return value

    def _lost(self) -> DeviceError:
        """Say why the client ended, in words that say what to do; only a broken link may be tried again."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        self._errors.seek(0)
        said = self._errors.read(8192).decode(errors="replace")
        message, final = explain(self._config, self._process.returncode, said)
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
    if config.port:
        options += ["-p", str(config.port)]
    return options


def _remote_command(config: DeviceConfig) -> str:
    return f"exec {shlex.quote(config.python)} -u -c {shlex.quote(REMOTE_SCRIPT)}"
