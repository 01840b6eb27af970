"""Jobs for the odd runtime, and how it gets to a device: the way every runtime does."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from edgebench.devices.ssh.device import SshDevice
from edgebench.devices.ssh.upload import Thing, send
from edgebench.files import sha256_file
from edgebench.records import OK, Job, Run, TensorSpec, to_dict
from tests.make import QUICK, make_job


def install_odd(device: SshDevice, folder: Path) -> None:
    packed = folder / "odd.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(zipfile.ZipInfo("odd_runtime.py"), (Path(__file__).parent / "odd_runtime.py").read_text())
    digest = sha256_file(packed)
    send(device._connection, packed, Thing("packages", digest, digest, "", unpack=True), lambda event: None)
    device._connection.request("set_environment", runtime="odd", value={"version": "1", "packages": [digest]})
    device.facts()


def odd_job(device: SshDevice, folder: Path, does: dict[str, Any], images: int = 5, **changes: Any) -> Job:
    artifact = folder / "artifact.json"
    artifact.write_text(json.dumps(does))
    pixels = folder / f"images{images}.npy"
    np.save(pixels, np.arange(images * 4 * 4 * 3, dtype=np.uint8).reshape(images, 4, 4, 3))
    return make_job(device=device, artifact=artifact, images=pixels, **changes)


def honest(changes: dict[str, Any]) -> bytes:
    """A run.json that would be accepted for `plain_job`, but for the changes."""
    spec = TensorSpec("x", (1, 4, 4, 3), "float32"), TensorSpec("y", (1, 2), "float32")
    run = Run("accuracy", OK, "", "a" * 64, "odd", "1", 0, QUICK, *spec, images=5)
    return json.dumps(to_dict(run) | changes).encode()
