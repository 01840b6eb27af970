"""A runtime for the program's own benchmarks: LiteRT or ONNX Runtime with known work, stalls or memory added.

The runtime's name says what: `litert+spin=0.05` adds 5 % of its processor time to every invoke; `sleep=5` replaces
the model by 5 ms of sleep; `stall=200@300` waits 200 ms in invoke 300; `load=20`, `first=20`, `steady=20` allocate
and touch 20 MB in that phase and keep them, `load=20/1` lets go after 1 ms. Commas join them: `litert+load=5,first=20`.
"""

from __future__ import annotations

import importlib
import mmap
import time
from time import thread_time_ns
from typing import Any

from edgebench.records import Scalar, Settings

MB = 1_000_000


def open_session(name: str, path: str, settings: Settings) -> WrappedSession:
    """Open the artifact with its runtime and wrap it in what `name` asks for."""
    options = dict(part.split("=") for part in name.partition("+")[2].split(",") if part)
    inner = "onnxruntime" if path.endswith(".onnx") else "litert"
    runtime = importlib.import_module(f"edgebench.runner.runtimes.{inner}")
    session = WrappedSession(runtime.open_session(inner, path, settings), options)
    session.ballast("load")
    return session


class WrappedSession:
    """A session with additions."""

    def __init__(self, inner: Any, options: dict[str, str]) -> None:
        self._inner = inner
        self._options = options
        self._spin = float(options.get("spin", 0))
        self._sleep = float(options.get("sleep", 0)) / 1000
        stall, _, at = options.get("stall", "0@0").partition("@")
        self._stall, self._stall_at = float(stall) / 1000, int(at)
        self._invokes = 0
        self._kept: list[mmap.mmap] = []
        self.version = inner.version
        self.input, self.output = inner.input, inner.output

    def copy_in(self, array: Any) -> None:
        """As the runtime does."""
        self._inner.copy_in(array)

    def invoke(self) -> None:
        """Run the model (or sleep), then what was added."""
        self._invokes += 1
        start = thread_time_ns()  # processor time: 5 % of the work, not of the time that others took
        if self._sleep:
            time.sleep(self._sleep)
        else:
            self._inner.invoke()
        if self._spin:
            end = thread_time_ns() + int((thread_time_ns() - start) * self._spin)
            while thread_time_ns() < end:
                pass
        if self._stall and self._invokes == self._stall_at:
            time.sleep(self._stall)
        if self._invokes <= 2:
            self.ballast("first" if self._invokes == 1 else "steady")

    def copy_out(self) -> Any:
        """As the runtime does."""
        return self._inner.copy_out()

    def ballast(self, phase: str) -> None:
        """Allocate and touch what the name asks for in this phase."""
        megabytes, _, milliseconds = self._options.get(phase, "").partition("/")
        if not megabytes:
            return
        block = mmap.mmap(-1, int(megabytes) * MB)
        for offset in range(0, len(block), 4096):
            block[offset] = 1
        if milliseconds:
            time.sleep(float(milliseconds) / 1000)
            block.close()
        else:
            self._kept.append(block)

    def facts(self) -> dict[str, Scalar]:
        """Say what was added."""
        return {**self._inner.facts(), **{f"added_{key}": value for key, value in self._options.items()}}

    def close(self) -> None:
        """Free everything."""
        self._inner.close()
