"""Loading what Keras and TensorFlow wrote, and refusing what is not a classifier of one image."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "tensorflow"
import h5py
import keras
import numpy as np
import tensorflow as tf

from edgebench.converters import sources
from edgebench.converters.keras import applications as keras_applications
from edgebench.converters.keras import usual
from edgebench.converters.keras.usual import Loaded
from edgebench.converters.trust import LAMBDA_OPTION
from edgebench.errors import UsageError
from edgebench.images.preprocessing import keras_rule
from edgebench.records import Preprocessing, Source
from edgebench.runner.preprocess import normalise

SEED = 20_240_229  # of random weights: the reference and every conversion must see the same model
SETTLING_IMAGES = 8
FLOATS = ("float32", "float16", "bfloat16")
FORBIDDEN_OPS = ("PyFunc", "EagerPyFunc", "PyFuncStateless", "ReadFile", "WriteFile", "SaveV2", "LoadLibrary")


def load(source: Source) -> Loaded:
    """Load any source of the `keras` converter."""
    size = dict(source.options).get("input_size", "")
    if source.spec.startswith("keras:"):
        return _from_model(_application(source.spec), source.spec, size)
    path = Path(source.spec)
    if path.is_dir():
        return _from_savedmodel(path, size)
    return _from_model(_model_file(path, LAMBDA_OPTION in dict(source.options)), source.spec, size)


def first_line(error: BaseException) -> str:
    """Return the first line of a framework's message, shortened: the rest is its stack."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]


def for_one_channel(preprocessing: Preprocessing) -> Preprocessing:
    """Return the rule for a model of one channel; a mean a colour cannot be meant for it."""
    if len(preprocessing.mean) > 1 or len(preprocessing.std) > 1:
        raise UsageError(
            f"the preprocessing {preprocessing.rule} is for three channels and the model takes one: "
            "give one mean and one std"
        )
    return dataclasses.replace(preprocessing, channels="L")


def _application(spec: str) -> Any:
    wanted = keras_applications.parse(spec)
    keras.utils.set_random_seed(SEED)
    options: dict[str, Any] = {"alpha": wanted.alpha} if wanted.name in keras_applications.WITH_ALPHA else {}
    builder = getattr(keras.applications, wanted.name)
    shape = (wanted.input_size, wanted.input_size, 3)
    weights = None if wanted.weights == "none" else "imagenet"
    try:
        model = builder(weights=weights, classes=wanted.classes, input_shape=shape, **options)
        return model if weights else _settled(model, keras_rule(wanted.module))
    except Exception as error:
        if weights is None:
            raise UsageError(f"{spec}: Keras cannot build it: {first_line(error)}") from error
        raise UsageError(
            f"the imagenet weights of {wanted.name} are neither in the Keras cache nor could they be downloaded "
            f"({first_line(error)}): connect once, or use keras:{wanted.name}?weights=none"
        ) from error


def _settled(model: Any, rule: Preprocessing) -> Any:
    """Return a model with random weights through which signals pass: batch normalisations that know what they see,
    and logits of unit spread.

    With their initial statistics activations vanish from layer to layer: every image gives the same output, and no
    conversion can be told from a broken one.
    """
    height, width, channels = model.input_shape[1:]
    coarse = np.random.default_rng(SEED).integers(0, 256, (SETTLING_IMAGES, 8, 8, channels), np.uint8)
    images = coarse[:, np.arange(height) * 8 // height][:, :, np.arange(width) * 8 // width]
    layers = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    model(normalise(images, rule), training=True)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    head, activation = model.layers[-1], model.layers[-1].activation
    head.activation = keras.activations.linear
    spread = float(tf.math.reduce_std(model(normalise(images, rule), training=False)))
    head.activation = activation
    last = next(layer for layer in reversed(model.layers) if hasattr(layer, "kernel"))
    last.kernel.assign(last.kernel / max(spread, 1e-6))
    return model


def _model_file(path: Path, trust_lambda: bool) -> Any:
    if path.suffix.lower() != ".keras" and not trust_lambda and sources.contains_lambda(_h5_config(path)):
        raise UsageError(
            f"{path} has a Lambda layer, which is Python code that would run on this machine: "
            "type --trust-lambda if you trust where the file comes from"
        )
    try:
        return keras.saving.load_model(
            path, custom_objects=_operations(path), compile=False, safe_mode=not trust_lambda
        )
    except Exception as error:
        said = first_line(error)
        unknown = "Could not locate class" in said or "Unknown layer" in said
        way_out = "; where its code is, write model.export('folder') and convert that folder" if unknown else ""
        raise UsageError(f"Keras cannot load {path}: {said}{way_out}") from error


def _operations(path: Path) -> dict[str, Any]:
    """Return Keras's own operators by name for the .h5 reader, which knows layers alone (`x / 127.5` is TrueDivide)."""
    if path.suffix.lower() == ".keras":
        return {}
    own: list[Any] = []
    waiting = [keras.Operation]
    while waiting:
        kinds = [kind for kind in waiting.pop().__subclasses__() if kind.__module__.startswith("keras.src.ops.")]
        own += kinds
        waiting += kinds
    return {kind.__name__: kind for kind in own}


def _h5_config(path: Path) -> Any:
    try:
        with h5py.File(path, "r") as file:
            text = file.attrs.get("model_config")
    except OSError as error:
        raise UsageError(f"{path} is not a whole HDF5 file: was it cut short? Save it again") from error
    if text is None:
        raise UsageError(f"{path} holds weights without the architecture: save the whole model as .keras")
    return json.loads(text)


def _from_model(model: Any, name: str, size: str) -> Loaded:
    inputs, outputs = _tensors(model, name)
    _image_shape(tuple(inputs[0].shape), name, size)
    _classes(tuple(outputs[0].shape), name)
    dtype = keras.backend.standardize_dtype(inputs[0].dtype)
    if dtype not in (*FLOATS, "uint8"):
        raise UsageError(f"{name} takes {dtype} input; edgebench converts models with float or uint8 input")
    model = _in_float32(model, dtype == "uint8")
    return usual.loaded(
        Loaded(
            call=lambda image: _single(model(image, training=False)),
            variables=[variable.value for variable in model.variables],
            keep=model,
            shape=_image_shape(tuple(inputs[0].shape), name, size),
            classes=_classes(tuple(outputs[0].shape), name),
            takes_bytes=dtype == "uint8",
        ),
        name,
        without_channel=len(inputs[0].shape) == 3,
    )


def _tensors(model: Any, name: str) -> tuple[list[Any], list[Any]]:
    try:
        inputs, outputs = list(model.inputs), list(model.outputs)
    except (AttributeError, ValueError, TypeError) as error:
        raise UsageError(f"{name} was saved before it was built: call it on one image and save it again") from error
    if len(inputs) != 1:
        names = ", ".join(tensor.name for tensor in inputs)
        raise UsageError(f"{name} has {len(inputs)} inputs ({names}); edgebench converts classifiers of one image")
    if len(outputs) != 1:
        raise UsageError(f"{name} has {len(outputs)} outputs; an image classifier has one, a score for each class")
    return inputs, outputs


def _image_shape(shape: tuple[int | None, ...], name: str, size: str) -> tuple[int, int, int]:
    if len(shape) == 3 and all(edge is not None and edge > 3 for edge in shape[1:]):
        shape = (*shape, 1)  # (28, 28): grey images that go without a dimension for it
    if len(shape) != 4:
        raise UsageError(f"{name} takes input of shape {shape}; an image classifier takes (batch, height, width, 3)")
    _, height, width, channels = shape
    if channels not in (1, 3):
        first = " (channels first? edgebench converts channels-last Keras models)" if shape[1] in (1, 3) else ""
        raise UsageError(f"{name} takes {channels} channels{first}; edgebench reads images of 1 or 3")
    wanted = tuple(int(edge) for edge in size.split("x")) if size else ()
    if height is None or width is None:
        if not wanted:
            raise UsageError(f"{name} takes images of any size: say which with --input-size, for example 224x224")
    elif wanted and wanted != (height, width):
        raise UsageError(f"{name} takes {height}x{width} images only, not --input-size {size}")
    else:
        wanted = (height, width)
    return (*wanted, channels)  # type: ignore[return-value]  # two numbers by the checks above


def _classes(shape: tuple[int | None, ...], name: str) -> int:
    if len(shape) != 2 or shape[1] is None:
        raise UsageError(f"{name} gives output of shape {shape}; a classifier gives (batch, classes)")
    return int(shape[1])


def _in_float32(model: Any, takes_bytes: bool = False) -> Any:
    """Return the model computing in float32: one trained in mixed precision keeps float32 weights anyway.

    One that takes uint8 takes the same numbers as float32, as every artifact does.
    """
    policies = {layer.dtype_policy.name for layer in model._flatten_layers() if hasattr(layer, "dtype_policy")}
    if not takes_bytes and not any(name.startswith("mixed_") for name in policies):
        return model
    text = json.dumps(keras.saving.serialize_keras_object(model))
    if takes_bytes:
        text = text.replace('"dtype": "uint8"', '"dtype": "float32"')
    for policy in ("mixed_float16", "mixed_bfloat16"):
        text = text.replace(f'"{policy}"', '"float32"')
    copy = keras.saving.deserialize_keras_object(json.loads(text))
    copy.set_weights(model.get_weights())
    return copy


def _single(output: Any) -> Any:
    """Return the one output tensor of a model that may wrap it in a list or dict."""
    return tf.nest.flatten(output)[0]


def _from_savedmodel(path: Path, size: str) -> Loaded:
    try:
        module = tf.saved_model.load(str(path))
    except Exception as error:
        raise UsageError(f"TensorFlow cannot load the SavedModel {path}: {first_line(error)}") from error
    function = module.signatures.get("serving_default")
    if function is None:
        raise UsageError(f"{path} has no serving_default signature, only {sorted(module.signatures)}: export it again")
    _refuse_code(function, path)
    arguments, results = function.structured_input_signature[1], function.structured_outputs
    if len(arguments) != 1 or len(results) != 1:
        raise UsageError(
            f"{path} has {len(arguments)} inputs and {len(results)} outputs; a classifier of one image has one of each"
        )
    (argument, spec), (result, output) = next(iter(arguments.items())), next(iter(results.items()))
    return usual.loaded(
        Loaded(
            call=lambda image: function(**{argument: tf.cast(image, spec.dtype)})[result],
            variables=list(function.variables),
            keep=module,
            shape=_image_shape(tuple(spec.shape.as_list()), str(path), size),
            classes=_classes(tuple(output.shape.as_list()), str(path)),
            takes_bytes=spec.dtype == tf.uint8,
        ),
        str(path),
        without_channel=len(spec.shape) == 3,
    )


def _refuse_code(function: Any, path: Path) -> None:
    """Refuse a graph that would read or write files or call Python: a classifier does neither."""
    definition = function.graph.as_graph_def()
    nodes = [*definition.node, *(node for inner in definition.library.function for node in inner.node_def)]
    found = sorted({node.op for node in nodes} & set(FORBIDDEN_OPS))
    if found:
        raise UsageError(f"{path} is refused: its graph would run {', '.join(found)} on this machine")
