"""devices.toml and ssh:// addresses: what they mean, and that nothing typed there can be taken for an option."""

from pathlib import Path

import pytest

from edgebench.devices.config import find_device, read_devices
from edgebench.devices.ssh.link import _options, _remote_command
from edgebench.errors import UsageError


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    (tmp_path / "config/edgebench").mkdir(parents=True)
    (tmp_path / "project").mkdir()
    return tmp_path


def project(home: Path, text: str) -> Path:
    (home / "project/devices.toml").write_text(text)
    return home / "project"


def test_the_projects_file_hides_the_users(home):
    (home / "config/edgebench/devices.toml").write_text('[a]\nhost = "far"\n[b]\nhost = "b"\n')
    devices = read_devices(project(home, '[a]\nhost = "near"\nuser = "pi"\nport = 2222\nidentity = "~/.ssh/id_pi"\n'))
    assert (devices["a"].address, devices["a"].port, devices["b"].address) == ("pi@near", 2222, "b")
    options = _options(devices["a"])
    assert "-oBatchMode=yes" in options and "-oStrictHostKeyChecking=yes" in options
    assert options[-2:] == ["-p", "2222"] and str(Path("~/.ssh/id_pi").expanduser()) in options


@pytest.mark.parametrize(
    ("url", "address", "port", "name"),
    [
        ("ssh://pi@10.0.0.7:2222", "pi@10.0.0.7", 2222, "pi-10.0.0.7-2222"),
        ("ssh://kitchen.local", "kitchen.local", None, "kitchen.local"),
        ("ssh://pi@[fe80::1%eth0]:22", "pi@fe80::1%eth0", 22, "pi-fe80__1_eth0-22"),
    ],
)
def test_addresses(home, url, address, port, name):
    device = find_device(url, home)
    assert (device.address, device.port, device.name) == (address, port, name)


@pytest.mark.parametrize(
    "url",
    [
        "ssh://",
        "ssh://-oProxyCommand=touch x",
        "ssh://a b",
        "ssh://a;b",
        "ssh://$(x)@a",
        "ssh://a:99999",
        "ssh://-l@a",
        "ssh://a/b",
    ],
)
def test_what_is_no_address_is_refused(home, url):
    with pytest.raises(UsageError):
        find_device(url, home)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a\n", "cannot read"),
        ('[a]\nhots = "x"\n', "hots"),
        ("[a]\n", "host"),
        ('[a]\nhost = "x"\nport = "22"\n', "port"),
        ('a = "x"\n', "is not a device"),
        ('[a]\nhost = "-oProxyCommand=x"\n', "not a host name"),
        ('[a]\nhost = "x"\nuser = "-l"\n', "not a user name"),
        ('[cpu]\nhost = "x"\n', "choose another name"),
        ('["../a"]\nhost = "x"\n', "choose another name"),
        ('[a]\nhost = "x"\npython = "python3\\nrm"\n', "in one line"),
    ],
)
def test_a_wrong_file_says_which_value(home, text, message):
    with pytest.raises(UsageError, match=message):
        read_devices(project(home, text))


def test_an_unknown_name_lists_the_known(home):
    with pytest.raises(UsageError, match=r"unknown device 'kitchn': known are cpu, kitchen"):
        find_device("kitchn", project(home, '[kitchen]\nhost = "x"\n'))


def test_the_remote_command_quotes_what_the_user_typed(home):
    device = read_devices(project(home, """[a]\nhost = "x"\npython = "my python'; rm -rf ~; '"\n"""))["a"]
    assert _remote_command(device).startswith("exec 'my python'\"'\"'; rm -rf ~; '\"'\"'' -u -c 'import sys")
