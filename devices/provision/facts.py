"""What a device says it is, checked: every field bounded and typed before anything is planned with it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edgebench.errors import DeviceError

Text = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Count = Annotated[int, Field(ge=0, lt=2**62)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Path = Annotated[str, Field(max_length=4096, pattern=r"^/[^\x00-\x1f\x7f]*$")]
CONFIG = ConfigDict(frozen=True, extra="ignore", strict=True)


class Environment(BaseModel):
    """A runtime that was carried over: its version, and the import folders it needs."""

    model_config = CONFIG

    version: Text
    packages: list[Sha256] = Field(max_length=16)
    paths: list[Path] = Field(max_length=16)


class Facts(BaseModel):
    """The device as its agent found it; sizes in bytes. None where the system does not say."""

    model_config = CONFIG

    name: str
    system: Text
    kernel: Text
    machine: Text
    userland_bits: Count
    python: Text
    python_implementation: Text
    python_abi: Text
    python_path: Text
    os: Text | None = None
    os_id: Text | None = None
    os_codename: Text | None = None
    glibc: Text | None = None
    board: Text | None = None
    cpu: Text | None = None
    features: list[Text] = Field(default_factory=list, max_length=500)
    cores: Count | None = None
    memory_bytes: Count | None = None
    memory_available_bytes: Count | None = None
    disk_free_bytes: Count
    governor: Text | None = None
    max_frequency_khz: Count | None = None
    temperature_millidegrees: int | None = None
    throttled: Count | None = None
    emulator: Text | None = None
    packages: dict[Text, Text] = Field(default_factory=dict, max_length=50)
    environments: dict[Text, Environment] = Field(default_factory=dict, max_length=20)

    @property
    def architecture(self) -> str:
        """The wheels' name of the userland's architecture: a 64-bit kernel may carry a 32-bit userland."""
        if self.machine in ("aarch64", "arm64", "armv8l", "armv7l"):
            return "aarch64" if self.userland_bits == 64 else "armv7l"
        if self.machine in ("x86_64", "amd64"):
            return "x86_64" if self.userland_bits == 64 else "i686"
        return self.machine

    @property
    def python_minor(self) -> int:
        """11 for Python 3.11."""
        parts = self.python.split(".")
        return int(parts[1]) if len(parts) > 1 and parts[0] == "3" and parts[1].isdigit() else 0


def read_facts(answer: dict[str, Any], name: str) -> Facts:
    """Check what the agent answered. Raises DeviceError naming the field that is wrong."""
    try:
        return Facts.model_validate({**answer, "name": name})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])[:100]
        raise DeviceError(f"{name} describes itself in a way that cannot be: {where}: {first['msg']}") from error


class Usage(BaseModel):
    """What edgebench keeps on a device."""

    model_config = CONFIG

    root: Path
    size: Count
    files: Count


def read_usage(answer: dict[str, Any], name: str) -> dict[str, Any]:
    """Check what the agent says about its store."""
    try:
        return Usage.model_validate(answer).model_dump()
    except ValidationError as error:
        raise DeviceError(f"{name} describes its store in a way that cannot be") from error
