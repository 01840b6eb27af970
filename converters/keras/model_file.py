"""A .keras or .h5 file as a Keras model: what is damaged, unknown or unsafe is one line that says what to do."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import h5py
import keras

from edgebench.converters import user_code
from edgebench.converters.keras import archive, shapes
from edgebench.errors import UsageError

UNKNOWN = re.compile(
    r"Could not locate (?:class|function) '(?P<keras>[^']+)'|Unknown [a-z ]+: '?(?P<h5>\w[\w>]*)|"
    r"Could not interpret [a-z ]+: '?(?P<name>\w[\w>]*)"
)
"""How Keras says that a file names a class or function that it does not have."""


def read(path: Path, trust_lambda: bool) -> Any:
    """Return the model in a file. Raises UsageError."""
    config = archive.read_config(path) if path.suffix.lower() == ".keras" else _h5_config(path)
    if path.suffix.lower() != ".keras" and not trust_lambda and archive.contains_lambda(config):
        raise UsageError(
            f"{path} has a Lambda layer, which is Python code that would run on this machine: "
            "type --trust-lambda if you trust where the file comes from"
        )
    foreign = archive.layer_of_another_framework(config)
    if foreign:
        raise UsageError(
            f"{path} has a {foreign}, a layer that runs in another framework only: build the network of Keras layers, "
            "or give the network inside it as a Hugging Face checkpoint"
        )
    try:
        model = keras.saving.load_model(
            path,
            custom_objects=_operations(path) | user_code.defined(),
            compile=False,
            safe_mode=not trust_lambda,
        )
        return _with_input(model)
    except Exception as error:
        raise UsageError(_said(path, error)) from error


def _said(path: Path, error: BaseException) -> str:
    texts = [str(one) for one in (error, error.__cause__, error.__context__) if one is not None]
    match = next((match for text in texts for match in [UNKNOWN.search(text)] if match), None)
    if match is None:
        return f"Keras cannot load {path}: {shapes.first_line(error)}"
    name = next(value for value in match.groups() if value)
    return (
        f"Keras cannot load {path}: it has no {name}, which is code of your own. Name the file that defines it with "
        "--import my_layers.py (it is run here); or, where that code is, write model.export('folder') and convert "
        "that folder"
    )


def _with_input(model: Any) -> Any:
    """Return a model that knows its input; a subclassed one is called on the shape it was built for."""
    if isinstance(model, keras.Sequential) or hasattr(model, "inputs"):
        return model
    shape = (model.get_build_config() or {}).get("input_shape")
    if not isinstance(shape, (list, tuple)) or len(shape) < 3:
        return model
    image = keras.Input(tuple(shape[1:]))
    return keras.Model(image, model(image))


def _operations(path: Path) -> dict[str, object]:
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
