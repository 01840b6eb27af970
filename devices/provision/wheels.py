"""Fetches wheels for another machine's Python with pip, trims them, and packs each into a zip of reproducible bytes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from edgebench.devices.provision.facts import Facts
from edgebench.errors import DeviceError
from edgebench.files import atomic_path, sha256_file

EPOCH = (1980, 1, 1, 0, 0, 0)
OLDEST_GLIBC_MINOR = 17
TIMEOUT_SECONDS = 600

# What inference never imports. Left out: a third of the bytes.
_UNUSED = re.compile(
    r"(^|/)tests/|\.pyi$|\.pxd$|/include/|\.a$|\.h$|^numpy/(f2py|distutils)/|/libLiteRtWebGpuAccelerator\.so$"
    r"|^onnxruntime/(transformers|quantization|tools)/|/libonnxruntime\.so|ThirdPartyNotices\.txt$"
)
_DATA = re.compile(r"^[^/]+\.data/(purelib|platlib)/")


class NoWheelError(DeviceError):
    """No wheel of a distribution fits the device, or none can be fetched."""


@dataclass(frozen=True)
class Package:
    """A trimmed, packed wheel in the host's cache."""

    distribution: str
    version: str
    path: Path
    sha256: str


def fetch(requirement: str, facts: Facts, refresh: bool = False) -> Package:
    """Return the newest wheel of `requirement` that fits the device, packed; from the cache where it is there.

    Raises NoWheelError with pip's reason.
    """
    folder = cache_folder() / f"{facts.python_abi}-{facts.architecture}-glibc{facts.glibc}"
    slot = folder / re.sub(r"[^A-Za-z0-9.-]", "_", requirement)
    packed = sorted(slot.glob("*.zip"))
    if not packed or refresh:
        with tempfile.TemporaryDirectory(prefix="edgebench-") as name:
            wheel = _download(requirement, facts, Path(name))
            target = slot / f"{wheel.stem}.zip"
            with atomic_path(target) as temporary:
                pack_wheel(wheel, temporary)
        for old in packed:
            if old != target:
                old.unlink()
        packed = [target]
    distribution, version, *_ = packed[0].stem.split("-")
    return Package(distribution.replace("_", "-"), version, packed[0], sha256_file(packed[0]))


def cache_folder() -> Path:
    """Where fetched wheels are kept on this machine."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edgebench" / "wheels"


def platforms(facts: Facts) -> list[str]:
    """Return the wheel platform tags the device accepts, PEP 600: its own glibc and every older one."""
    minor = int((facts.glibc or "2.17").split(".")[1])
    tags = [f"manylinux_2_{n}_{facts.architecture}" for n in range(minor, OLDEST_GLIBC_MINOR - 1, -1)]
    return [*tags, f"manylinux2014_{facts.architecture}", f"linux_{facts.architecture}"]


def pack_wheel(wheel: Path, target: Path) -> None:
    """Pack what inference needs of a wheel; the same wheel gives the same bytes."""
    with zipfile.ZipFile(wheel) as source, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry in sorted(source.infolist(), key=lambda entry: entry.filename):
            name = _DATA.sub("", entry.filename)
            if entry.is_dir() or _UNUSED.search(name) or name.startswith("/") or ".." in Path(name).parts:
                continue
            archive.writestr(zipfile.ZipInfo(name, EPOCH), source.read(entry), zipfile.ZIP_DEFLATED)


def _download(requirement: str, facts: Facts, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += ["--disable-pip-version-check", "--no-input", "--dest", str(folder)]
    command += ["--implementation=cp", f"--python-version=3.{facts.python_minor}"]
    command += [f"--platform={tag}" for tag in platforms(facts)]
    try:
        done = subprocess.run(
            [*command, requirement], capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise NoWheelError(f"fetching {requirement} took more than {TIMEOUT_SECONDS} s") from error
    wheels = list(folder.glob("*.whl"))
    if done.returncode == 0 and wheels:
        return wheels[0]
    where = f"{requirement} for Python 3.{facts.python_minor}, {facts.architecture}, glibc {facts.glibc}"
    if "No module named pip" in done.stderr:
        raise NoWheelError(f"cannot fetch {where}: this Python has no pip; run {sys.executable} -m ensurepip")
    if "No matching distribution" in done.stderr:
        raise NoWheelError(f"there is no wheel of {where}")
    said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
    raise NoWheelError(f"cannot fetch {where}: {said[-1] if said else 'pip said nothing'}")
