"""A Dask cluster as a place to run commands: files travel by content, a lost task is taken by another worker."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from edgebench import __version__
from edgebench.errors import ConversionError, DeviceError, EdgebenchError, MissingExtraError, UsageError
from edgebench.files import sha256_file

try:
    import distributed
    from distributed.client import FutureCancelledError
    from distributed.scheduler import KilledWorker
except ModuleNotFoundError as error:
    raise MissingExtraError("distributed", "dask", "--scheduler") from error

from edgebench.suite import far

PIECE = 16 * 1024 * 1024  # bytes that travel at once
WORKER_SECONDS = 30  # until the first one is there
MEASURE = "measure"
MOST_TRIES = 20  # answers `lacks`: each costs the sending of files, to another worker or after one that was lost


@dataclass(frozen=True)
class Worker:
    """One worker: its name in the report, its address, how many tasks it takes at once, whether it measures."""

    name: str
    address: str
    threads: int
    measures: bool


@dataclass(frozen=True)
class Answer:
    """What a command brought: its exit code, the end of what it said, the files it left."""

    code: int
    error: str
    files: dict[str, bytes]
    worker: str

    @property
    def last_words(self) -> str:
        """The last line that it said."""
        lines = self.error.strip().splitlines()
        return lines[-1].removeprefix("edgebench: ") if lines else f"exit code {self.code}"

    def check(self) -> Answer:
        """Raise what the command itself would have raised where it did not come to its end."""
        if self.code == UsageError.exit_code:
            raise UsageError(self.last_words)
        if self.code not in (0, 1) or (self.code and not self.files):
            raise ConversionError(f"{self.last_words} (on worker {self.worker})")
        return self


class Cluster:
    """The client of a scheduler. A context manager; may be used from several threads."""

    def __init__(self, address: str) -> None:
        """Raises DeviceError where nobody answers, or where workers have another version of edgebench."""
        try:
            client: Any = distributed.Client
            self._client = client(address, set_as_default=False)  # within distributed.comm.timeouts.connect
        except (OSError, TimeoutError, ValueError) as error:
            raise DeviceError(
                f"no Dask scheduler answers at {address} ({error}): start one with `dask scheduler`"
            ) from error
        try:
            self.workers = self._find_workers(address)
            self._check_versions(address)
        except BaseException:
            self._client.close()
            raise

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close(timeout=2 if error else 10)

    @property
    def threads(self) -> int:
        """How many tasks the cluster takes at once."""
        return sum(worker.threads for worker in self.workers)

    def measuring(self) -> tuple[Worker, ...]:
        """Return the workers that measure."""
        return tuple(worker for worker in self.workers if worker.measures)

    def find(self, name: str) -> Worker:
        """Return the worker of a name. Raises DeviceError where it is gone."""
        found = next((worker for worker in self.workers if worker.name == name), None)
        if found is None:
            raise DeviceError(f"{name}: no worker of the cluster is called so any more")
        return found

    def command(self, words: Sequence[str], files: Mapping[str, Path], wanted: str) -> Answer:
        """Run `edgebench WORDS` on some worker with these files; return what it left below the folder `wanted`.

        Raises ConversionError where every worker that tried it was lost.
        """
        hashes = {name: sha256_file(path) for name, path in files.items()}
        places = {sha256: files[name] for name, sha256 in hashes.items()}
        told = self.run(far.command, [list(words), list(hashes.items()), wanted], places)
        return Answer(told["code"], told["error"], dict(told["files"]), told["worker"])

    def run(self, task: Any, arguments: Sequence[Any], places: Mapping[str, Path], worker: Worker | None = None) -> Any:
        """Run a task of `far` that may say what it lacks; with `worker` only there, alone, as a measurement."""
        told: dict[str, Any] = {"worker": ""}
        for _ in range(MOST_TRIES):
            where = {"workers": [told["worker"]], "allow_other_workers": True} if told["worker"] else {}
            if worker is not None:
                where = {"workers": [worker.address], "resources": {MEASURE: 1}}
            future = self._client.submit(task, *arguments, pure=False, **where)
            try:
                told = future.result()
            except (KilledWorker, FutureCancelledError, asyncio.CancelledError) as error:
                raise ConversionError(f"every worker that tried it was lost: {error}") from error
            if "lacks" not in told:
                return told
            for sha256 in told["lacks"]:
                self._send(places[sha256], sha256, told["worker"])
        raise EdgebenchError(f"worker {told['worker']} does not keep what it is sent: is its disk full?")

    def _send(self, path: Path, sha256: str, address: str) -> None:
        """Send a file to one worker; one that is lost meanwhile is noticed by the next task."""
        size = path.stat().st_size
        with path.open("rb") as stream:
            for offset in range(0, max(size, 1), PIECE):
                try:
                    kept = self._client.run(far.keep, sha256, offset, size, stream.read(PIECE), workers=[address])
                except (TimeoutError, OSError, ValueError, RuntimeError):
                    return
                if not all(kept.values()):
                    return

    def _find_workers(self, address: str) -> tuple[Worker, ...]:
        try:
            self._client.wait_for_workers(1, timeout=WORKER_SECONDS)
        except TimeoutError as error:
            raise DeviceError(f"the scheduler at {address} has no worker: start some with `dask worker`") from error
        known = self._client.scheduler_info(n_workers=-1)["workers"]
        found = []
        for address, about in known.items():
            name = str(about["name"]) if about["name"] != address else address.partition("://")[2]
            measures = about.get("resources", {}).get(MEASURE, 0) >= 1
            found.append(Worker(name.replace("/", "_").replace(":", "_"), address, about["nthreads"], measures))
        return tuple(sorted(found, key=lambda worker: worker.name))

    def _check_versions(self, address: str) -> None:
        try:
            versions = self._client.run(far.version)
        except Exception as error:  # whatever its Python says, it has no edgebench that answers
            raise DeviceError(
                f"the workers of {address} cannot import edgebench ({error}): install it there"
            ) from error
        other = {where: there for where, there in versions.items() if there != __version__}
        if other:
            named = ", ".join(f"{where} has {there}" for where, there in other.items())
            raise DeviceError(f"this is edgebench {__version__}, but {named}: install the same everywhere")
