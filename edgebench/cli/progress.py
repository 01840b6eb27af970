"""How far work is and how long it still takes; and a voice that breaks every silence, also where there is no bar."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Self

from rich.console import Console
from rich.progress import Progress, ProgressColumn, TextColumn

from edgebench.units import duration

VARIABLE = "EDGEBENCH_SILENCE"


def _silence(text: str) -> float:
    """Return the seconds that the user's environment allows; 2.5 where it says nothing, or nothing sensible."""
    try:
        return min(max(0.1, float(text)), 1e6)
    except ValueError:
        return 2.5


SILENCE_SECONDS = _silence(os.environ.get(VARIABLE, ""))
"""Nothing is said for no longer than this while something goes on."""
SOONER = 0.6
"""The first silence is shorter by this share: the program has just been loaded, and said nothing meanwhile."""
INSTANT_SECONDS = 0.02  # what takes less was found, not made, and says nothing of what is left
RECENT = 20


@dataclass
class Tally:
    """Counts jobs over one sweep or several equal ones, each of which begins to count at one again; 0: nobody knows."""

    sweeps: int = 1
    _before: int = 0  # jobs of the sweeps that are through
    _sweep: int = 0
    _done: int = 0
    _total: int = 0
    _since: float = 0.0
    _took: deque[float] = field(default_factory=lambda: deque(maxlen=RECENT))

    def start(self, job: int, total: int, now: float) -> None:
        """Note that job `job`, counted from one, of `total` begins; `now` in seconds of any steady clock."""
        if self._done and now - self._since > INSTANT_SECONDS:
            self._took.append(now - self._since)
        if job <= self._done:
            self._before += self._total
            self._sweep += 1
        self._done, self._total, self._since = job, total, now

    @property
    def finished(self) -> int:
        """Jobs that are through."""
        return self._before + max(0, self._done - 1)

    @property
    def total(self) -> int:
        """All jobs as far as is known, never fewer than have begun."""
        return max(self._before + self._total * max(1, self.sweeps - self._sweep), self._before + self._done)

    def left(self, now: float) -> str:
        """Return `, about 40 s left`; empty where nothing says how long a job takes."""
        if not self._took or not self.sweeps:
            return ""
        mean = sum(self._took) / len(self._took)
        current = max(0.0, mean - (now - self._since))
        return f", about {duration(current + mean * (self.total - self.finished - 1))} left"


class Heartbeat:
    """Calls `beat` when nothing was said for SILENCE_SECONDS. A context manager; `spoke` says that something was."""

    def __init__(self, beat: Callable[[], None]) -> None:
        self._beat = beat
        self._last = time.monotonic() - SOONER * SILENCE_SECONDS
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="heartbeat")

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        self._thread.join()

    def spoke(self) -> None:
        """Say that something was said."""
        self._last = time.monotonic()

    def _run(self) -> None:
        while not self._over.wait(max(0.01, self._last + SILENCE_SECONDS - time.monotonic())):
            if time.monotonic() - self._last >= SILENCE_SECONDS:
                self.spoke()
                self._beat()


class Bars(ABC):
    """Progress bars on a terminal, plain lines elsewhere, both on stderr, with a voice in every silence.

    A context manager. Each bar has these columns, and its description behind them.
    """

    def __init__(self, quiet: bool, *columns: ProgressColumn) -> None:
        self._console = Console(stderr=True, quiet=quiet)
        self._live = self._console.is_terminal and not quiet
        self._progress = Progress(
            *columns,
            TextColumn("{task.description}", markup=False),
            console=self._console,
            transient=True,
            disable=not self._live,
        )
        self._heart = Heartbeat(self._beat)

    def __enter__(self) -> Self:
        self._progress.start()
        self._heart.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._heart.__exit__(*exception)
        self._progress.stop()

    @abstractmethod
    def _beat(self) -> None:
        """Say what goes on, where nothing was said for too long."""

    def line(self, text: str) -> None:
        """Print one line above the bars."""
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)
        self._heart.spoke()


@contextlib.contextmanager
def working(text: str, quiet: bool = False) -> Iterator[None]:
    """Say on stderr what goes on, as often as a silence would become too long; nothing where it is quick."""
    began = time.monotonic()
    console = Console(stderr=True, quiet=quiet)

    def beat() -> None:
        console.print(f"{text}, {duration(time.monotonic() - began)}", markup=False, highlight=False, soft_wrap=True)

    with Heartbeat(beat):
        yield
