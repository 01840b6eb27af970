"""Everything that needs a framework, in a process of its own: `python -m edgebench.converters.worker REQUEST.json`.

Standard output carries the events of `converters.protocol` as JSON lines and nothing else. What frameworks print goes
to standard error. The host answers `Loaded` with one line on standard input, which names the images; so they are
decoded for the size that the model turned out to have.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from edgebench import registry
from edgebench.converters import user_code
from edgebench.converters.base import Converter, Quantised, SourceModel
from edgebench.converters.making import make
from edgebench.converters.protocol import (
    REQUESTS,
    Conversion,
    Loaded,
    NamedImages,
    Prediction,
    ReferenceMade,
    Request,
)
from edgebench.errors import ConversionError, MissingExtraError
from edgebench.files import atomic_path
from edgebench.images.perturbations import perturb
from edgebench.lifeline import die_with_parent
from edgebench.messages import Host, from_line, serve
from edgebench.variants import FLOAT

PIECE = 128  # perturbed images in memory at once


class Worker:
    """One source model on its way to the float32 graph of each format; `quantize.worker` goes on from there."""

    def __init__(self, request: Conversion, module: Converter, model: SourceModel, host: Host) -> None:
        self._request, self._module, self._model, self._host = request, module, model, host

    def convert(self) -> None:
        """Make the float32 graph of every requested format, and the reference beside the first one.

        What fails costs that format only.
        """
        model, tell = self._model, self._host.tell
        size = (model.height, model.width, model.channels)
        about = (model.classes, model.labels, model.parameters, model.preprocessing, model.notes, model.output_kind)
        tell(Loaded(size, *about))
        has_reference = False
        for kind in self._request.formats:
            make(f"{kind}:{FLOAT}", lambda kind=kind: (self._write(kind), Quantised("")), tell)  # type: ignore[misc]
            if not has_reference:
                self._answer_reference()
            has_reference = True
        if not has_reference:
            self._answer_reference()

    def _write(self, kind: str) -> Path:
        path = self._request.folder / f"{FLOAT}{registry.formats()[kind].suffix}"
        write = getattr(self._module, f"to_{kind}", None)
        if write is None:
            raise ConversionError(f"the converter {self._model.source.converter} makes no {kind}")
        write(self._model, path)
        return path

    def _answer_reference(self) -> None:
        """Run the source model on the gate's images."""
        named = self._host.hear(NamedImages)
        if named is None:
            raise ConversionError("the host is gone")
        path = self._request.folder / "reference.npy"
        _predict(self._module, self._model, named.parity, path)
        self._host.tell(ReferenceMade(path))


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
