"""A real sshd on this machine: its own keys, configuration and port, for fast tests of everything that travels."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

from edgebench.devices.config import DeviceConfig
from tests.waiting import wait_for

SSHD = "/usr/sbin/sshd"


class LocalSshd:
    """One device: `config()` names it. Its store is `folder/store`, its Python the tests' own."""

    def __init__(self, folder: Path, name: str = "board") -> None:
        self.name = name
        self.folder = folder
        self.store = folder / "store"
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        for key in ("client_key", "host_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)], check=True)
        shutil.copy(folder / "client_key.pub", folder / "authorized_keys")
        Path("/run/sshd").mkdir(exist_ok=True) if os.geteuid() == 0 else None
        # An empty home: what the login files of whoever runs the tests print is no part of them.
        (folder / "login").mkdir(exist_ok=True)
        (folder / "sshd_config").write_text(
            f"ListenAddress 127.0.0.1\nPort {self.port}\nHostKey {folder}/host_key\nPidFile none\nStrictModes no\n"
            f"AuthorizedKeysFile {folder}/authorized_keys\nPasswordAuthentication no\nUsePAM no\nUseDNS no\n"
            f"KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\nMaxStartups 100\n"
            f"SetEnv HOME={folder}/login\n"
        )
        self.ssh_config = self._write_client("ssh_config", self.port)
        self._process = subprocess.Popen(
            [SSHD, "-D", "-e", "-f", str(folder / "sshd_config")],
            stderr=(folder / "log").open("wb"),
            start_new_session=True,
        )
        wait_for_port(self.port)

    def config(self, **changes: object) -> DeviceConfig:
        values = {"name": self.name, "host": self.name, "ssh_config": str(self.ssh_config), "store": str(self.store)}
        return DeviceConfig(**{**values, "python": sys.executable, **changes})

    def through(self, port: int, **changes: object) -> DeviceConfig:
        """The same device behind another port."""
        return self.config(ssh_config=str(self._write_client(f"ssh_config_{port}", port)), **changes)

    def _write_client(self, file: str, port: int) -> Path:
        key = " ".join((self.folder / "host_key.pub").read_text().split()[:2])
        (self.folder / "known_hosts").write_text(f"{self.name} {key}\n")
        (self.folder / file).write_text(
            f"Host {self.name}\n  HostName 127.0.0.1\n  HostKeyAlias {self.name}\n  Port {port}\n"
            f"  User {getpass.getuser()}\n  IdentityFile {self.folder}/client_key\n  IdentitiesOnly yes\n"
            f"  UserKnownHostsFile {self.folder}/known_hosts\n"
        )
        return self.folder / file

    def processes(self) -> list[str]:
        """Command lines of everything that runs for this device: agents, supervisors, runners."""
        return processes_naming(str(self.store))

    def wait_until_idle(self) -> None:
        """Wait until nothing runs for this device any more; what stays for good runs into the test's time limit."""
        wait_for(lambda: not self.processes())

    def files(self) -> list[str]:
        """Everything in the store."""
        return sorted(str(path.relative_to(self.store)) for path in self.store.rglob("*") if path.is_file())

    def cut(self) -> None:
        """Kill every connection; the sshd that listens stays."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        for child in children:
            os.kill(int(child), signal.SIGKILL)

    def stop(self) -> None:
        self.cut()
        self._process.kill()
        self._process.wait()


class CuttingProxy:
    """Passes bytes on to a port, and cuts the connection once after `limit` bytes went to the device."""

    def __init__(self, port: int, limit: int) -> None:
        self._limit = limit
        self.cuts = 0
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._target))
            for pair in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._pump, args=pair, daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:
        passed = 0
        try:
            while data := source.recv(65536):
                sink.sendall(data)
                passed += len(data)
                if counted and not self.cuts and passed > self._limit:
                    self.cuts += 1
                    break
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def close(self) -> None:
        self._listener.close()


def processes_naming(text: str) -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            open_files = [os.readlink(link) for link in (path / "fd").iterdir()]
        except OSError:
            continue
        if int(path.name) != os.getpid() and (text in command or any(text in name for name in open_files)):
            found.append(f"{path.name}: {command}")
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int) -> None:
    def answers() -> bool:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    wait_for(answers)
