"""Fetches wheels for another machine's Python with pip, trims them, and packs each into a zip of reproducible bytes."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path

from edgebench.devices.provision.facts import Facts
from edgebench.errors import DeviceError
from edgebench.files import atomic_path, scratch_folder, sha256_file, write_json
from edgebench.lifeline import python_module, with_parent

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

    Packed wheels are kept by the hash of their bytes; a slot for each kind of Python and requirement says which one
    it is, and what no longer has its hash is fetched again. Raises NoWheelError with pip's reason.
    """
    kind = f"{facts.python_abi}-{facts.architecture}-glibc{facts.glibc}"
    slot = cache_folder() / "slots" / kind / f"{re.sub(r'[^A-Za-z0-9.-]', '_', requirement)}.json"
    found = None if refresh else _kept(slot)
    if found is not None:
        return found
    with scratch_folder() as folder:
        wheel = _download(requirement, facts, folder)
        packed = folder / "packed.zip"
        pack_wheel(wheel, packed)
        distribution, version, *_ = wheel.stem.split("-")
        sha256 = sha256_file(packed)
        target = _place(sha256)
        with atomic_path(target) as temporary:
            shutil.copyfile(packed, temporary)
    package = Package(distribution.replace("_", "-"), version, target, sha256)
    write_json(slot, {"distribution": package.distribution, "version": version, "sha256": sha256})
    return package


def _kept(slot: Path) -> Package | None:
    """Return the package that a slot names, if its bytes are still what they were."""
    try:
        value = json.loads(slot.read_text())
        distribution, version, sha256 = (str(value[key]) for key in ("distribution", "version", "sha256"))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    path = _place(sha256)
    whole = re.fullmatch("[0-9a-f]{64}", sha256) and path.is_file() and sha256_file(path) == sha256
    return Package(distribution, version, path, sha256) if whole else None


def _place(sha256: str) -> Path:
    return cache_folder() / "by-sha256" / f"{sha256}.zip"


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
    command = [*python_module("pip"), "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += ["--disable-pip-version-check", "--no-input", "--dest", str(folder)]
    command += ["--implementation=cp", f"--python-version=3.{facts.python_minor}"]
    command += [f"--platform={tag}" for tag in platforms(facts)]
    try:
        done = subprocess.run(
            [*command, requirement], capture_output=True, text=True, timeout=TIMEOUT_SECONDS, env=with_parent(),
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise NoWheelError(f"fetching {requirement} took more than {TIMEOUT_SECONDS} s") from error
    wheels = list(folder.glob("*.whl"))
    if done.returncode == 0 and wheels:
        return wheels[0]
    where = f"{requirement} for Python 3.{facts.python_minor}, {facts.architecture}, glibc {facts.glibc}"
    if "No module named pip" in done.stderr:
        raise NoWheelError(f"cannot fetch {where}: this Python has no pip; run `python -m ensurepip` with it")
    if "No matching distribution" in done.stderr:
        raise NoWheelError(f"there is no wheel of {where}")
    said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
    raise NoWheelError(f"cannot fetch {where}: {said[-1] if said else 'pip said nothing'}")
