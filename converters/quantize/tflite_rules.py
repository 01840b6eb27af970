"""The library's rules for integer graphs, and applying rules to a .tflite with ai-edge-quantizer."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert.tools import flatbuffer_utils
from ai_edge_quantizer import qtyping, quantizer, recipe_manager

from edgebench.converters.quantize.plans import EVERY
from edgebench.errors import ConversionError

MIN_SCALE = 1e-8
Ends = npt.NDArray[np.float32]
_OPERATION = qtyping.TFLOperationName
_PRODUCT_OPERATIONS = (
    _OPERATION.INPUT, _OPERATION.OUTPUT, _OPERATION.CONV_2D, _OPERATION.DEPTHWISE_CONV_2D, _OPERATION.FULLY_CONNECTED,
    _OPERATION.BATCH_MATMUL,
)  # fmt: skip


def read_graph(content: bytes) -> Any:
    """Return the flatbuffer as objects that can be changed."""
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    for buffer in model.buffers:
        if isinstance(buffer.data, bytearray):  # which is written byte by byte: three seconds a megabyte
            buffer.data = np.frombuffer(buffer.data, np.uint8)
    return model


def static_rules(bits: int, scope: str) -> Any:
    """Return the library's rules for integer activations of `bits` and int8 weights."""
    manager = recipe_manager.RecipeManager()
    for operation in (_OPERATION.ALL_SUPPORTED,) if scope == EVERY else _PRODUCT_OPERATIONS:
        manager.add_static_config(regex=".*", operation_name=operation, activation_num_bits=bits, weight_num_bits=8)
    return manager.get_quantization_recipe()


def wide_enough(found: dict[str, Ends], bits: int) -> dict[str, Ends]:
    """Widen a range so narrow that its scale would overflow the runtime's 32 bits (`relu6` at 6 / scale)."""
    least = MIN_SCALE * (2**bits - 1)
    if "min" not in found or np.max(found["max"] - found["min"]) >= least:
        return found
    return {**found, "min": np.minimum(found["min"], -least / 2), "max": np.maximum(found["max"], least / 2)}


def apply_rules(content: bytes, rules: Any, ranges: Any) -> bytes:
    """Return the graph quantised by the library's rules; raises ConversionError where it cannot be."""
    try:
        with _quiet():
            work = quantizer.Quantizer(content, rules)
            result = work.quantize(ranges, enable_progress_bar=False, enable_progress_report=False)
    except (RuntimeError, ValueError, KeyError, TypeError, IndexError) as error:
        raise ConversionError(f"ai-edge-quantizer: {str(error).splitlines()[0][:300]}") from error
    return bytes(result.quantized_model)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the library's progress bars off both streams."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield
