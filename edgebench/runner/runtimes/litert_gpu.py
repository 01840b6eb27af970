"""LiteRT's GPU accelerator (OpenCL, WebGPU over Vulkan, Metal), by its CompiledModel.

Only models that the GPU takes whole are accepted: what it leaves would run on the CPU in silence. So would the whole
of it where the only "GPU" is a driver that computes on the CPU; LiteRT names its adapter on standard error alone.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
from math import prod
from typing import Any, Iterator, NamedTuple  # noqa: UP035 (Python 3.9 on devices)

import numpy as np

from edgebench.records import Scalar, Settings, TensorSpec
from edgebench.runner.runtimes import RefusedError

_ADAPTER = re.compile(r"Selected adapter: (?P<name>.+?), arch=.*?adapterType=(?P<kind>[^\n]+)")
_UNSUPPORTED = re.compile(
    r"not supported by GPU delegate:\n(?P<operators>(?:\w+: .*\n)+)(?P<counts>\d+ operations will.*)?"
)


class Adapter(NamedTuple):
    """What executes: `SwiftShader Device` of the kind `CPU / Software`, say. Empty where LiteRT did not name it."""

    name: str = ""
    kind: str = ""


class LiteRTGpuSession:
    """One compiled model with its buffers. `specs` are those that the CPU interpreter found in the file."""

    def __init__(self, path: str, version: str, settings: Settings, specs: tuple[TensorSpec, TensorSpec]) -> None:
        from ai_edge_litert.compiled_model import CompiledModel
        from ai_edge_litert.hardware_accelerator import HardwareAccelerator
        from ai_edge_litert.options import GpuOptions, Options

        if settings.batch != specs[0].shape[0]:
            raise RefusedError(f"its batch is fixed at {specs[0].shape[0]} on the GPU")
        # In benchmark mode a run returns when the GPU is done; otherwise when the work is queued.
        options = Options(HardwareAccelerator.GPU, gpu_options=GpuOptions(benchmark_mode=True))
        try:
            with native_errors() as log:
                self._model = CompiledModel.from_file(path, options=options)
            if not self._model.is_fully_accelerated():
                raise RuntimeError("takes only a part of it")
            self._inputs, self._outputs = self._model.create_input_buffers(0), self._model.create_output_buffers(0)
        except (RuntimeError, ValueError) as error:
            raise RefusedError(_why("".join(log), str(error))) from error
        self.adapter = adapter("".join(log))
        refuse_software(self.adapter)
        self.version = version
        self.input, self.output = specs

    def copy_in(self, array: Any) -> None:
        """Copy one batch into the input buffer."""
        self._inputs[0].write(array)

    def invoke(self) -> None:
        """Run the graph once and wait until the GPU is done."""
        self._model.run_by_index(0, self._inputs, self._outputs)

    def copy_out(self) -> Any:
        """Copy the output buffer."""
        flat = self._outputs[0].read(prod(self.output.shape), np.dtype(self.output.dtype).type)
        return flat.reshape(self.output.shape)

    def facts(self) -> dict[str, Scalar]:
        """Return the accelerator and, where it is known, what it computes on."""
        table: dict[str, Scalar] = {"providers": "LiteRT GPU"}
        return {**table, "gpu": self.adapter.name} if self.adapter.name else table

    def close(self) -> None:
        """Free the model."""
        self._model = self._inputs = self._outputs = None


def adapter(log: str) -> Adapter:
    """Return what LiteRT's log names as its adapter."""
    found = _ADAPTER.search(log)
    return Adapter(found["name"].strip(), found["kind"].strip()) if found else Adapter()


def _why(log: str, error: str) -> str:
    """Return which operators the GPU does not take, or else LiteRT's own error."""
    found = _UNSUPPORTED.search(log)
    if found:
        # "CONV_2D: Tensor type(INT16) is not supported. <the tensor's name>", a line for every tensor
        operators = "; ".join(
            dict.fromkeys(line.split(". ")[0].rstrip(".") for line in found["operators"].splitlines())
        )
        return f"the GPU does not take all of it ({operators}) {found['counts'] or ''}"
    return f"LiteRT's GPU accelerator: {' '.join(error.split())[:400]}"


def refuse_software(found: Adapter) -> None:
    """Raise RefusedError where the adapter is a program on the CPU."""
    if found.kind.lower().startswith("cpu"):
        raise RefusedError(f"the only GPU here is {found.name}, which computes on the CPU: use --device cpu")


@contextlib.contextmanager
def native_errors() -> Iterator[list[str]]:
    """Collect what native code writes to standard error meanwhile, and pass it on when it is over."""
    collected: list[str] = []
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as stream:
        os.dup2(stream.fileno(), 2)
        try:
            yield collected
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            stream.seek(0)
            text = stream.read()
            os.write(2, text)
            collected.append(text.decode(errors="replace"))
