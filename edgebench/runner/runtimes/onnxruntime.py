"""ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnxruntime as ort

from edgebench.records import OperatorTime, Scalar, Settings, TensorSpec
from edgebench.runner.runtimes import RefusedError, Session
from edgebench.runner.runtimes.onnxruntime_profile import run_profiled

DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(uint8)": "uint8",
    "tensor(int8)": "int8",
    "tensor(double)": "float64",
}


def open_session(name: str, path: str, settings: Settings) -> Session:
    """Load a .onnx file with `settings.threads` threads; raises RefusedError with the runtime's message."""
    del name
    session = _open(path, session_options(settings), settings)
    if settings.accelerator == "gpu":
        from edgebench.runner.runtimes.onnxruntime_gpu import OnnxRuntimeGpuSession

        inputs, outputs = session.get_inputs(), session.get_outputs()
        specs = (_spec(inputs[0], settings.batch), _spec(outputs[0], settings.batch))
        return OnnxRuntimeGpuSession(session, settings, specs)
    return OnnxRuntimeSession(session, settings)


def operator_times(path: str, settings: Settings, batch: Any, out: Path) -> tuple[OperatorTime, ...]:
    """Return what each node costs in one inference of `batch`, the most expensive first."""
    options = session_options(settings)
    options.enable_profiling = True
    options.profile_file_prefix = str(out / "operators")
    session = _open(path, options, settings)
    return run_profiled(session, {session.get_inputs()[0].name: batch})


def session_options(settings: Settings) -> Any:
    """Return the options of every session here: the settings' threads, one operator after another."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = settings.threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3
    # The library's default, set so that it can be recorded: threads spin between operators, which is fast and hot.
    options.add_session_config_entry("session.intra_op.allow_spinning", "1")
    return options


def _open(path: str, options: Any, settings: Settings) -> Any:
    providers = ["CPUExecutionProvider"]
    if settings.accelerator == "gpu":
        from edgebench.runner.runtimes.onnxruntime_gpu import fix_batch, gpu_providers

        providers = gpu_providers(options)
    try:
        session = ort.InferenceSession(path, options, providers=providers)
        if settings.accelerator == "gpu" and fix_batch(session, options, settings.batch):
            session = ort.InferenceSession(path, options, providers=providers)
    except Exception as error:
        raise RefusedError(error) from error
    if len(session.get_inputs()) != 1 or len(session.get_outputs()) != 1:
        raise RefusedError(
            f"has {len(session.get_inputs())} inputs and {len(session.get_outputs())} outputs; "
            "an image classifier has one of each"
        )
    batch = session.get_inputs()[0].shape[0]
    if isinstance(batch, int) and batch != settings.batch:
        raise RefusedError(f"its batch is fixed at {batch}, so it cannot run with --batch {settings.batch}")
    return session


class OnnxRuntimeSession:
    """One inference session. On the CPU the input array is handed over without a copy."""

    def __init__(self, session: Any, settings: Settings) -> None:
        self._session = session
        self._settings = settings
        self.version = str(ort.__version__)
        self.input = _spec(session.get_inputs()[0], settings.batch)
        self.output = _spec(session.get_outputs()[0], settings.batch)
        self._outputs = [self.output.name]
        self._feed: dict[str, object] = {}
        self._result: Any = None

    def copy_in(self, array: Any) -> None:
        """Point the feed at one batch."""
        self._feed[self.input.name] = array

    def invoke(self) -> None:
        """Run the graph once."""
        try:
            self._result = self._session.run(self._outputs, self._feed)
        except Exception as error:
            raise RefusedError(error) from error

    def copy_out(self) -> Any:
        """Return the output array, which the runtime allocates anew for every run."""
        return self._result[0]

    def facts(self) -> dict[str, Scalar]:
        """Return the threads asked for and the providers that really serve the session."""
        return {
            "runtime_threads": self._settings.threads,
            "providers": ",".join(self._session.get_providers()),
            "spinning": self._settings.threads > 1,
        }

    def close(self) -> None:
        """Free the session."""
        self._session = None


def _spec(node: Any, batch: int) -> TensorSpec:
    if node.type not in DTYPES:
        raise RefusedError(f"{node.name} is a {node.type}; an image classifier takes and gives numbers")
    free = [n for n in node.shape[1:] if not isinstance(n, int)]
    if free:
        raise RefusedError(f"{node.name} has free dimensions {node.shape}: convert it with a fixed input size")
    first = node.shape[0] if isinstance(node.shape[0], int) else batch
    return TensorSpec(name=node.name, shape=(first, *node.shape[1:]), dtype=DTYPES[node.type])
