"""What a device says it is, checked: every field bounded and typed before anything is planned with it."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from edgebench.devices.text import SHORT, clean_text
from edgebench.errors import DeviceError


def _printable(path: str) -> str:
    """Return the path as it is: one that a terminal cannot show is none that edgebench made."""
    if not path.isprintable():
        raise ValueError("is not printable")
    return path


# What is only shown is made printable; what decides anything must have exactly the form it should have.
Text = Annotated[str, Field(max_length=1000), AfterValidator(lambda text: clean_text(text, SHORT))]
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}\z")]
Version = Annotated[str, Field(pattern=r"^[0-9][0-9A-Za-z.+!_-]{0,63}\z")]
Python = Annotated[str, Field(pattern=r"^3\.[0-9]{1,2}\.[0-9]{1,3}\z")]
Glibc = Annotated[str, Field(pattern=r"^2\.[0-9]{1,3}(\.[0-9]{1,5})?\z")]
Abi = Annotated[str, Field(pattern=r"^cp3[0-9]{1,2}[a-z]{0,3}\z")]
Millidegrees = Annotated[int, Field(ge=-100_000, le=1_000_000)]
Bits = Annotated[int, Field(ge=32, le=64, multiple_of=32)]
Count = Annotated[int, Field(ge=0, lt=2**62)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}\z")]
Path = Annotated[str, Field(max_length=4096, pattern=r"^/[^\x00-\x1f\x7f-\x9f]*\z"), AfterValidator(_printable)]
CONFIG = ConfigDict(frozen=True, extra="ignore", strict=True)


class Environment(BaseModel):
    """A runtime that was carried over: its version, and the import folders it needs."""

    model_config = CONFIG

    version: Version
    packages: list[Sha256] = Field(max_length=16)
    paths: list[Path] = Field(max_length=16)


class Facts(BaseModel):
    """The device as its agent found it; sizes in bytes. None where the system does not say."""

    model_config = CONFIG

    name: str
    system: Word
    kernel: Text
    machine: Word
    userland_bits: Bits
    python: Python
    python_implementation: Word
    python_abi: Abi
    python_path: Path
    os: Text | None = None
    os_id: Text | None = None
    os_codename: Text | None = None
    glibc: Glibc | None = None
    board: Text | None = None
    cpu: Text | None = None
    features: list[Text] = Field(default_factory=list, max_length=500)
    cores: Count | None = None
    memory_bytes: Count | None = None
    memory_available_bytes: Count | None = None
    disk_free_bytes: Count
    store_noexec: bool = False
    governor: Text | None = None
    max_frequency_khz: Count | None = None
    temperature_millidegrees: Millidegrees | None = None
    throttled: Count | None = None
    emulator: Text | None = None
    packages: dict[Word, Version] = Field(default_factory=dict, max_length=50)
    environments: dict[Word, Environment] = Field(default_factory=dict, max_length=20)

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
        return int(self.python.split(".")[1])

    @property
    def plain_abi(self) -> str:
        """The ABI of the usual build of this Python: cp311."""
        return f"cp3{self.python_minor}"

    @model_validator(mode="after")
    def _one_python(self) -> Facts:
        """Whatever letters its build adds, an ABI is that of its version."""
        if self.python_abi.rstrip("abcdefghijklmnopqrstuvwxyz") != self.plain_abi:
            raise ValueError(f"Python {self.python} has not the ABI {self.python_abi}")
        return self


def read_facts(answer: dict[str, object], name: str) -> Facts:
    """Check what the agent answered. Raises DeviceError naming the field that is wrong."""
    try:
        return Facts.model_validate({**answer, "name": name})
    except ValidationError as error:
        first = error.errors()[0]
        where = clean_text(".".join(str(part) for part in first["loc"]), 100)
        why = clean_text(first["msg"], SHORT)
        raise DeviceError(f"{name} describes itself in a way that cannot be: {where}: {why}") from error


class Usage(BaseModel):
    """What edgebench keeps on a device."""

    model_config = CONFIG

    root: Path
    size: Count
    files: Count
    left: Count = 0


def read_usage(answer: dict[str, object], name: str) -> Usage:
    """Check what the agent says about its store."""
    try:
        return Usage.model_validate(answer)
    except ValidationError as error:
        raise DeviceError(f"{name} describes its store in a way that cannot be") from error
