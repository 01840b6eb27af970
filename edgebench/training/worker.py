"""A training in a process of its own: `python -m edgebench.training.worker REQUEST.json`.

Standard output carries the events of `training.events` as JSON lines and nothing else. A line on standard input asks it
to stop and keep the best epoch; the end of standard input means that the host is gone.
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from edgebench import __version__
from edgebench.errors import EdgebenchError, UsageError
from edgebench.files import write_json
from edgebench.messages import Host, from_line, serve
from edgebench.runner.memory import MemoryProbe
from edgebench.training import outputs
from edgebench.training.data import open_splits, prepare
from edgebench.training.events import Event, Finished, Request, Stop
from edgebench.training.job import INTERRUPTED, Fit, Job
from edgebench.training.phases import best_of
from edgebench.training.settings import check
from edgebench.training.state import State

FRAMEWORKS = {
    "cnn": "edgebench.training.keras_training",
    "keras": "edgebench.training.keras_training",
    "huggingface": "edgebench.training.huggingface_training",
}
NO_ROOM = {errno.ENOSPC, errno.EDQUOT}


class Worker:
    """One training, from images to what it leaves behind."""

    def __init__(self, request: Request, host: Host) -> None:
        self._host = host
        self._training, self._out, self._force = request.training, request.out, request.force
        self._stop = threading.Event()
        self._probe = MemoryProbe()

    def tell(self, event: Event) -> None:
        """Write one event for the host."""
        self._host.tell(event)

    def listen(self) -> None:
        """Wait for the host to ask for an end; runs in a thread of its own."""
        while self._host.hear(Stop):
            self._stop.set()
        os._exit(3)  # the host is gone: nobody waits for this any more

    def run(self) -> None:
        """Train, unless it was done before, and write model, history.csv and, last, training.json."""
        training = self._training
        check(training)
        base = training.parsed
        name = training.name or base.name
        folder = self._out / "models" / name
        splits = open_splits(training, folder, self.tell)
        framework = importlib.import_module(FRAMEWORKS[base.kind])
        preprocessing, size = framework.input_of(training, base)
        data = prepare(splits, preprocessing, size, self._out / "cache" / "evaluation-sets", self.tell)
        key = outputs.training_key(training, base, data)
        if not self._force and outputs.trained_before(folder, key, training):
            self.tell(_finished(folder, name, base.kind, before=True))
            return
        state = State(self._out / "cache" / "training" / key[:16])
        with state.held():
            if self._force and outputs.is_finished(folder, key):
                state.clear()
            self._probe.end_phase("data")
            job = Job(training, base, data, state, self.tell, self._stop.is_set)
            try:
                fit = framework.fit(job)
                state.drop_features()  # they can be had again, and their room may be needed
                self._leave(job, fit, folder, name, key)
            except OSError as error:
                raise _no_room(error, state) from error
            if fit.stopped != INTERRUPTED:
                state.clear()
        self.tell(_finished(folder, name, base.kind, before=False))

    def _leave(self, job: Job, fit: Fit, folder: Path, name: str, key: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / outputs.RECORD).unlink(missing_ok=True)  # it spoke of the model that is replaced now
        path = outputs.model_path(folder, name, job.base.kind)
        fit.save(path)
        outputs.write_history(folder / outputs.HISTORY, fit.history)
        self._probe.end_phase("training")
        peak = max(phase.peak_rss_bytes for phase in self._probe.phases)
        record = outputs.describe(job, fit, name, path, key, peak, best_of(list(fit.history)))
        created = datetime.now(UTC).isoformat(timespec="seconds")
        write_json(folder / outputs.RECORD, outputs.stamped(record, created, {"edgebench": __version__, **fit.tools}))


def _finished(folder: Path, name: str, kind: str, before: bool) -> Finished:
    return Finished(outputs.model_path(folder, name, kind), folder / outputs.RECORD, before)


def _no_room(error: OSError, state: State) -> BaseException:
    """Say where the best epoch is when the disk is full; h5py says so in words alone."""
    if error.errno not in NO_ROOM and "No space left" not in str(error):
        return error
    return EdgebenchError(
        f"no space left on the disk{f' for {error.filename}' if error.filename else ''}: what is finished, the best "
        f"epoch with it, is kept in {state.folder}. Make room and type the same command again"
    )


def answer(request: Request, host: Host) -> None:
    """Do what is asked for."""
    worker = Worker(request, host)
    threading.Thread(target=worker.listen, daemon=True).start()
    try:
        worker.run()
    except MemoryError as error:
        smaller = max(1, request.training.batch // 2)
        raise UsageError(f"training needs more memory than there is: try --batch {smaller}") from error


def main(arguments: list[str]) -> int:
    """Run one request; return 0, or the exit code of the error that was told."""
    content = Path(arguments[0]).read_bytes()
    return serve(lambda host: answer(from_line([Request], content, "the request"), host))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
