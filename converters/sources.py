"""From what the user typed to a `Source`: which converter reads it and its content hash, without any framework."""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path

from edgebench import registry
from edgebench.converters.base import SourceReader
from edgebench.converters.huggingface import source as huggingface_source
from edgebench.converters.keras import applications as keras_applications
from edgebench.converters.keras import archive
from edgebench.converters.trust import IMPORT_OPTION, LAMBDA_OPTION, NOTHING, Trust
from edgebench.errors import UsageError
from edgebench.files import exists, safe_name, sha256_file, sha256_json
from edgebench.images.preprocessing import keras_rule
from edgebench.records import Preprocessing, Source

KNOWN = "a .keras or .h5 file, a SavedModel folder, a Hugging Face checkpoint folder, keras:NAME or hf:owner/name"
HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
OWN_SUFFIXES = (".keras", ".h5", ".hdf5", ".tflite", ".onnx")


def resolve(text: str, input_size: str = "", trust: Trust = NOTHING, output: str = "", signature: str = "") -> Source:
    """Return the source model behind MODEL `text`; raises UsageError where there is none.

    `input_size` ("96" or "96x128"), the code that is trusted and the names of an output and a signature become options
    of the source: they change what is loaded.
    """
    named = (("output", output), ("signature", signature))
    options = [*trust.options, *(pair for pair in named if pair[1])]
    if input_size:
        options.insert(0, ("input_size", parse_size(input_size)))
    found = _resolve(text, input_size, options)
    _refuse_unread(text, found)
    return found


def _resolve(text: str, input_size: str, options: list[tuple[str, str]]) -> Source:
    if text.startswith("keras:"):
        if input_size:
            raise UsageError(f"--input-size does not go with {text}: write keras:NAME?input_size=96")
        spec = keras_applications.parse(text).spec
        version = _version("keras")  # the random weights and the graph come from this very version
        return Source("keras", spec, sha256_json([spec, version]), tuple(options))
    if text.startswith("hf:"):
        return huggingface_source.resolve(text, tuple(options))
    other = _claimed(text)
    if other is not None:
        found: Source = other.resolve(text, tuple(options))
        return found
    return _from_path(text, tuple(options))


def _refuse_unread(text: str, source: Source) -> None:
    """Raise UsageError for options that this kind of source would ignore."""
    options = dict(source.options)
    savedmodel = source.converter == "keras" and Path(source.spec).is_dir()
    file = source.converter == "keras" and not savedmodel and not source.spec.startswith("keras:")
    if IMPORT_OPTION in options and not file:
        raise UsageError(f"--import belongs to .keras and .h5 files, whose layers it defines, not to {text}")
    if "output" in options and not (file or savedmodel):
        raise UsageError(f"--output chooses among the outputs of a Keras file or a SavedModel, not of {text}")
    if "signature" in options and not savedmodel:
        raise UsageError(f"--signature belongs to SavedModel folders, not to {text}")


def check_again(source: Source, trust: Trust) -> tuple[Path, ...]:
    """Return the user's own files that the source model of a manifest is loaded with.

    Raises UsageError where it is gone, has changed, or would run code that nobody typed.
    """
    imports = trust.imports_for(source)
    now = resolve(source.spec, dict(source.options).get("input_size", ""), Trust(trust.lambdas))
    if now.sha256 != source.sha256:
        raise UsageError(f"the source model {source.spec} has changed since it was converted: convert it again")
    return imports


def formats_of(source: Source) -> tuple[str, ...]:
    """Return the formats that the converter of a source model makes."""
    return tuple(registry.converter_module(source.converter, "source").TOOLS)


def _claimed(text: str) -> SourceReader | None:
    """Return the `source` module of another package that takes MODEL `text`; what edgebench reads stays its own."""
    path = Path(text)
    own = path.suffix.lower() in OWN_SUFFIXES or exists(path / "saved_model.pb")
    if own or huggingface_source.looks_like(path):
        return None
    names = [name for name in registry.converters() if name not in registry.CONVERTERS]
    readers: list[SourceReader] = [registry.converter_module(name, "source") for name in names]
    return next((reader for reader in readers if reader.claims(text)), None)


def parse_size(text: str) -> str:
    """Return `HxW` for `96` or `96x128`."""
    match = re.fullmatch(r"([1-9]\d{0,4})(?:x([1-9]\d{0,4}))?", text.strip().lower())
    if match is None:
        raise UsageError(f"--input-size is {text!r}: expected pixels such as 96 or 96x128 (height x width)")
    return f"{match[1]}x{match[2] or match[1]}"


def default_name(source: Source) -> str:
    """Return a short name that is safe as a file name: the stem of the file, or the model's name."""
    text = source.spec
    if text.startswith("keras:"):
        application = keras_applications.parse(text)
        text = application.name + (f"-{application.alpha:g}" if application.alpha != 1 else "")
        text += f"-{application.input_size}"
    elif text.startswith("hf:"):
        text = text.removeprefix("hf:").split("@")[0].rpartition("/")[2]
    else:
        path = Path(text)
        text = path.stem if path.suffix.lower() in (".keras", ".h5", ".hdf5") else path.name
    return safe_name(re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip(".-").lower())


def own_preprocessing(source: Source, text: str) -> Preprocessing | None:  # noqa: ARG001 (what the user typed)
    """Return the rule of a Keras Application, None where only the converter can tell, with the model in its hands."""
    if source.converter == "keras" and source.spec.startswith("keras:"):
        return keras_rule(keras_applications.parse(source.spec).module)
    return None


def _from_path(text: str, options: tuple[tuple[str, str], ...]) -> Source:
    path = _expanded(text)
    if not exists(path):
        raise UsageError(f"there is no {text}: a MODEL is {KNOWN}")
    if path.is_dir():
        return _from_folder(path, text, options)
    suffix = path.suffix.lower()
    if suffix in (".tflite", ".onnx"):
        raise UsageError(f"{text} is converted already: measure it with edgebench profile {text}")
    if path.name.lower().endswith(".weights.h5"):
        raise UsageError(f"{text} holds weights without the architecture: save the whole model as .keras")
    if suffix not in (".keras", ".h5", ".hdf5"):
        raise UsageError(f"{text} is no kind of model edgebench reads: a MODEL is {KNOWN}")
    if path.stat().st_size == 0:
        raise UsageError(f"{text} is empty: save the model again")
    if suffix == ".keras":
        if archive.contains_lambda(archive.read_config(path)) and LAMBDA_OPTION not in dict(options):
            raise UsageError(
                f"{text} has a Lambda layer, which is Python code that would run on this machine: "
                "type --trust-lambda if you trust where the file comes from"
            )
    elif not _is_hdf5(path):
        raise UsageError(f"{text} is not an HDF5 file: was it cut short? Save it again, best as .keras")
    return Source("keras", str(path.resolve()), sha256_file(path), options)


def _is_hdf5(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(8) == HDF5_MAGIC


def _expanded(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:  # ~somebody who is not known here
        return Path(text)


def _from_folder(path: Path, text: str, options: tuple[tuple[str, str], ...]) -> Source:
    if (path / "saved_model.pb").exists():
        if not list((path / "variables").glob("variables.index")):
            raise UsageError(f"{text} is a SavedModel without its variables/ folder: copy the whole folder")
        return Source("keras", str(path.resolve()), sha256_file(path), options)
    if huggingface_source.looks_like(path):
        return huggingface_source.resolve(str(path), options)
    raise UsageError(f"the folder {text} has neither saved_model.pb nor config.json: a MODEL is {KNOWN}")


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""
