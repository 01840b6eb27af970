"""What a profile has finished so far, on disk, so that the same command goes on where it was stopped.

One folder a device: an append-only `journal.jsonl`, and each run and its outputs under the hash of the job that made
them. It is removed when the profile is complete: a later profile measures afresh.
"""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from edgebench.devices.base import Outcome
from edgebench.devices.returns import judge
from edgebench.errors import UsageError
from edgebench.files import append_line, atomic_path, read_record, sha256_json, write_json
from edgebench.records import OK, Accuracy, Job, Run, to_dict


def job_id(job: Job) -> str:
    """Hash of what the job measures, whatever the paths on its device are.

    The version of the records is not part of it: a job of version 1 is the same today.
    """
    measured = {name: value for name, value in to_dict(job).items() if name not in ("first", "last")}
    return sha256_json({**measured, "artifact": "", "images": "", "version": 1})[:24]


class Journal:
    """Finished runs of an unfinished profile."""

    def __init__(self, folder: Path, only_ok: bool = False) -> None:
        """Read what is there; with `only_ok` a run that failed counts as not finished."""
        self._folder = folder
        self._only_ok = only_ok
        self._finished = set(self._read())

    def __len__(self) -> int:
        return len(self._finished)

    def find(self, job: Job) -> Outcome | None:
        """Return what the job brought in the interrupted profile, if it had finished."""
        name = job_id(job)
        if name not in self._finished:
            return None
        outputs = self._folder / f"{name}.npy"
        kept = Outcome(
            read_record(Run, self._folder / f"{name}.json"),
            np.load(outputs, allow_pickle=False) if outputs.exists() else None,
        )
        scored = (self._folder / f"{name}.accuracy.json").exists()  # in place of its outputs
        unfit = not scored and judge(job, kept).run.status != kept.run.status  # kept before it was judged
        return None if unfit else kept

    def find_accuracy(self, job: Job) -> Accuracy | None:
        """Return what the outputs of a job came to, where `add` was given that in their place."""
        path = self._folder / f"{job_id(job)}.accuracy.json"
        return read_record(Accuracy, path) if job_id(job) in self._finished and path.exists() else None

    def add(self, job: Job, outcome: Outcome, accuracy: Accuracy | None = None) -> None:
        """Keep a finished run; the journal's line comes last, so a line means that all of it is on disk."""
        name = job_id(job)
        if accuracy is not None:
            write_json(self._folder / f"{name}.accuracy.json", accuracy, indent=None)
        if outcome.outputs is not None:
            with atomic_path(self._folder / f"{name}.npy") as temporary, temporary.open("wb") as stream:
                np.save(stream, outcome.outputs, allow_pickle=False)
        write_json(self._folder / f"{name}.json", outcome.run, indent=None)
        append_line(self._folder / "journal.jsonl", {"job": name, "kind": job.kind, "status": outcome.run.status})
        self._finished.add(name)

    def clear(self) -> None:
        """Forget everything: the profile is complete, or the user wants to begin afresh."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._finished.clear()

    def _read(self) -> Iterator[str]:
        path = self._folder / "journal.jsonl"
        for line in path.read_text().splitlines() if path.exists() else ():
            try:
                entry = json.loads(line)
                if entry["status"] == OK or not self._only_ok:
                    yield entry["job"]
            except (ValueError, KeyError, TypeError):
                return  # a line cut short by a full disk or a power cut: what follows it was never finished


@contextmanager
def exclusive(folder: Path, device: str) -> Iterator[None]:
    """Hold this device's results folder; two profiles at once would disturb each other's numbers."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UsageError(f"another edgebench is measuring on {device} into {folder}: wait for it") from error
        yield
