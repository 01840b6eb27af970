"""What a test needs beyond Python: Debian's packages where the test may install them, else a skip with its reason."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest


def cannot(reason: str) -> None:
    """Skip, but never in CI: there it is a failure that nothing was tested."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def need(program: str, *packages: str) -> None:
    """Make sure that `program` is on PATH, installing Debian's `packages` where that is allowed."""
    if shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin"):
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        cannot(f"no {program} here, and no way to install {' '.join(packages)}")
    with (Path(tempfile.gettempdir()) / "edgebench-apt.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # apt refuses to work for two test processes at once
        _install(program, packages)


def _install(program: str, packages: tuple[str, ...]) -> None:
    if shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin"):
        return  # another process did it meanwhile
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
    for command in (["apt-get", "update", "-q"], install):
        done = subprocess.run(command, capture_output=True, env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"})
        if done.returncode:
            cannot(f"{' '.join(command)} failed: {done.stderr[-200:]!r}")


def need_root(purpose: str) -> None:
    """Skip, and fail in CI, where the test is not root."""
    if os.geteuid() != 0:
        cannot(f"only root may {purpose}")
