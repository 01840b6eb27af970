"""What a person sees while models are converted."""

from __future__ import annotations

import time
from typing import Self

from rich.progress import BarColumn, MofNCompleteColumn, TimeElapsedColumn

from edgebench.cli.progress import Bars, Tally
from edgebench.pipeline.events import ConversionEvent, ConversionFinished, ConversionStarted, MemoryShort
from edgebench.records import OK, Artifact
from edgebench.variants import MIXED


class ConversionDisplay(Bars):
    """A progress bar on a terminal, one plain line an artifact everywhere; both on standard error."""

    def __init__(self, total: int, quiet: bool) -> None:
        super().__init__(quiet, BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn())
        self._doing, self._total, self._made = "loading the model", total, 0
        self._tally = Tally()
        self._task = self._progress.add_task(self._doing, total=total)

    def __enter__(self) -> Self:
        self._tally.start(1, self._total, time.monotonic())
        return super().__enter__()

    def tell(self, event: ConversionEvent) -> None:
        """Render one event of `pipeline.convert`."""
        match event:
            case ConversionStarted(model, variant):
                self._doing = f"{model} {variant}"
            case MemoryShort(model, reason):
                self.line(f"{model}  {reason}")
            case ConversionFinished(artifact, cached):
                self._made += 1
                self._tally.start(self._made + 1, self._total, time.monotonic())
                self.line(summary(artifact, cached))
        self._update()

    def _beat(self) -> None:
        if self._live:
            self._update()
        elif self._made < self._total:
            self.line(f"{self._made} of {self._total} made, {self._doing}{self._tally.left(time.monotonic())}")

    def _update(self) -> None:
        text = f"{self._doing}{self._tally.left(time.monotonic())}" if self._made < self._total else self._doing
        self._progress.update(self._task, completed=self._made, total=max(self._total, self._made), description=text)


def summary(artifact: Artifact, cached: bool) -> str:
    """Return a line about a variant, and what `mixed` found in further ones."""
    head = f"{artifact.model}  {artifact.variant:<18}"
    if artifact.status != OK:
        return f"{head}{artifact.status}: {artifact.reason}"
    parity = "exact" if artifact.parity_db is None else f"{artifact.parity_db:.1f} dB"
    when = "unchanged" if cached else f"{artifact.seconds:.1f} s"
    worse = "  further from the source model than zeros would be" if (artifact.parity_db or 0) < 0 else ""
    line = f"{head}{_size(artifact.size_bytes):>9}  {parity:>9}  {when}{worse}"
    # the trade-off of `mixed`, and what it cost to find
    more = (artifact.recipe, *artifact.notes) if artifact.precision == MIXED else ()
    return "\n  ".join((line, *more))


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"
