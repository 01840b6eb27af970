"""LiteRT's GPU accelerator, by its CompiledModel. Not yet tried on a real GPU.

Only models that the GPU takes whole are accepted: what it leaves would run on the CPU in silence.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from edgebench.records import Scalar, Settings, TensorSpec
from edgebench.runner.runtimes import RefusedError


class LiteRTGpuSession:
    """One compiled model with its buffers. `specs` are those that the CPU interpreter found in the file."""

    def __init__(self, path: str, version: str, settings: Settings, specs: tuple[TensorSpec, TensorSpec]) -> None:
        from ai_edge_litert.compiled_model import CompiledModel
        from ai_edge_litert.hardware_accelerator import HardwareAccelerator

        if settings.batch != specs[0].shape[0]:
            raise RefusedError(f"its batch is fixed at {specs[0].shape[0]} on the GPU")
        try:
            self._model = CompiledModel.from_file(path, hardware_accel=HardwareAccelerator.GPU)
            whole = self._model.is_fully_accelerated()
            self._inputs, self._outputs = self._model.create_input_buffers(0), self._model.create_output_buffers(0)
        except (RuntimeError, ValueError) as error:
            raise RefusedError(f"LiteRT's GPU accelerator: {' '.join(str(error).split())[:400]}") from error
        if not whole:
            raise RefusedError("LiteRT's GPU accelerator takes only a part of it; the rest would run on the CPU")
        self.version = version
        self.input, self.output = specs

    def copy_in(self, array: Any) -> None:
        """Copy one batch into the input buffer."""
        self._inputs[0].write(array)

    def invoke(self) -> None:
        """Run the graph once. The call waits for the GPU where the backend does; `copy_out` does in any case."""
        self._model.run_by_index(0, self._inputs, self._outputs)

    def copy_out(self) -> Any:
        """Copy the output buffer."""
        flat = self._outputs[0].read(prod(self.output.shape), np.dtype(self.output.dtype).type)
        return flat.reshape(self.output.shape)

    def facts(self) -> dict[str, Scalar]:
        """Return the accelerator."""
        return {"providers": "LiteRT GPU"}

    def close(self) -> None:
        """Free the model."""
        self._model = self._inputs = self._outputs = None
