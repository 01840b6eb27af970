"""A Dask cluster of this machine: a scheduler and workers as a user starts them, each a process that can be killed."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.suite.studies import Study
from tests.waiting import wait_for


@dataclass
class LocalCluster:
    """A scheduler and its workers. A context manager that leaves no process."""

    folder: Path
    environment: dict[str, str]
    address: str = ""
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _scheduler: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> LocalCluster:
        self.folder.mkdir()
        file = self.folder / "scheduler.json"
        words = ["scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--no-show"]
        self._scheduler = self._dask(*words, "--scheduler-file", str(file))
        wait_for(lambda: file.exists() and '"address"' in file.read_text(), lambda: self._scheduler.poll() is None)
        text = file.read_text()
        self.address = text.partition('"address": "')[2].partition('"')[0]
        return self

    def __exit__(self, *exception: object) -> None:
        for process in [*self.workers, self._scheduler]:
            process.kill()
            process.wait()

    def start(self, name: str, *words: str) -> subprocess.Popen[bytes]:
        """Start a worker of one thread, without a nanny that would start it again."""
        place = self.folder / name
        place.mkdir()
        own = ["--name", name, "--no-nanny", "--nthreads", "1", "--no-dashboard", "--local-directory", str(place)]
        worker = self._dask("worker", self.address, *own, *words)
        self.workers.append(worker)
        log = self.folder / f"worker-{len(self.workers) - 1}.log"
        wait_for(lambda: b"Registered to" in log.read_bytes(), lambda: worker.poll() is None)
        return worker

    def _dask(self, *words: str) -> subprocess.Popen[bytes]:
        log = (self.folder / f"{words[0]}-{len(self.workers)}.log").open("wb")
        return subprocess.Popen([sys.executable, "-m", "dask", *words], env=self.environment, stdout=log, stderr=log)


def local_cluster(folder: Path, study: Study) -> LocalCluster:
    """Return a cluster whose workers know the extension package, as the study's own host does."""
    return LocalCluster(folder, {**study.environment, "DASK_DISTRIBUTED__WORKER__MEMORY__TERMINATE": "0"})
