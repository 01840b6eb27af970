"""Worker processes beside one another: a thread follows each, and what they say comes out in one place."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from edgebench.pipeline.workers import WorkerProcess

MOST = 3


@dataclass(frozen=True)
class Ended:
    """A worker is done, or why it is not: what `WorkerProcess.events` raised."""

    error: Exception | None


@dataclass(frozen=True)
class Woken:
    """Something else wants to be looked at."""


class Stages:
    """Named workers, as many at once as there are cores; the others wait their turn.

    A context manager that ends what still runs.
    """

    def __init__(self, most: int | None = None) -> None:
        """`most` workers at once; None: one a core, three at most."""
        self._most = most or max(1, min(MOST, _cores()))
        self._inbox: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._waiting: list[tuple[str, WorkerProcess[Any]]] = []
        self._running: dict[str, WorkerProcess[Any]] = {}
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Stages:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._waiting.clear()
        for worker in self._running.values():
            worker.kill()
        for thread in self._threads:
            thread.join()

    def start(self, name: str, worker: WorkerProcess[Any]) -> None:
        """Start a worker, now or when another one has ended."""
        self._waiting.append((name, worker))
        self._fill()

    def tell(self, name: str, answer: object) -> None:
        """Answer a running worker; one that is gone is noticed by `heard`."""
        if name in self._running:
            self._running[name].tell(answer)

    def wake(self) -> None:
        """Have `heard` yield `Woken`; from any thread."""
        self._inbox.put(("", Woken()))

    def heard(self) -> Iterator[tuple[str, Any]]:
        """Yield (name, event), with `Ended` as the last one of each worker, until none runs and none waits."""
        while self._running or self._waiting:
            name, said = self._inbox.get()
            if isinstance(said, Ended):
                del self._running[name]
                self._fill()
            yield name, said

    def _fill(self) -> None:
        while self._waiting and len(self._running) < self._most:
            name, worker = self._waiting.pop(0)
            self._running[name] = worker
            thread = threading.Thread(target=self._follow, args=(name, worker), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _follow(self, name: str, worker: WorkerProcess[Any]) -> None:
        error: Exception | None = None
        try:
            with worker:
                for event in worker.events():
                    self._inbox.put((name, event))
        except Exception as raised:  # noqa: BLE001 (whatever it is, it is raised again where the worker was started)
            error = raised
        self._inbox.put((name, Ended(error)))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
