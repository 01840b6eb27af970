"""LiteRT (`ai_edge_litert`), and its predecessor `tflite_runtime`, which has the same interface."""

from __future__ import annotations

import importlib
from typing import Any

from edgebench.records import Scalar, Settings, TensorSpec
from edgebench.runner.runtimes import RefusedError, Session, counted
from edgebench.runner.runtimes.litert_partitions import partitions

PACKAGES = {"litert": "ai_edge_litert", "tflite-runtime": "tflite_runtime"}


def takes_batches(name: str) -> bool:
    """Whether another batch than the file's may be tried for accuracy: the predecessor is left alone."""
    return name == "litert"


def open_session(name: str, path: str, settings: Settings) -> Session:
    """Load a .tflite file with `settings.threads` threads; raises RefusedError with the interpreter's message."""
    package = PACKAGES[name]
    interpreter_module = importlib.import_module(f"{package}.interpreter")
    version = str(getattr(importlib.import_module(package), "__version__", "unknown"))
    if version == "unknown":
        from importlib.metadata import version as installed_version

        version = installed_version(package.replace("_", "-"))
    try:
        interpreter = interpreter_module.Interpreter(model_path=path, num_threads=settings.threads)
        details, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        if len(details) != 1 or len(outputs) != 1:
            raise RefusedError(
                f"has {len(details)} inputs and {len(outputs)} outputs; an image classifier has one of each"
            )
        if settings.accelerator == "gpu":  # before anything is allocated for the CPU
            from edgebench.runner.runtimes.litert_gpu import LiteRTGpuSession

            return LiteRTGpuSession(path, version, settings, (_spec(details[0]), _spec(outputs[0])))
        if int(details[0]["shape"][0]) != settings.batch:
            shape = [settings.batch, *(int(n) for n in details[0]["shape"][1:])]
            interpreter.resize_tensor_input(details[0]["index"], shape, strict=False)
        interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise RefusedError(error) from error
    return LiteRTSession(interpreter, version, settings.threads)


class LiteRTSession:
    """One interpreter with its tensors allocated."""

    def __init__(self, interpreter: Any, version: str, threads: int) -> None:
        self._interpreter = interpreter
        self._threads = threads
        self.version = version
        self.input = _spec(interpreter.get_input_details()[0])
        self.output = _spec(interpreter.get_output_details()[0])
        self._input_index = interpreter.get_input_details()[0]["index"]
        self._output_index = interpreter.get_output_details()[0]["index"]

    def copy_in(self, array: Any) -> None:
        """Copy one batch into the input tensor."""
        self._interpreter.set_tensor(self._input_index, array)

    def invoke(self) -> None:
        """Run the graph once."""
        try:
            self._interpreter.invoke()
        except (RuntimeError, ValueError) as error:
            raise RefusedError(error) from error

    def copy_out(self) -> Any:
        """Return a copy of the output tensor."""
        return self._interpreter.get_tensor(self._output_index)

    def facts(self) -> dict[str, Scalar]:
        """Return the threads, and what the library's default delegate, XNNPACK, left to the slower kernels."""
        table: dict[str, Scalar] = {"runtime_threads": self._threads}
        if hasattr(self._interpreter, "_get_ops_details"):
            count, left = partitions(self._interpreter._get_ops_details())
            table["xnnpack_partitions"] = count
            table["operators_off_xnnpack"] = counted(left) or "none"
        return table

    def close(self) -> None:
        """Free the interpreter."""
        self._interpreter = None


def _spec(detail: Any) -> TensorSpec:
    scale, zero_point = detail["quantization"]
    return TensorSpec(
        name=str(detail["name"]),
        shape=tuple(int(n) for n in detail["shape"]),
        dtype=detail["dtype"].__name__,
        scale=float(scale),
        zero_point=int(zero_point),
    )
