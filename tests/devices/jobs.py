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
from edgebench.records import Job, Preprocessing, Settings

QUICK = Settings(warmup=0, min_runs=1, min_seconds=0, max_seconds=0.01, timeout_seconds=60)


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
    values: dict[str, Any] = {
        "kind": "accuracy",
        "artifact": device.put(artifact, sha256_file(artifact)),
        "artifact_sha256": sha256_file(artifact),
        "runtime": "odd",
        "runtime_module": "odd_runtime",
        "input": None,
        "output": None,
        "layout": "NHWC",
        "preprocessing": Preprocessing("none"),
        "images": device.put(pixels, sha256_file(pixels)),
        "images_sha256": sha256_file(pixels),
        "settings": QUICK,
    }
    return Job(**{**values, **changes})
