"""ONNX Runtime on an NVIDIA GPU, with CUDA or TensorRT. Not yet tried on a real GPU.

Input and output are bound to device memory, so that the invoke is timed without the copies, which `copy_in` and
`copy_out` are. A node that the GPU cannot take fails the session: falling back to the CPU in silence is no result.
"""

from __future__ import annotations

from typing import Any

import onnxruntime as ort

from edgebench.records import Scalar, Settings, TensorSpec
from edgebench.runner.runtimes import RefusedError

PROVIDERS = ("TensorrtExecutionProvider", "CUDAExecutionProvider")


def gpu_providers(options: Any) -> list[str]:
    """Return the GPU providers of this onnxruntime and forbid the CPU. Raises RefusedError where it has none."""
    available = ort.get_available_providers()
    found = [name for name in PROVIDERS if name in available]
    if not found:
        raise RefusedError(
            f"this onnxruntime has no GPU provider, only {', '.join(available)}: install onnxruntime-gpu in its place"
        )
    if hasattr(ort, "preload_dlls"):
        ort.preload_dlls()  # CUDA from the nvidia-* wheels, where it came with them
    options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    return found


class OnnxRuntimeGpuSession:
    """One inference session whose input and output stay on the GPU between copies."""

    def __init__(self, session: Any, settings: Settings, specs: tuple[TensorSpec, TensorSpec]) -> None:
        self._providers = session.get_providers()
        if self._providers[0] not in PROVIDERS:
            raise RefusedError(f"fell back to {self._providers[0]}: its CUDA libraries did not load")
        self._session = session
        self._settings = settings
        self._binding = session.io_binding()
        self._value: Any = None
        self.version = str(ort.__version__)
        self.input, self.output = specs
        self._binding.bind_output(self.output.name, "cuda")

    def copy_in(self, array: Any) -> None:
        """Copy one batch to the GPU."""
        if self._value is None:
            self._value = ort.OrtValue.ortvalue_from_numpy(array, "cuda", 0)
            self._binding.bind_ortvalue_input(self.input.name, self._value)
        else:
            self._value.update_inplace(array)

    def invoke(self) -> None:
        """Run the graph once and wait until the GPU is done."""
        try:
            self._session.run_with_iobinding(self._binding)
            self._binding.synchronize_outputs()
        except Exception as error:
            raise RefusedError(" ".join(str(error).split())[:500]) from error

    def copy_out(self) -> Any:
        """Copy the output back."""
        return self._binding.copy_outputs_to_cpu()[0]

    def facts(self) -> dict[str, Scalar]:
        """Return the provider that really runs."""
        return {"runtime_threads": self._settings.threads, "providers": ",".join(self._providers)}

    def close(self) -> None:
        """Free the session."""
        self._session = self._binding = self._value = None
