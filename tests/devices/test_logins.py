"""Every login and every address: what greets, asks, refuses or cannot start, and how a device may be named."""

import subprocess
import sys

import pytest

from edgebench.devices.config import find_device, read_devices
from edgebench.devices.ssh import link
from edgebench.devices.ssh.device import SshDevice
from edgebench.devices.ssh.link import _options, _remote_command
from edgebench.devices.text import clean_text
from edgebench.errors import DeviceError, UsageError
from tests.debian import need_root


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


def login(board, tmp_path, script: str):
    """The board with a login that does this before it starts the command."""
    shell = tmp_path / "login"
    shell.write_text(f'#!/bin/sh\n{script}\nexec {sys.executable} "$@"\n')
    shell.chmod(0o755)
    return SshDevice(board.config(python=str(shell)), install=False)


@pytest.mark.device
@pytest.mark.parametrize(
    "script",
    [
        'printf "loading... "',
        r'printf "\033]0;pi@kitchen\007"',
        "read -r answer",
        'read -r a; read -r b; echo "Welcome $a"',
    ],
)
def test_a_login_that_prints_or_reads_a_line_does_no_harm(board, tmp_path, script):
    with login(board, tmp_path, script) as device:
        assert device.facts().userland_bits == 64


@pytest.mark.device
@pytest.mark.parametrize(
    ("script", "words"),
    [
        ('echo "This account is currently not available."; exit 1', "It printed 'This account is currently not"),
        ("exit 0", "its login may allow no commands"),
        ("kill -SEGV $$", "before it said anything: try `ssh board"),
        ("echo no quota >&2; kill -SEGV $$", "could not be made: no quota; if the login printed that, try `ssh board"),
        ('exec "/dev/null"', "cannot be run"),
    ],
)
def test_a_login_that_starts_nothing_is_one_clear_line(board, tmp_path, script, words):
    with pytest.raises(DeviceError) as error:
        login(board, tmp_path, script).facts()
    assert words in str(error.value) and "\n" not in str(error.value)


@pytest.mark.device
def test_a_login_that_swallows_the_agent_is_told_from_silence(board, tmp_path, monkeypatch):
    monkeypatch.setattr(link, "START_SECONDS", 5.0)
    with pytest.raises(DeviceError, match="reads from standard input, which carries edgebench's agent"):
        login(board, tmp_path, "cat > /dev/null").facts()


@pytest.mark.device
def test_a_store_that_cannot_be_written_or_executed_is_said(board, tmp_path):
    need_root("mount file systems")
    board.store.mkdir()
    for option, words in (("ro", "Read-only file system"), ("noexec", "")):
        subprocess.run(["mount", "-t", "tmpfs", "-o", option, "tmpfs", str(board.store)], check=True)
        try:
            with SshDevice(board.config(), install=False) as device:
                if words:
                    with pytest.raises(DeviceError, match=rf"cannot keep edgebench's folder .*{words}"):
                        device.facts()
                else:
                    assert device.facts().store_noexec
        finally:
            subprocess.run(["umount", str(board.store)], check=True)


@pytest.mark.parametrize(
    ("table", "user", "host"),
    [
        ('host = "pi@kitchen.local"', "pi", "kitchen.local"),
        ('host = "[::1]"', None, "::1"),
        ('host = "fe80::1%eth0"\nuser = "pi"', "pi", "fe80::1%eth0"),
        ('host = "pi@[2001:db8::7]"', "pi", "2001:db8::7"),
        (r'host = "x"' + "\nuser = 'LAB\\jürgen.k'", "LAB\\jürgen.k", "x"),
        ('host = "ann@lab.org@gate"', "ann@lab.org", "gate"),
    ],
)
def test_every_address_is_taken_as_ssh_takes_it(tmp_path, table, user, host):
    (tmp_path / "devices.toml").write_text(f"[a]\n{table}\n", encoding="utf-8")
    device = read_devices(tmp_path)["a"]
    assert (device.user, device.host) == (user, host)
    assert ("-l" in _options(device)) == (user is not None)


def test_a_name_of_ssh_config_is_a_device(tmp_path):
    folder = tmp_path / "home/.ssh"
    (folder / "conf.d").mkdir(parents=True)
    (folder / "config").write_text("Include conf.d/*\nHost *\n  User x\nHost lab-*\n")
    (folder / "conf.d/pis").write_text("Host=my-pi other\n  HostName 10.0.0.7\n")
    assert find_device("my-pi", tmp_path).host == "my-pi"
    assert find_device("pi@lab-3", tmp_path).address == "pi@lab-3"
    with pytest.raises(UsageError, match=r"unknown device 'my-pie': known are cpu, my-pi, other"):
        find_device("my-pie", tmp_path)


def test_home_in_python_is_the_devices(tmp_path):
    (tmp_path / "devices.toml").write_text('[a]\nhost = "x"\npython = "~/my env/bin/python"\n')
    assert _remote_command(read_devices(tmp_path)["a"]).startswith("exec ~/'my env/bin/python' -u -c ")


@pytest.mark.parametrize(
    "text", ["\x1b[2J", "\x1b]0;title\x07", "\x9b31m", "\u202egpj.exe", "a\r\nb", "\u2066x\u2069", "\x85", "\x00"]
)
def test_what_a_terminal_would_obey_is_gone(text):
    cleaned = clean_text(f"before{text}after")
    assert cleaned.isprintable() and "before" in cleaned and "after" in cleaned
    assert "title" not in cleaned and len(clean_text("x" * 99999)) == 2000
