"""TensorFlow, for SavedModel folders."""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import tensorflow as tf

from edgebench.records import Scalar, Settings, TensorSpec
from edgebench.runner.runtimes import RefusedError, counted, tensorflow_placement


def open_session(name: str, path: str, settings: Settings) -> TensorFlowSession:
    """Load a SavedModel folder's serving signature; raises RefusedError with TensorFlow's message."""
    del name
    tf.config.threading.set_intra_op_parallelism_threads(settings.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    gpus = tf.config.list_physical_devices("GPU")[:1] if settings.accelerator == "gpu" else []
    if settings.accelerator == "gpu" and not gpus:
        raise RefusedError("this TensorFlow sees no GPU: install tensorflow[and-cuda] and its driver")
    tf.config.set_visible_devices(gpus, "GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)  # what the model takes, not all that there is
        tensorflow_placement.watch()
    try:
        return TensorFlowSession(tf.saved_model.load(path), settings)
    except (OSError, ValueError, KeyError, tf.errors.OpError) as error:
        raise RefusedError(error) from error


class TensorFlowSession:
    """One loaded SavedModel and its serving signature."""

    def __init__(self, model: Any, settings: Settings) -> None:
        if "serving_default" not in model.signatures:
            raise RefusedError(f"has no serving_default signature, only {sorted(model.signatures)}")
        self._model = model  # the signature holds its variables only weakly
        self._function = model.signatures["serving_default"]
        self._gpu = settings.accelerator == "gpu"
        self.version = str(tf.__version__)
        inputs = self._function.structured_input_signature[1]
        outputs = self._function.structured_outputs
        if len(inputs) != 1 or len(outputs) != 1:
            raise RefusedError(
                f"has {len(inputs)} inputs and {len(outputs)} outputs; an image classifier has one of each"
            )
        self._input_name, self._output_name = next(iter(inputs)), next(iter(outputs))
        self.input = _spec(self._input_name, inputs[self._input_name], settings.batch)
        self.output = _spec(self._output_name, outputs[self._output_name], settings.batch)
        self._tensor: Any = None
        self._result: Any = None

    def copy_in(self, array: Any) -> None:
        """Make a tensor of one batch, on the GPU where that is to run."""
        if self._gpu:
            with tf.device("GPU:0"):
                self._tensor = tf.constant(array)
        else:
            self._tensor = tf.constant(array)

    def invoke(self) -> None:
        """Call the signature; on the CPU results are complete when it returns, a GPU is waited for."""
        try:
            self._result = self._function(**{self._input_name: self._tensor})
            if self._gpu:
                tf.test.experimental.sync_devices()
        except (ValueError, tf.errors.OpError) as error:
            raise RefusedError(error) from error

    def copy_out(self) -> Any:
        """Return the output as an array."""
        return self._result[self._output_name].numpy()

    def facts(self) -> dict[str, Scalar]:
        """Return the threads that hold, and the device that held the last output.

        Raises RefusedError where a GPU was asked for and operators ran on the CPU.
        """
        table: dict[str, Scalar] = {"runtime_threads": tf.config.threading.get_intra_op_parallelism_threads()}
        if self._gpu:
            left = tensorflow_placement.ran_on_cpu()
            if left:
                raise RefusedError(f"TensorFlow ran a part of it on the CPU: {counted(left)}")
            table["tf32"] = tf.config.experimental.tensor_float_32_execution_enabled()
        if self._result is not None:
            table["providers"] = str(self._result[self._output_name].device).rpartition("device:")[2]
        return table

    def close(self) -> None:
        """Free the model."""
        self._model = self._function = None


def _spec(name: str, tensor: Any, batch: int) -> TensorSpec:
    shape = [batch if n is None and i == 0 else n for i, n in enumerate(tensor.shape.as_list())]
    if None in shape:
        raise RefusedError(f"{name} has free dimensions {tensor.shape}: convert it with a fixed input size")
    return TensorSpec(name=name, shape=tuple(shape), dtype=str(tensor.dtype.name))
