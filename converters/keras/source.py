"""What decides what the `keras` converter makes; its MODEL texts are read in `converters/sources.py`."""

from __future__ import annotations

_FRAMEWORK = ("tensorflow", "keras")
TOOLS = {
    "savedmodel": _FRAMEWORK,
    "tflite": (*_FRAMEWORK, "ai-edge-quantizer", "ai-edge-litert"),
    "onnx": (*_FRAMEWORK, "tf2onnx", "onnx", "onnxruntime", "onnxconverter-common"),
}
