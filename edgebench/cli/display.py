"""What a person sees while work goes on: progress bars on a terminal, plain lines elsewhere, both on stderr."""

from __future__ import annotations

import threading
import time

from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn

from edgebench.cli.progress import Bars, Tally
from edgebench.devices.base import Busy, Carried, Notice, OnDevice, Phase, Reconnect, Upload
from edgebench.pipeline.events import CellFailed, Decoded, ExamReady, ExamStarted, JobStarted, ProfileEvent, Resumed

PLAIN_SECONDS = 10.0  # between lines of progress where there is no bar; other lines come when they come
QUIET_BYTES = 1_000_000  # smaller uploads are not worth a line


class Display(Bars):
    """Renders the events of the pipeline; safe to call from several threads. A context manager.

    `sweeps` is how often the artifacts are measured over: once for each batch size.
    """

    def __init__(self, quiet: bool = False, sweeps: int = 1) -> None:
        device = TextColumn("[bold]{task.fields[device]}")
        super().__init__(quiet, device, BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn())
        self._tasks: dict[str, TaskID] = {}
        self._tallies: dict[str, Tally] = {}
        self._doing: dict[str, str] = {}  # by device, and "" for what is prepared here
        self._sweeps = sweeps
        self._lock = threading.Lock()
        self._spoke = -PLAIN_SECONDS

    def tell(self, event: ProfileEvent) -> None:
        """Render one event of the pipeline."""
        with self._lock:
            match event:
                case Resumed(device, finished):
                    self.line(f"{device}: going on with an interrupted profile, {finished} runs are kept")
                case ExamStarted(model):
                    self._prepare(f"{model}: preparing images and the source model's own outputs")
                    self.line(self._doing[""])
                case Decoded(model, done, total):
                    self._prepare(f"{model}: {done} of {total} images decoded")
                case ExamReady():
                    self._prepare("")
                    self._show_exam(event)
                case JobStarted():
                    self._show_job(event)
                case CellFailed(cell, status, reason):
                    self.line(f"{cell}: {status}: {reason}")
                case OnDevice():
                    self._show_device(event)

    def _show_device(self, where: OnDevice) -> None:
        match where.event:
            case Phase("images", done, total):
                self._doing[where.device] = f"{where.cell} {where.kind}: image {done} of {total}"
                self._update(where.device)
            case Carried(package, version):
                self.line(f"{where.device}: carrying over {package} {version}")
            case Upload() as upload:
                self._show_upload(where.device, upload)
            case Reconnect(reason):
                self.line(f"{where.device}: {reason}; trying again, what runs there goes on")
            case Notice(text):
                self.line(f"{where.device}: {text}")
            case Busy(owner) if self._may_speak():
                self.line(f"{where.device}: waiting, it is measuring for {owner}")

    def _beat(self) -> None:
        with self._lock:
            for device, text in self._doing.items():
                if self._live:
                    self._update(device)
                elif text:
                    self.line(self._words(device) if device else text)

    def _words(self, device: str) -> str:
        tally = self._tallies.setdefault(device, Tally(self._sweeps))
        return f"{device}: {tally.finished + 1}/{tally.total} {self._doing[device]}{tally.left(time.monotonic())}"

    def _prepare(self, text: str) -> None:
        """Show what is prepared here; an empty text ends it."""
        self._doing[""] = text
        if self._live and not text and "" in self._tasks:
            self._progress.remove_task(self._tasks.pop(""))
        elif self._live and text:
            if "" not in self._tasks:
                self._tasks[""] = self._progress.add_task(text, total=None, device="here")
            self._progress.update(self._tasks[""], description=text)

    def _update(self, device: str) -> None:
        """Bring the bar of a device up to date."""
        if device in self._tasks and device in self._tallies:
            tally = self._tallies[device]
            text = f"{self._doing[device]}{tally.left(time.monotonic())}"
            self._progress.update(self._tasks[device], completed=tally.finished, total=tally.total, description=text)

    def _may_speak(self) -> bool:
        """Whether the last plain line of progress is long enough ago; if so, the next one counts from now."""
        if time.monotonic() - self._spoke <= PLAIN_SECONDS:
            return False
        self._spoke = time.monotonic()
        return True

    def _show_exam(self, event: ExamReady) -> None:
        if event.skipped:
            self.line(f"{len(event.skipped)} images cannot be read and are left out:")
            for reason in event.skipped[:5]:
                self.line(f"  {reason}")
            if len(event.skipped) > 5:
                self.line(f"  ... and {len(event.skipped) - 5} more, named in the result files")
        if event.reference_reason:
            self.line(f"{event.model}: no reference to compare with: {event.reference_reason}")

    def _show_job(self, job: JobStarted) -> None:
        tally = self._tallies.setdefault(job.device, Tally(self._sweeps))
        tally.start(job.done, job.total, time.monotonic())
        self._doing[job.device] = f"{job.cell} {job.kind}"
        if not self._live:
            if self._may_speak():
                self.line(self._words(job.device))
            return
        if job.device not in self._tasks:
            self._tasks[job.device] = self._progress.add_task("", total=job.total, device=job.device)
        self._update(job.device)

    def _show_upload(self, device: str, event: Upload) -> None:
        """A bar of bytes with its rate on a terminal; elsewhere a line for what took some time."""
        done, total = event.done, event.total
        text = f"{event.name} {done / 1e6:.1f} of {total / 1e6:.1f} MB, {event.bytes_per_second / 1e6:.1f} MB/s"
        key = f"{device} upload"
        if not self._live:
            if done == total and total > QUIET_BYTES:
                self.line(f"{device}: sent {text}")
        elif done < total:
            if key not in self._tasks:
                self._tasks[key] = self._progress.add_task(f"sending {text}", total=total, device=device)
            self._progress.update(self._tasks[key], completed=done, total=total, description=f"sending {text}")
        elif key in self._tasks:
            self._progress.remove_task(self._tasks.pop(key))
