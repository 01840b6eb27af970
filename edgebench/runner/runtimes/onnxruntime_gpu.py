"""ONNX Runtime on an NVIDIA GPU, with CUDA or TensorRT. Not yet tried on a real GPU.

Input and output are bound to device memory, so that the invoke is timed without the copies, which `copy_in` and
`copy_out` are. A node that the GPU does not take refuses the artifact: falling back to the CPU in silence is no result.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import onnxruntime as ort

from edgebench.records import Scalar, Settings, TensorSpec
from edgebench.runner.runtimes import RefusedError, counted

PROVIDERS = ("TensorrtExecutionProvider", "CUDAExecutionProvider")


def gpu_providers(options: Any) -> list[str]:
    """Return the GPU providers of this onnxruntime and ask it to tell where each node goes.

    Raises RefusedError where it has none, or is too old to tell.
    """
    available = ort.get_available_providers()
    found = [name for name in PROVIDERS if name in available]
    if not found:
        raise RefusedError(
            f"this onnxruntime has no GPU provider, only {', '.join(available)}: install onnxruntime-gpu in its place"
        )
    if not hasattr(ort.InferenceSession, "get_provider_graph_assignment_info"):
        raise RefusedError(f"onnxruntime {ort.__version__} does not tell where a node runs: install a newer one")
    ort.preload_dlls()  # CUDA from the nvidia-* wheels, where it came with them
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    return found


def fix_batch(session: Any, options: Any, batch: int) -> bool:
    """Set a batch that the file leaves free, for a session made anew; False where there is none.

    With the batch known, the arithmetic on shapes that CUDA leaves to the CPU is folded away.
    """
    free = [node.shape[0] for node in session.get_inputs() if node.shape and isinstance(node.shape[0], str)]
    if free:
        options.add_free_dimension_override_by_name(free[0], batch)
    return bool(free)


def placement(session: Any) -> dict[str, Counter[str]]:
    """Return how many nodes of each kind each provider was given."""
    table: dict[str, Counter[str]] = {}
    for part in session.get_provider_graph_assignment_info():
        table.setdefault(part.ep_name, Counter()).update(node.op_type for node in part.get_nodes())
    return table


def whole_on_gpu(session: Any) -> str:
    """Return the providers that serve the session. Raises RefusedError where the CPU has a share in it."""
    providers = session.get_providers()
    if providers[0] not in PROVIDERS:
        raise RefusedError(f"fell back to {providers[0]}: the libraries of CUDA did not load, or there is no GPU")
    placed = placement(session)
    left = sum((kinds for name, kinds in placed.items() if name not in PROVIDERS), Counter[str]())
    if left:
        raise RefusedError(f"the GPU does not take all of it; on the CPU would run {counted(left)}")
    return ",".join(sorted(placed))


class OnnxRuntimeGpuSession:
    """One inference session whose input and output stay on the GPU between copies."""

    def __init__(self, session: Any, settings: Settings, specs: tuple[TensorSpec, TensorSpec]) -> None:
        self._providers = whole_on_gpu(session)
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
            raise RefusedError(error) from error

    def copy_out(self) -> Any:
        """Copy the output back."""
        return self._binding.copy_outputs_to_cpu()[0]

    def facts(self) -> dict[str, Scalar]:
        """Return the providers that really run it, and whether CUDA rounds float32 to TF32 in its multiplications."""
        cuda = self._session.get_provider_options().get(PROVIDERS[1], {})
        table: dict[str, Scalar] = {"runtime_threads": self._settings.threads, "providers": self._providers}
        return {**table, "tf32": cuda["use_tf32"] == "1"} if "use_tf32" in cuda else table

    def close(self) -> None:
        """Free the session."""
        self._session = self._binding = self._value = None
