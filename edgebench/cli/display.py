"""What a person sees while work goes on: progress bars on a terminal, plain lines elsewhere, both on stderr."""

from __future__ import annotations

import threading
import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

PLAIN_SECONDS = 10.0


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

    def __enter__(self) -> Display:
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def tell(self, event: dict[str, Any]) -> None:
        """Render one event of the pipeline."""
        handler = getattr(self, f"_on_{event.get('event')}", None)
        if handler is not None:
            with self._lock:
                handler(event)

    def _line(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False)

    def _on_resumed(self, event: dict[str, Any]) -> None:
        self._line(f"{event['device']}: going on with an interrupted profile, {event['finished']} runs are kept")

    def _on_exam(self, event: dict[str, Any]) -> None:
        self._line(f"{event['model']}: preparing images and the source model's own outputs")

    def _on_examined(self, event: dict[str, Any]) -> None:
        exam = event["exam"]
        if exam.data.record.skipped:
            self._line(f"{len(exam.data.record.skipped)} images cannot be read and are left out:")
            for reason in exam.data.record.skipped[:5]:
                self._line(f"  {reason}")
            if len(exam.data.record.skipped) > 5:
                self._line(f"  ... and {len(exam.data.record.skipped) - 5} more, named in the result files")
        if exam.reference_reason:
            self._line(f"{event['model']}: no reference to compare with: {exam.reference_reason}")

    def _on_job(self, event: dict[str, Any]) -> None:
        device, text = event["device"], f"{event['cell']} {event['kind']}"
        if not self._live:
            if time.monotonic() - self._spoke > PLAIN_SECONDS:
                self._spoke = time.monotonic()
                self._line(f"{device}: {event['done']}/{event['total']} {text}")
            return
        if device not in self._tasks:
            self._tasks[device] = self._progress.add_task(text, total=event["total"], device=device)
        self._progress.update(self._tasks[device], completed=event["done"] - 1, total=event["total"], description=text)

    def _on_failed(self, event: dict[str, Any]) -> None:
        self._line(f"{event['cell']}: {event['status']}: {event['reason']}")
