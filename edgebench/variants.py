"""Formats, precisions and what goes with each: one table, read by everything that must know.

This file also runs on devices: standard library only, Python 3.9.
"""

from __future__ import annotations

FORMATS = ("savedmodel", "tflite", "onnx")
PRECISIONS = ("float32", "float16", "dynamic", "int8", "int16x8")
CALIBRATED = ("int8", "int16x8")  # the precisions whose ranges come from images
VARIANTS = (
    "savedmodel:float32",
    "tflite:float32",
    "tflite:float16",
    "tflite:dynamic",
    "tflite:int8",
    "tflite:int16x8",
    "onnx:float32",
    "onnx:float16",
    "onnx:dynamic",
    "onnx:int8",
)
