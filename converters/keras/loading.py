"""Loading what Keras and TensorFlow wrote, and refusing what is not a classifier of one image."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "tensorflow"
import keras
import numpy as np
import tensorflow as tf

from edgebench.converters import user_code
from edgebench.converters.keras import applications as keras_applications
from edgebench.converters.keras import model_file, savedmodel, shapes, usual
from edgebench.converters.keras.usual import Loaded
from edgebench.converters.trust import LAMBDA_OPTION
from edgebench.errors import UsageError
from edgebench.images.preprocessing import keras_rule
from edgebench.records import PROBABILITIES, Preprocessing, Source
from edgebench.runner.preprocess import normalise

SEED = 20_240_229  # of random weights: the reference and every conversion must see the same model
SETTLING_IMAGES = 8
FLOATS = ("float32", "float16", "bfloat16")


def load(source: Source) -> Loaded:
    """Load any source of the `keras` converter."""
    size = dict(source.options).get("input_size", "")
    if source.spec.startswith("keras:"):
        return _from_model(_application(source.spec), source.spec, size)
    path, options = Path(source.spec), dict(source.options)
    output = options.get("output", "")
    if path.is_dir():
        return savedmodel.load(path, size, output, options.get("signature", ""))
    trusted = LAMBDA_OPTION in options
    return _from_model(model_file.read(path, trusted), source.spec, size, output, trusted)


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
    options: dict[str, object] = {"alpha": wanted.alpha} if wanted.name in keras_applications.WITH_ALPHA else {}
    builder = getattr(keras.applications, wanted.name)
    shape = (wanted.input_size, wanted.input_size, 3)
    weights = None if wanted.weights == "none" else "imagenet"
    try:
        model = builder(weights=weights, classes=wanted.classes, input_shape=shape, **options)
        return model if weights else _settled(model, keras_rule(wanted.module))
    except Exception as error:
        if weights is None:
            raise UsageError(f"{spec}: Keras cannot build it: {shapes.first_line(error)}") from error
        raise UsageError(
            f"the imagenet weights of {wanted.name} are neither in the Keras cache nor could they be downloaded "
            f"({shapes.first_line(error)}): connect once, or use keras:{wanted.name}?weights=none"
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


def _from_model(model: Any, name: str, size: str, output: str = "", trusted: bool = False) -> Loaded:
    inputs, outputs = _tensors(model, name)
    names = _output_names(model)
    place = names.index(savedmodel.choose(names, output, name))
    shapes.image_shape(tuple(inputs[0].shape), name, size)
    shapes.classes(tuple(outputs[place].shape), name)
    dtype = keras.backend.standardize_dtype(inputs[0].dtype)
    if dtype not in (*FLOATS, "uint8"):
        raise UsageError(f"{name} takes {dtype} input; edgebench converts models with float or uint8 input")
    model = _in_float32(model, dtype == "uint8", trusted)
    return usual.loaded(
        Loaded(
            call=lambda image: tf.nest.flatten(model(image, training=False))[place],
            variables=[variable.value for variable in model.variables],
            keep=model,
            shape=shapes.image_shape(tuple(inputs[0].shape), name, size),
            classes=shapes.classes(tuple(outputs[place].shape), name),
            takes_bytes=dtype == "uint8",
            output_kind=PROBABILITIES if name.startswith("keras:") else "",
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
    return inputs, outputs


def _output_names(model: Any) -> list[str]:
    """Return the names of the outputs in the order of `model.outputs`: the keys of a dict, else those of the layers."""
    made = getattr(model, "_outputs_struct", None)
    if isinstance(made, dict) and len(made) == len(model.outputs):
        return sorted(made)
    names = list(getattr(model, "output_names", ())) or [f"output_{i}" for i in range(len(model.outputs))]
    return names if len(set(names)) == len(names) else [f"{name}:{i}" for i, name in enumerate(names)]


def _in_float32(model: Any, takes_bytes: bool, trusted: bool) -> Any:
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
    own = user_code.defined()
    copy = keras.saving.deserialize_keras_object(json.loads(text), custom_objects=own, safe_mode=not trusted)
    copy.set_weights(model.get_weights())
    return copy
