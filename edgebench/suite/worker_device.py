"""A worker of a cluster as a device: jobs run there one at a time, in fresh processes as everywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from edgebench.devices.base import DeviceInfo, Outcome, Progress, Waiting
from edgebench.errors import DeviceError, EdgebenchError
from edgebench.files import parse_record, sha256_file
from edgebench.records import Job, Run, to_dict
from edgebench.suite import far
from edgebench.suite.cluster import Cluster, Worker


class WorkerDevice:
    """One worker that was started with `--resources measure=1`."""

    def __init__(self, cluster: Cluster, worker: Worker) -> None:
        self.name = worker.name
        self._cluster, self._worker = cluster, worker
        self._files: dict[str, Path] = {}

    def __enter__(self) -> WorkerDevice:
        return self

    def __exit__(self, *exception: object) -> None:
        self._files.clear()

    def info(self) -> DeviceInfo:
        """Describe the worker's machine. Raises DeviceError where it is lost."""
        return DeviceInfo(self.name, self._ask(far.facts, [], {}), remote=True)

    def put(self, path: Path, sha256: str) -> str:
        """Note a file or folder: it travels with the first job that needs it, and once."""
        self._files[sha256] = path
        return sha256

    def run(self, job: Job, progress: Progress) -> Outcome:
        """Run one job in a fresh process there, while nothing else is measured there."""
        progress(Waiting())
        artifact = self._files[job.artifact_sha256]
        names, places = {"": artifact}, {}
        if artifact.is_dir():
            names = {one.relative_to(artifact).as_posix(): one for one in artifact.rglob("*") if one.is_file()}
        lines = []
        for name, path in names.items():
            sha256 = sha256_file(path)
            lines.append(f"{sha256} {name}")
            places[sha256] = path
        images = ""
        if job.images:
            images = sha256_file(self._files[job.images_sha256])
            places[images] = self._files[job.images_sha256]
        told = self._ask(
            far.measure, [json.dumps(to_dict(job)).encode(), "\n".join(lines), artifact.name, images], places
        )
        run = parse_record(Run, told["run"], f"the run of worker {self.name}")
        shape = tuple(told["shape"])
        outputs = np.frombuffer(told["outputs"], "<f4").reshape(shape).astype(np.float32) if shape else None
        return Outcome(run, outputs)

    def _ask(self, task: object, arguments: list[object], places: dict[str, Path]) -> Any:
        try:
            return self._cluster.run(task, arguments, places, self._worker)
        except EdgebenchError as error:
            raise DeviceError(f"{self.name}: {error}") from error
