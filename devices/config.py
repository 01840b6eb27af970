"""Which devices there are: `devices.toml` in the project folder, then in the user's configuration folder."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edgebench.devices.provision.plan import CARRIED
from edgebench.devices.ssh_names import is_ssh_name, literal_names
from edgebench.errors import UsageError

FILE = "devices.toml"
GROUPS = "groups"
ALL = "all"
HERE = ("cpu", "gpu")
RESERVED = (*HERE, ALL, GROUPS)
DEFAULT_STORE = "~/.cache/edgebench"
_HOST = re.compile(r"[A-Za-z0-9_:][A-Za-z0-9_.:%-]*\Z")  # never an option, nothing a ProxyCommand could expand
_USER = re.compile(r"\w(?:[\w.@+\\-]*[\w.@+-])?\Z")  # letters of any script; a domain before a backslash
_URL = re.compile(r"ssh://(?:(?P<user>[^@/]+(?:@[^@/]+)*)@)?(?P<host>\[[^]/]+\]|[^@:/]+)(?::(?P<port>\d{1,5}))?/?\Z")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")
_VERSION = re.compile(r"[0-9]+(\.[0-9]+){0,3}\Z", re.ASCII)
_GOVERNOR = re.compile(r"[a-z_]{1,32}\Z")


class DeviceConfig(BaseModel):
    """One table of devices.toml. `host` is what `ssh` would take: a name from ~/.ssh/config, or an address."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: str
    host: str
    user: str | None = None
    port: int | None = None
    identity: str | None = None  # private key file
    ssh_config: str | None = None  # instead of ~/.ssh/config
    python: str = "python3"
    store: str = DEFAULT_STORE  # the one folder edgebench uses on the device
    emulated: bool = False  # mark its results: the latency of an emulated processor means nothing
    cool_down: float = Field(default=0.0, ge=0, le=3600)  # seconds of rest before each round of latency
    max_temperature: float | None = Field(default=None, gt=0, le=150)  # degrees Celsius, before each round
    governor: str | None = None  # of its processor while a profile lasts, where its user may set it
    runtimes: dict[str, str] = Field(default_factory=dict)  # runtime -> version: "1.20" is any 1.20.x
    origin: str = "the command line"

    @property
    def address(self) -> str:
        """What a person would type after `ssh`."""
        return f"{self.user}@{self.host}" if self.user else self.host


def find_device(name: str, project: Path) -> DeviceConfig:
    """Return the device called `name`: in devices.toml, in ~/.ssh/config, or what a `ssh://user@host:port` means."""
    if name.startswith("ssh://"):
        return _from_url(name)
    devices = read_devices(project)
    if name in devices:
        return devices[name]
    user, _, host = name.rpartition("@")
    if is_ssh_name(host):
        plain = re.sub(r"[^A-Za-z0-9._-]", "_", name)
        return _checked({"name": plain, "host": host, "origin": "~/.ssh/config", **({"user": user} if user else {})})
    known = ", ".join([*HERE[:1], *devices, *read_groups(project), *literal_names()[:20]])
    raise UsageError(
        f"unknown device {name!r}: known are {known}. Name it in {project / FILE} "
        f'([{name if _NAME.match(name) else "NAME"}] with host = "..."), or give ssh://user@host'
    )


def read_devices(project: Path) -> dict[str, DeviceConfig]:
    """Return every named device; a name in the project's file hides the same name in the user's."""
    devices: dict[str, DeviceConfig] = {}
    for path in config_files(project):
        for name, table in _read(path).items():
            if name != GROUPS:
                devices.setdefault(name, _device(name, table, str(path)))
    return devices


def read_groups(project: Path) -> dict[str, list[str]]:
    """Return group -> the names in it; a group in the project's file hides the same name in the user's."""
    groups: dict[str, list[str]] = {}
    for path in config_files(project):
        table = _read(path).get(GROUPS, {})
        if not isinstance(table, dict):
            raise UsageError(f'{path}: write [{GROUPS}] and below it lab = ["one", "other"]')
        for name, members in table.items():
            if not (isinstance(members, list) and members and all(isinstance(one, str) for one in members)):
                raise UsageError(f'{path}: group {name!r} is no list of device names such as ["one", "other"]')
            if not _NAME.match(name) or name in RESERVED:
                raise UsageError(f"{path}: choose another name for group {name!r}")
            groups.setdefault(name, members)
    return groups


def expand_names(names: tuple[str, ...], project: Path) -> list[str]:
    """Return the device names that these mean, each once: `all` is every named device, a group its members."""
    groups, found = read_groups(project), dict[str, None]()
    devices = read_devices(project)
    for name in groups:
        if name in devices:
            raise UsageError(f"{name!r} is a device and a group: rename one of them")

    def add(name: str, inside: tuple[str, ...]) -> None:
        if name in inside:
            raise UsageError(f"the group {name!r} holds itself: {' > '.join((*inside, name))}")
        if name == ALL:
            members = list(devices)
            if not members:
                raise UsageError(f"--device {ALL}: no device has a name yet; write some into {project / FILE}")
        elif name in groups:
            members = groups[name]
        else:
            found[name] = None
            return
        for member in members:
            add(member, (*inside, name))

    for name in names:
        add(name, ())
    return list(found)


def config_files(project: Path) -> list[Path]:
    """Return where devices.toml is looked for, the first wins."""
    user = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "edgebench"
    return [project / FILE, user / FILE]


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}: {error}") from error


def _device(name: str, table: Any, origin: str) -> DeviceConfig:
    if not isinstance(table, dict):
        raise UsageError(f'{origin}: {name!r} is not a device; write [{name}] and below it host = "..."')
    known = [key for key in DeviceConfig.model_fields if key not in ("name", "origin")]
    for key in table:
        if key not in known:
            raise UsageError(f"{origin}: device {name!r}: unknown key {key!r}; known are {', '.join(known)}")
    return _checked({**table, "name": name, "origin": origin})


def _from_url(url: str) -> DeviceConfig:
    match = _URL.match(url)
    if match is None:
        raise UsageError(f"cannot read the device {url!r}: write ssh://user@host or ssh://user@host:port")
    host, user = match["host"].strip("[]"), match["user"] and unquote(match["user"])
    name = "-".join(part for part in (user, host, match["port"]) if part)
    name = re.sub(r"[^A-Za-z0-9._-]", "_", name).lstrip("._-") or "device"
    port = int(match["port"]) if match["port"] else None
    return _checked({"name": name, "host": host, "user": user, "port": port, "origin": "the command line"})


def _checked(values: dict[str, Any]) -> DeviceConfig:
    """Return the device of these values; `host` may be user@host, and an IPv6 address in brackets."""
    where = f"{values['origin']}: device {values['name']!r}"
    values = _split_host(values, where)
    try:
        device = DeviceConfig(**values)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{where}: {field}: {first['msg']}") from error
    if not _NAME.match(device.name) or device.name in RESERVED:
        raise UsageError(f"{where}: choose another name of letters, digits, '.', '_' and '-' (not cpu, gpu or all)")
    if not _HOST.match(device.host):
        raise UsageError(f"{where}: {device.host!r} is not a host name; a port has a line of its own: port = 22")
    if device.user is not None and not _USER.match(device.user):
        raise UsageError(f"{where}: {device.user!r} is not a user name")
    if device.port is not None and not 0 < device.port < 65536:
        raise UsageError(f"{where}: {device.port} is not a port")
    if any(ord(character) < 32 for character in device.python + device.store):
        raise UsageError(f"{where}: python and store are paths in one line")
    if device.governor is not None and not _GOVERNOR.match(device.governor):
        raise UsageError(f"{where}: {device.governor!r} is not a governor; performance is the usual one")
    for runtime, version in device.runtimes.items():
        if runtime not in CARRIED:
            raise UsageError(f"{where}: runtimes: unknown {runtime!r}; known are {', '.join(CARRIED)}")
        if not _VERSION.match(version):
            raise UsageError(f'{where}: runtimes: {version!r} is not a version of {runtime} such as "1.20"')
    return device


def _split_host(values: dict[str, Any], where: str) -> dict[str, Any]:
    host = values.get("host")
    if not isinstance(host, str):
        return values
    user, at, host = host.rpartition("@")
    if at and values.get("user") not in (None, user):
        raise UsageError(f"{where}: host says the user is {user!r}, user says {values['user']!r}")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    if host.count(":") == 1:
        raise UsageError(f"{where}: {host!r} has a port: write host = {host.split(':')[0]!r} and port = ... in lines")
    return {**values, "host": host, **({"user": user} if at else {})}
