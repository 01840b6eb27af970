"""Which devices there are: `devices.toml` in the project folder, then in the user's configuration folder."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from edgebench.errors import UsageError

FILE = "devices.toml"
DEFAULT_STORE = "~/.cache/edgebench"
_HOST = re.compile(r"[A-Za-z0-9_\[][A-Za-z0-9_.:%\[\]-]*\Z")  # never an option, nothing a ProxyCommand could expand
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]*\Z")
_URL = re.compile(r"ssh://(?:(?P<user>[^@/]+)@)?(?P<host>\[[^]/]+\]|[^@:/]+)(?::(?P<port>\d{1,5}))?/?\Z")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")


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
    origin: str = "the command line"

    @property
    def address(self) -> str:
        """What a person would type after `ssh`."""
        return f"{self.user}@{self.host}" if self.user else self.host


def find_device(name: str, project: Path) -> DeviceConfig:
    """Return the device called `name`, or the one a `ssh://user@host:port` means."""
    if name.startswith("ssh://"):
        return _from_url(name)
    devices = read_devices(project)
    if name not in devices:
        known = ", ".join(["cpu", *devices])
        raise UsageError(
            f"unknown device {name!r}: known are {known}. Name it in {project / FILE} "
            f'([{name if _NAME.match(name) else "NAME"}] with host = "..."), or give ssh://user@host'
        )
    return devices[name]


def read_devices(project: Path) -> dict[str, DeviceConfig]:
    """Return every named device; a name in the project's file hides the same name in the user's."""
    devices: dict[str, DeviceConfig] = {}
    for path in config_files(project):
        for name, device in _read(path).items():
            devices.setdefault(name, device)
    return devices


def config_files(project: Path) -> list[Path]:
    """Return where devices.toml is looked for, the first wins."""
    user = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "edgebench"
    return [project / FILE, user / FILE]


def _read(path: Path) -> dict[str, DeviceConfig]:
    try:
        tables = tomllib.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}: {error}") from error
    return {name: _device(name, table, str(path)) for name, table in tables.items()}


def _device(name: str, table: Any, origin: str) -> DeviceConfig:
    if not isinstance(table, dict):
        raise UsageError(f'{origin}: {name!r} is not a device; write [{name}] and below it host = "..."')
    known = [key for key in DeviceConfig.model_fields if key not in ("name", "origin")]
    for key in table:
        if key not in known:
            raise UsageError(f"{origin}: device {name!r}: unknown key {key!r}; known are {', '.join(known)}")
    try:
        device = DeviceConfig(**{**table, "name": name, "origin": origin})
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{origin}: device {name!r}: {field}: {first['msg']}") from error
    return _checked(device)


def _from_url(url: str) -> DeviceConfig:
    match = _URL.match(url)
    if match is None:
        raise UsageError(f"cannot read the device {url!r}: write ssh://user@host or ssh://user@host:port")
    port = int(match["port"]) if match["port"] else None
    host = match["host"].strip("[]")
    name = "-".join(part for part in (match["user"], host, match["port"]) if part)
    name = re.sub(r"[^A-Za-z0-9._-]", "_", name)
    return _checked(DeviceConfig(name=name, host=host, user=match["user"], port=port))


def _checked(device: DeviceConfig) -> DeviceConfig:
    where = f"{device.origin}: device {device.name!r}"
    if not _HOST.match(device.host):
        raise UsageError(f"{where}: {device.host!r} is not a host name")
    if not _NAME.match(device.name) or device.name in ("cpu", "gpu"):
        raise UsageError(f"{where}: choose another name of letters, digits, '.', '_' and '-' (not cpu or gpu)")
    if device.user is not None and not _USER.match(device.user):
        raise UsageError(f"{where}: {device.user!r} is not a user name")
    if device.port is not None and not 0 < device.port < 65536:
        raise UsageError(f"{where}: {device.port} is not a port")
    if "\0" in device.python + device.store or "\n" in device.python + device.store:
        raise UsageError(f"{where}: python and store are paths in one line")
    return device
