"""What a person sees while work goes on: progress bars on a terminal, plain lines elsewhere, both on stderr."""

from __future__ import annotations

import threading
import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

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
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

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

    def _on_phase(self, event: dict[str, Any]) -> None:
        if event.get("phase") == "images" and "device" in event and event["device"] in self._tasks:
            text = f"{event['cell']} {event['kind']}: image {event['done']} of {event['total']}"
            self._progress.update(self._tasks[event["device"]], description=text)

    def _on_install(self, event: dict[str, Any]) -> None:
        self._line(f"{event['device']}: carrying over {event['package']} {event['version']}")

    def _on_upload(self, event: dict[str, Any]) -> None:
        """A bar of bytes with its rate on a terminal; elsewhere a line for what took some time."""
        done, total, rate = event["done"], event["total"], event["bytes_per_second"]
        text = f"sending {event['name']} {done / 1e6:.1f} of {total / 1e6:.1f} MB, {rate / 1e6:.1f} MB/s"
        key = f"{event['device']} upload"
        if not self._live:
            if done == total and total > QUIET_BYTES:
                self._line(f"{event['device']}: {text.replace('sending', 'sent')}")
        elif done < total:
            if key not in self._tasks:
                self._tasks[key] = self._progress.add_task(text, total=total, device=event["device"])
            self._progress.update(self._tasks[key], completed=done, total=total, description=text)
        elif key in self._tasks:
            self._progress.remove_task(self._tasks.pop(key))

    def _on_reconnect(self, event: dict[str, Any]) -> None:
        self._line(f"{event['device']}: {event['reason']}; trying again, what runs there goes on")

    def _on_busy(self, event: dict[str, Any]) -> None:
        if time.monotonic() - self._spoke > PLAIN_SECONDS:
            self._spoke = time.monotonic()
            self._line(f"{event['device']}: waiting, it is measuring for {event['owner']}")

    def _on_failed(self, event: dict[str, Any]) -> None:
        self._line(f"{event['cell']}: {event['status']}: {event['reason']}")
