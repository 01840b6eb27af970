"""Everything that needs a framework, in a process of its own: `python -m edgebench.converters.worker REQUEST.json`.

Standard output carries the events of `converters.protocol` as JSON lines and nothing else. What frameworks print goes
to standard error. The host answers `Loaded` with one line on standard input, which names the images; so they are
decoded for the size that the model turned out to have.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from edgebench import registry
from edgebench.converters import user_code
from edgebench.converters.base import ANY, Converter, Promise, Quantised, Quantiser, SourceModel
from edgebench.converters.protocol import (
    REQUESTS,
    Conversion,
    Converted,
    Failed,
    FloatMade,
    Loaded,
    NamedImages,
    Prediction,
    ReferenceMade,
    Request,
    Started,
)
from edgebench.errors import ConversionError, EdgebenchError, MissingExtraError
from edgebench.files import atomic_path
from edgebench.images.perturbations import perturb
from edgebench.lifeline import die_with_parent
from edgebench.messages import Host, from_line, serve
from edgebench.records import INDEPENDENT
from edgebench.runner.preprocess import guess_layout, normalise
from edgebench.variants import FLOAT, MIXED, is_calibrated, parts

PIECE = 128  # perturbed images in memory at once


class Worker:
    """One source model on its way to the requested variants. One float graph a format, every precision from it."""

    def __init__(self, request: Conversion, module: Converter, model: SourceModel, host: Host) -> None:
        self._request, self._module, self._model, self._host = request, module, model, host
        self._floats = dict(request.float_graphs)
        self._failures: dict[str, str] = {}
        self._images: NamedImages | None = None
        self._has_reference = False

    def convert(self) -> None:
        """Make every requested variant; what fails costs that variant only."""
        model, tell = self._model, self._host.tell
        size = (model.height, model.width, model.channels)
        about = (model.classes, model.labels, model.parameters, model.preprocessing, model.notes, model.output_kind)
        tell(Loaded(size, *about))
        for variant in self._request.variants:
            tell(Started(variant))
            start = time.perf_counter()
            try:
                path, made = self._make(variant)
            except EdgebenchError as error:
                tell(Failed(variant, str(error), time.perf_counter() - start))
            except MemoryError:
                reason = "the conversion needs more memory than there is"
                tell(Failed(variant, reason, time.perf_counter() - start))
            except Exception as error:  # noqa: BLE001 (frameworks raise anything; it costs this variant)
                reason = f"{type(error).__name__}: {_one_line(error)}"
                tell(Failed(variant, reason, time.perf_counter() - start))
            else:
                tell(Converted(variant, path, made.recipe, made.notes, time.perf_counter() - start))
            self._answer_reference()

    def _make(self, variant: str) -> tuple[Path, Quantised]:
        kind, precision = parts(variant)
        source = self._float(kind)
        if precision == FLOAT:
            return source, Quantised("")
        chosen = registry.formats()[kind]
        path = self._request.folder / f"{precision}{chosen.suffix}"
        quantiser: Quantiser = importlib.import_module(chosen.quantiser)
        inputs = self._calibration(precision, quantiser.input_shape(source))
        target = self._request.target
        options = {} if target == ANY else {"target": target}
        if precision == MIXED:
            assert inputs is not None
            return path, quantiser.mixed(source, path, inputs, self._promise(quantiser.input_shape(source)), **options)
        return path, quantiser.quantise(source, precision, path, inputs, **options)

    def _float(self, kind: str) -> Path:
        """Return the float32 graph of a format, made once; a failure is remembered, not repeated."""
        if kind in self._failures:
            raise ConversionError(f"there is no {FLOAT} graph to start from: {self._failures[kind]}")
        if kind not in self._floats:
            path = self._request.folder / f"{FLOAT}{registry.formats()[kind].suffix}"
            try:
                write = getattr(self._module, f"to_{kind}", None)
                if write is None:
                    raise ConversionError(f"the converter {self._model.source.converter} makes no {kind}")
                write(self._model, path)
            except Exception as error:
                self._failures[kind] = _one_line(error)
                raise
            self._floats[kind] = path
            if f"{kind}:{FLOAT}" not in self._request.variants:
                self._host.tell(FloatMade(f"{kind}:{FLOAT}", path))
        return self._floats[kind]

    def _calibration(self, precision: str, shape: tuple[int, ...]) -> npt.NDArray[np.float32] | None:
        """Return preprocessed calibration inputs in the graph's layout, None for precisions without calibration."""
        if not is_calibrated(precision):
            return None
        path = self._named_images().calibration
        if path is None:
            raise ConversionError(f"{precision} needs images to calibrate on: give --data")
        images = np.load(path, allow_pickle=False)
        return np.asarray(normalise(images, self._model.preprocessing, guess_layout(shape)), np.float32)

    def _promise(self, shape: tuple[int, ...]) -> Promise:
        """Return what `mixed` must prove, and the images to prove it on."""
        if self._model.output_kind in INDEPENDENT:
            raise ConversionError(
                "mixed proves a limit for the first choice, and each output of this model is a label of its own: "
                "choose another precision"
            )
        named = self._named_images()
        if named.proof is None:
            raise ConversionError("mixed needs images other than those it is calibrated on: give more --data")
        images = np.load(named.proof, allow_pickle=False)
        labels = np.asarray(named.proof_labels, np.int64)
        inputs = np.asarray(normalise(images, self._model.preprocessing, guess_layout(shape)), np.float32)
        return Promise(self._request.max_drop, inputs, labels if len(labels) and labels.min() >= 0 else None)

    def _named_images(self) -> NamedImages:
        """Wait, once, for the host to name the images."""
        if self._images is None:
            self._images = self._host.hear(NamedImages)
        if self._images is None:
            raise ConversionError("the host is gone")
        return self._images

    def _answer_reference(self) -> None:
        """Run the source model on the gate's images, once, as soon as there is something to hold against it."""
        if self._has_reference:
            return
        self._has_reference = True
        path = self._request.folder / "reference.npy"
        _predict(self._module, self._model, self._named_images().parity, path)
        self._host.tell(ReferenceMade(path))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _predict(module: Converter, model: SourceModel, images: Path, out: Path) -> None:
    """Write the source model's outputs for images (uint8 NHWC .npy) as float32 .npy."""
    pixels = np.load(images, mmap_mode="r", allow_pickle=False)
    np.save(out, module.predict(model, pixels), allow_pickle=False)


def _predict_all(module: Converter, model: SourceModel, request: Prediction) -> None:
    """Write the outputs on the request's images, and on what each perturbation makes of them.

    Perturbed images are made here, a piece at a time: models that load slowly would otherwise be loaded for each.
    """
    if request.out is not None:
        _predict(module, model, request.images, request.out)
    pixels = np.load(request.images, mmap_mode="r", allow_pickle=False)
    for perturbation, out in request.perturbed:
        rows = [
            module.predict(model, perturb(pixels[at : at + PIECE], perturbation, numbers))
            for at in range(0, len(pixels), PIECE)
            for numbers in [range(at, min(at + PIECE, len(pixels)))]
        ]
        with atomic_path(out) as temporary, temporary.open("wb") as stream:
            np.save(stream, np.concatenate(rows), allow_pickle=False)


def load(request: Request) -> tuple[Converter, SourceModel]:
    """Load a source model with its converter; raises UsageError where it cannot be used."""
    source = request.source
    try:
        module = registry.converter_module(source.converter, "converter")
    except ModuleNotFoundError as error:
        if source.converter not in registry.CONVERTERS or (error.name or "").startswith("edgebench"):
            raise
        package, extra = (error.name or "").partition(".")[0], source.converter
        raise MissingExtraError(package, extra, f"converting {source.spec}") from error
    user_code.run(request.imports)  # behind the framework, which it imports too
    return module, module.load(source, request.preprocessing)


def answer(request: Request, host: Host) -> None:
    """Do what is asked for."""
    module, model = load(request)
    match request:
        case Conversion():
            Worker(request, module, model, host).convert()
        case Prediction():
            _predict_all(module, model, request)


def main(arguments: list[str]) -> int:
    """Run one request; return 0, or the exit code of the error that was told."""
    die_with_parent()
    content = Path(arguments[0]).read_bytes()
    return serve(lambda host: answer(from_line(REQUESTS, content, "the request"), host))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
