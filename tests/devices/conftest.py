"""A local sshd for every test of the protocol; the emulated Pis are started once, where a test asks for one."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgebench.devices.base import OnDevice
from edgebench.devices.ssh.device import SshDevice
from tests.debian import cannot, need
from tests.devices.jobs import install_odd
from tests.devices.sshd import LocalSshd
from tests.virtual_pi import machine
from tests.virtual_pi.rootfs import CannotBuildError


@pytest.fixture(scope="session")
def openssh() -> None:
    need("sshd", "openssh-server", "openssh-client")
    need("ssh", "openssh-client")


@pytest.fixture
def board(openssh: None, tmp_path: Path) -> Iterator[LocalSshd]:
    """A device that is this machine, behind its own sshd. Nothing of it may be left running."""
    sshd = LocalSshd(tmp_path / "board")
    yield sshd
    sshd.stop()
    sshd.wait_until_idle()


@pytest.fixture
def events() -> list[OnDevice]:
    return []


@pytest.fixture
def device(board: LocalSshd, events: list[OnDevice], tmp_path: Path) -> Iterator[SshDevice]:
    """A connected device with the odd runtime."""
    with SshDevice(board.config(), "a test", events.append, install=False) as connected:
        install_odd(connected, tmp_path)
        yield connected


@pytest.fixture(scope="session")
def pis() -> Iterator[dict[str, machine.VirtualPi]]:
    """Two bare emulated Raspberry Pis, 64 and 32 bits, apart from those of `make virtual-pi`.

    Their root folders are kept in build/ for the next session; two sessions at once take turns.
    """
    started: dict[str, machine.VirtualPi] = {}
    home = machine.HOME / "tests"
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            for architecture in ("arm64", "armhf"):
                try:
                    started[architecture] = machine.start(architecture, home)
                except CannotBuildError as error:
                    cannot(str(error))
            yield started
        finally:
            for pi in started.values():
                pi.stop()


@pytest.fixture(scope="session")
def project(pis: dict[str, machine.VirtualPi], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project folder whose devices.toml names both Pis."""
    folder = tmp_path_factory.mktemp("project")
    tables = [f'[{pi.name}]\nhost = "{pi.name}"\nssh_config = "{pi.ssh_config}"\n' for pi in pis.values()]
    (folder / "devices.toml").write_text("\n".join(tables))
    return folder
