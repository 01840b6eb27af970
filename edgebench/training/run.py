"""Training as a library: a frozen `Training` in, its record out. The work is done in a process of its own."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgebench.errors import EdgebenchError
from edgebench.files import read_record, scratch_folder
from edgebench.pipeline.workers import WorkerDied, WorkerProcess
from edgebench.records import TrainingRecord
from edgebench.training.events import EVENTS, Event, Finished, Note, Request, Stop, Tell
from edgebench.training.settings import Training, check

MODULE = "edgebench.training.worker"


@dataclass(frozen=True)
class Trained:
    """A trained model: `path` is what `convert` takes; `before` where it was there already."""

    path: Path
    record: TrainingRecord
    before: bool


def train(training: Training, out: Path, tell: Tell, force: bool = False) -> Trained:
    """Train into `<out>/models/<name>/`, or find it there; go on where the same training was interrupted.

    Ctrl-C (KeyboardInterrupt) once ends it with the best epoch so far, twice at once. `force` replaces the model of
    another training. Raises UsageError for settings and images that cannot be used.
    """
    check(training)
    request = Request(training, out, force)
    finished: Finished | None = None
    with (
        scratch_folder() as folder,
        WorkerProcess[Event](request, folder, MODULE, EVENTS, "the training") as worker,
        _asked_to_stop(worker, tell),
    ):
        try:
            for event in worker.events():
                finished = event if isinstance(event, Finished) else finished
                tell(event)
        except WorkerDied as error:
            raise EdgebenchError(f"{error}. Finished epochs are kept: the same command goes on from there") from error
    assert finished is not None  # said before the worker is done
    return Trained(finished.model, read_record(TrainingRecord, finished.record), finished.before)


@contextlib.contextmanager
def _asked_to_stop(worker: WorkerProcess[Event], tell: Tell) -> Iterator[None]:
    """Pass the first Ctrl-C on as a wish; the second one ends everything. Only the main thread hears either."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def once(_signal: int, _frame: object) -> None:
        signal.signal(signal.SIGINT, before)
        tell(Note("stopping: the best epoch so far is kept; Ctrl-C again ends it at once"))
        worker.tell(Stop())

    before = signal.signal(signal.SIGINT, once)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
