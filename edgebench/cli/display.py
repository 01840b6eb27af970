"""What a person sees while work goes on: progress bars on a terminal, plain lines elsewhere, both on stderr."""

from __future__ import annotations

import threading
import time
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from edgebench.devices.base import Busy, Carried, Notice, OnDevice, Phase, Reconnect, Upload
from edgebench.pipeline.events import CellFailed, ExamReady, ExamStarted, JobStarted, ProfileEvent, Resumed

PLAIN_SECONDS = 10.0
QUIET_BYTES = 1_000_000  # smaller uploads are not worth a line


class Display:
    """Renders the events of the pipeline; safe to call from several threads. A context manager."""

    def __init__(self, quiet: bool = False) -> None:
        self._console = Console(stderr=True, quiet=quiet)
        self._live = self._console.is_terminal and not quiet
        self._progress = Progress(
            TextColumn("[bold]{task.fields[device]}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
            console=self._console,
            transient=True,
            disable=not self._live,
        )
        self._tasks: dict[str, TaskID] = {}
        self._lock = threading.Lock()
        self._spoke = 0.0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def tell(self, event: ProfileEvent) -> None:
        """Render one event of the pipeline."""
        with self._lock:
            match event:
                case Resumed(device, finished):
                    self._line(f"{device}: going on with an interrupted profile, {finished} runs are kept")
                case ExamStarted(model):
                    self._line(f"{model}: preparing images and the source model's own outputs")
                case ExamReady():
                    self._show_exam(event)
                case JobStarted():
                    self._show_job(event)
                case CellFailed(cell, status, reason):
                    self._line(f"{cell}: {status}: {reason}")
                case OnDevice():
                    self._show_device(event)

    def _show_device(self, where: OnDevice) -> None:
        match where.event:
            case Phase("images", done, total) if where.device in self._tasks:
                text = f"{where.cell} {where.kind}: image {done} of {total}"
                self._progress.update(self._tasks[where.device], description=text)
            case Carried(package, version):
                self._line(f"{where.device}: carrying over {package} {version}")
            case Upload() as upload:
                self._show_upload(where.device, upload)
            case Reconnect(reason):
                self._line(f"{where.device}: {reason}; trying again, what runs there goes on")
            case Notice(text):
                self._line(f"{where.device}: {text}")
            case Busy(owner) if self._may_speak():
                self._line(f"{where.device}: waiting, it is measuring for {owner}")

    def _line(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _may_speak(self) -> bool:
        """Whether the last plain line of progress is long enough ago; if so, the next one counts from now."""
        if time.monotonic() - self._spoke <= PLAIN_SECONDS:
            return False
        self._spoke = time.monotonic()
        return True

    def _show_exam(self, event: ExamReady) -> None:
        if event.skipped:
            self._line(f"{len(event.skipped)} images cannot be read and are left out:")
            for reason in event.skipped[:5]:
                self._line(f"  {reason}")
            if len(event.skipped) > 5:
                self._line(f"  ... and {len(event.skipped) - 5} more, named in the result files")
        if event.reference_reason:
            self._line(f"{event.model}: no reference to compare with: {event.reference_reason}")

    def _show_job(self, job: JobStarted) -> None:
        text = f"{job.cell} {job.kind}"
        if not self._live:
            if self._may_speak():
                self._line(f"{job.device}: {job.done}/{job.total} {text}")
            return
        if job.device not in self._tasks:
            self._tasks[job.device] = self._progress.add_task(text, total=job.total, device=job.device)
        self._progress.update(self._tasks[job.device], completed=job.done - 1, total=job.total, description=text)

    def _show_upload(self, device: str, event: Upload) -> None:
        """A bar of bytes with its rate on a terminal; elsewhere a line for what took some time."""
        done, total = event.done, event.total
        text = f"{event.name} {done / 1e6:.1f} of {total / 1e6:.1f} MB, {event.bytes_per_second / 1e6:.1f} MB/s"
        key = f"{device} upload"
        if not self._live:
            if done == total and total > QUIET_BYTES:
                self._line(f"{device}: sent {text}")
        elif done < total:
            if key not in self._tasks:
                self._tasks[key] = self._progress.add_task(f"sending {text}", total=total, device=device)
            self._progress.update(self._tasks[key], completed=done, total=total, description=f"sending {text}")
        elif key in self._tasks:
            self._progress.remove_task(self._tasks.pop(key))
