"""Keras models (`.keras`, `.h5`), SavedModel folders and the Keras Applications, through TensorFlow."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import tensorflow as tf

from edgebench.converters.base import SourceModel
from edgebench.converters.keras import applications as keras_applications
from edgebench.converters.keras import archive, frozen_graph, inside, shapes
from edgebench.converters.keras import loading as keras_loading
from edgebench.errors import ConversionError
from edgebench.images.preprocessing import keras_rule
from edgebench.records import Preprocessing, Source
from edgebench.runner.preprocess import normalise

PREDICT_BATCH = 32


@dataclass
class Graph:
    """What TensorFlow keeps of a loaded model: a function of a float32 NHWC batch, and the variables it reads."""

    call: Callable[[Any], Any]
    variables: list[Any] = field(repr=False)
    keep: Any  # the object that owns the function; TensorFlow holds it only weakly
    shape: tuple[int, int, int]

    @property
    def spec(self) -> Any:
        """The one static input: batch 1."""
        return tf.TensorSpec((1, *self.shape), tf.float32, name=frozen_graph.INPUT)

    @cached_property
    def batched(self) -> Any:
        """The model on any number of images."""
        return tf.function(self.call, input_signature=[tf.TensorSpec((None, *self.shape), tf.float32)])

    @cached_property
    def saved(self) -> tempfile.TemporaryDirectory[str]:
        """A SavedModel folder with one static signature, written once; TFLite is made from it."""
        module = tf.Module()
        module.variables_of_model = self.variables
        function = tf.function(lambda image: {frozen_graph.OUTPUT: self.call(image)})
        folder = tempfile.TemporaryDirectory(prefix="edgebench-savedmodel-")
        concrete = function.get_concrete_function(self.spec)
        tf.saved_model.save(module, folder.name, signatures={"serving_default": concrete})
        return folder


def load(source: Source, preprocessing: Preprocessing | None) -> SourceModel:
    """Load the source model. Without `preprocessing` the model must scale pixels of 0 to 255 by itself.

    Raises UsageError where the file is corrupt, holds Lambda code, or is not a classifier of one image; after that,
    where nobody can know how its images were prepared, or where they would be scaled twice.
    """
    loaded = keras_loading.load(source)
    graph = Graph(loaded.call, loaded.variables, loaded.keep, loaded.shape)
    preprocessing = _preprocessing(source, graph, preprocessing, loaded.takes_bytes)
    height, width, channels = loaded.shape
    if preprocessing.channels != "L" and channels == 1:
        preprocessing = keras_loading.for_one_channel(preprocessing)
    return SourceModel(
        source=source,
        height=height,
        width=width,
        channels=channels,
        classes=loaded.classes,
        labels=(),
        parameters=sum(int(np.prod(variable.shape)) for variable in loaded.variables),
        preprocessing=preprocessing,
        handle=graph,
        output_kind=loaded.output_kind,
        notes=loaded.notes,
    )


def _preprocessing(source: Source, graph: Graph, given: Preprocessing | None, takes_bytes: bool) -> Preprocessing:
    if source.spec.startswith("keras:"):
        return given or keras_rule(keras_applications.parse(source.spec).module)
    name = Path(source.spec).name
    scaling = inside.BYTES if takes_bytes else inside.read_scaling(graph.call, graph.spec)
    if given is None:
        return inside.rule_of(scaling, name, archive.looks_like(source))
    inside.refuse_scaling_twice(scaling, given, name)
    return given


def predict(model: SourceModel, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Return the outputs (images, classes) of the model in TensorFlow for uint8 NHWC `images`."""
    rows = [
        model.handle.batched(normalise(images[start : start + PREDICT_BATCH], model.preprocessing)).numpy()
        for start in range(0, len(images), PREDICT_BATCH)
    ]
    return np.concatenate(rows).astype(np.float32) if rows else np.zeros((0, model.classes), np.float32)


def to_savedmodel(model: SourceModel, path: Path) -> None:
    """Write a SavedModel folder: one signature, batch 1, float32, NHWC."""
    shutil.copytree(model.handle.saved.name, path, dirs_exist_ok=True)
    path.chmod(0o755)  # the temporary folder is the user's alone


def to_tflite(model: SourceModel, path: Path) -> None:
    """Write a float32 .tflite, batch 1, built-in operators only. Raises ConversionError naming what has no built-in."""
    converter = tf.lite.TFLiteConverter.from_saved_model(model.handle.saved.name)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    try:
        path.write_bytes(converter.convert())
    except Exception as error:  # its classes are its own and undocumented
        raise ConversionError(f"TFLiteConverter: {shapes.first_line(error)}") from error


def to_onnx(model: SourceModel, path: Path) -> None:
    """Write a float32 .onnx, batch 1, NHWC input."""
    onnx.save(frozen_graph.to_onnx(frozen_graph.freeze(model.handle.call, model.handle.spec)), str(path))
