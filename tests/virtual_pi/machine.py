"""Starts and stops a virtual Pi: its own mount and process namespaces, and a real sshd on 127.0.0.1."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from tests.virtual_pi.rootfs import BOARDS, CannotBuildError, build, prepare_host

HOME = Path(__file__).resolve().parents[2] / "build" / "virtual-pi"

# Everything mounted here lives in the namespace of this one process tree and vanishes with it.
_INSIDE = """
set -e
mount -t proc proc "$1/proc"
mount --bind "$1/etc/cpuinfo" "$1/proc/cpuinfo"
mount --bind "$1/etc/boot_id" "$1/proc/sys/kernel/random/boot_id"
mount -t tmpfs -o mode=755 dev "$1/dev"
for node in null zero full random urandom tty; do
  touch "$1/dev/$node"; mount --bind "/dev/$node" "$1/dev/$node"
done
mkdir "$1/dev/shm"; mount -t tmpfs -o mode=1777 shm "$1/dev/shm"
ln -s /proc/self/fd "$1/dev/fd"
mount -t tmpfs -o mode=1777 tmp "$1/tmp"
exec chroot "$1" /usr/sbin/sshd -D -e
"""


@dataclass(frozen=True)
class VirtualPi:
    """A running virtual Pi. `ssh_config` holds a host `name` that a plain `ssh -F` reaches."""

    name: str
    folder: Path
    port: int
    pid: int

    @property
    def root(self) -> Path:
        return self.folder / "root"

    @property
    def ssh_config(self) -> Path:
        return self.folder / "ssh_config"

    def stop(self) -> None:
        """End every process of it."""
        _end(self.pid)
        (self.folder / "pid").unlink(missing_ok=True)


def start(architecture: str, home: Path = HOME) -> VirtualPi:
    """Build it where needed and start it, bare: an empty home folder. Raises CannotBuildError."""
    board = BOARDS[architecture]
    folder = home / architecture
    stop(architecture, home)
    prepare_host(board)
    build(board, folder / "root")
    _bare_home(folder / "root/home/pi")
    port = _free_port()
    name = f"virtual-pi-{architecture}"
    _write_ssh(folder, name, port, board.cpu)
    return _launch(architecture, folder, port)


def restart(pi: VirtualPi) -> VirtualPi:
    """Cut its power and start it again: the same disk and address, nothing of what ran."""
    pi.stop()
    return _launch(pi.folder.name, pi.folder, pi.port)


def _launch(architecture: str, folder: Path, port: int) -> VirtualPi:
    (folder / "root/etc/boot_id").write_text(f"{uuid.uuid4()}\n")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", _INSIDE, "sh", str(folder / "root")],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "QEMU_CPU": BOARDS[architecture].cpu},
        )
    (folder / "pid").write_text(str(process.pid))
    pi = VirtualPi(f"virtual-pi-{architecture}", folder, port, process.pid)
    _wait_for_sshd(pi, process)
    return pi


def stop(architecture: str, home: Path = HOME) -> None:
    """Stop it if it runs."""
    pidfile = home / architecture / "pid"
    if pidfile.exists():
        pid = int(pidfile.read_text())
        command = Path(f"/proc/{pid}/cmdline")
        if command.exists() and b"unshare" in command.read_bytes():
            _end(pid)
        pidfile.unlink()


def clean(architecture: str, home: Path = HOME) -> None:
    """Stop it and delete all it left."""
    stop(architecture, home)
    shutil.rmtree(home / architecture, ignore_errors=True)


def _bare_home(home: Path) -> None:
    shutil.rmtree(home, ignore_errors=True)
    (home / ".ssh").mkdir(parents=True)
    for path in (home, home / ".ssh"):
        os.chown(path, 1000, 1000)


def _write_ssh(folder: Path, name: str, port: int, cpu: str) -> None:
    """Make keys and configurations for both sides; the client knows the host key beforehand."""
    root = folder / "root"
    for key in (folder / "client_key", folder / "host_key"):
        if not key.exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(key)], check=True)
    shutil.copy(folder / "host_key", root / "etc/ssh/host_key")
    (root / "etc/ssh/host_key").chmod(0o600)
    authorized = root / "home/pi/.ssh/authorized_keys"
    shutil.copy(folder / "client_key.pub", authorized)
    os.chown(authorized, 1000, 1000)
    (root / "etc/ssh/sshd_config").write_text(
        f"ListenAddress 127.0.0.1\nPort {port}\nHostKey /etc/ssh/host_key\nUsePAM no\nPasswordAuthentication no\n"
        f"KbdInteractiveAuthentication no\nPermitRootLogin no\nAllowUsers pi\nPidFile none\nUseDNS no\n"
        f"Subsystem sftp /usr/lib/openssh/sftp-server\nSetEnv QEMU_CPU={cpu}\n"
    )
    host_key = " ".join((folder / "host_key.pub").read_text().split()[:2])
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {host_key}\n")
    (folder / "ssh_config").write_text(
        f"Host {name}\n  HostName 127.0.0.1\n  Port {port}\n  User pi\n  IdentityFile {folder / 'client_key'}\n"
        f"  IdentitiesOnly yes\n  UserKnownHostsFile {folder / 'known_hosts'}\n"
    )


def _wait_for_sshd(pi: VirtualPi, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", pi.port), timeout=10) as connection:
                if connection.recv(4) == b"SSH-":
                    return
        except OSError:
            time.sleep(0.1)
    pi.stop()
    log = (pi.folder / "log").read_text(errors="replace").strip().splitlines()
    raise CannotBuildError(f"the sshd of {pi.name} did not start: {log[-1] if log else 'no message'}")


def _end(pid: int) -> None:
    """Kill `unshare`; with --kill-child the kernel then ends the whole process namespace."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    try:
        os.waitpid(pid, 0)
    except ChildProcessError:
        while Path(f"/proc/{pid}").exists():
            time.sleep(0.02)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
