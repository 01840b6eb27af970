"""A SavedModel folder as a function of images: one signature, one output."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tensorflow as tf

from edgebench.converters.keras import shapes, usual
from edgebench.converters.keras.usual import Loaded
from edgebench.errors import UsageError

FORBIDDEN_OPS = ("PyFunc", "EagerPyFunc", "PyFuncStateless", "ReadFile", "WriteFile", "SaveV2", "LoadLibrary")
DEFAULT = "serving_default"
TWIN = "serve"  # what `model.export` calls the same function once more


def load(path: Path, size: str, output: str, signature: str) -> Loaded:
    """Load a folder; `output` and `signature` are names the user typed, empty where none was.

    Raises UsageError where it is damaged, would run more than a classifier does, or leaves a choice that was not made.
    """
    try:
        module = tf.saved_model.load(str(path))
    except Exception as error:
        raise UsageError(f"TensorFlow cannot load the SavedModel {path}: {shapes.first_line(error)}") from error
    chosen = _signature(sorted(module.signatures), signature, path)
    function = module.signatures[chosen]
    _refuse_code(function, path)
    arguments, results = function.structured_input_signature[1], function.structured_outputs
    if len(arguments) != 1:
        names = ", ".join(sorted(arguments))
        raise UsageError(f"{path} has {len(arguments)} inputs ({names}); a classifier of one image has one")
    (argument, spec) = next(iter(arguments.items()))
    result = choose(sorted(results), output, str(path))
    others = [name for name in sorted(module.signatures) if name not in (chosen, TWIN)]
    notes = (f"made from the signature {chosen}; the folder also has {', '.join(others)}",) if others else ()
    return usual.loaded(
        Loaded(
            call=lambda image: function(**{argument: tf.cast(image, spec.dtype)})[result],
            variables=list(function.variables),
            keep=module,
            shape=shapes.image_shape(tuple(spec.shape.as_list()), str(path), size),
            classes=shapes.classes(tuple(results[result].shape.as_list()), str(path)),
            takes_bytes=spec.dtype == tf.uint8,
            notes=notes,
        ),
        str(path),
        without_channel=len(spec.shape) == 3,
    )


def choose(names: list[str], wanted: str, name: str) -> str:
    """Return the one output, or the one that was asked for. Raises UsageError with the names where that is unclear."""
    if wanted in names:
        return wanted
    listed = ", ".join(names[:20])
    if wanted:
        raise UsageError(f"{name} has no output {wanted[:80]!r}: its outputs are {listed}")
    if len(names) != 1:
        raise UsageError(f"{name} has {len(names)} outputs ({listed}): say which one has the classes with --output")
    return names[0]


def _signature(names: list[str], wanted: str, path: Path) -> str:
    if wanted in names:
        return wanted
    listed = ", ".join(names[:20])
    if not names:
        raise UsageError(f"{path} has no signature: export it again, with model.export")
    if wanted:
        raise UsageError(f"{path} has no signature {wanted[:80]!r}: its signatures are {listed}")
    if len(names) == 1:
        return names[0]
    if DEFAULT in names:
        return DEFAULT
    raise UsageError(f"{path} has {len(names)} signatures ({listed}): say which one with --signature")


def _refuse_code(function: Any, path: Path) -> None:
    """Refuse a graph that would read or write files or call Python: a classifier does neither."""
    definition = function.graph.as_graph_def()
    nodes = [*definition.node, *(node for inner in definition.library.function for node in inner.node_def)]
    found = sorted({node.op for node in nodes} & set(FORBIDDEN_OPS))
    if found:
        raise UsageError(f"{path} is refused: its graph would run {', '.join(found)} on this machine")
