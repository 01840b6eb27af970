"""Everything that needs a framework, in a process of its own: `python -m edgebench.converters.worker REQUEST.json`.

Standard output carries JSON lines and nothing else: loaded, reference, started, artifact, failed, error, done. What
frameworks print goes to standard error. In the mode `convert` the host answers `loaded` with one line on standard
input, which names the images; so they are decoded here for the size that the model turned out to have.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import IO, Any

import numpy as np
import numpy.typing as npt

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from edgebench import registry
from edgebench.converters.base import ANY, Promise, Quantised, Quantiser, SourceModel
from edgebench.errors import ConversionError, EdgebenchError, MissingExtraError
from edgebench.files import atomic_path, parse_record
from edgebench.images.perturbations import perturb
from edgebench.lifeline import die_with_parent
from edgebench.records import Perturbation, Preprocessing, Source
from edgebench.runner.preprocess import guess_layout, normalise
from edgebench.variants import FLOAT, MIXED, is_calibrated, parts

PIECE = 128  # perturbed images in memory at once


class Worker:
    """One source model on its way to the requested variants. One float graph a format, every precision from it."""

    def __init__(self, request: dict[str, Any], stream: IO[str]) -> None:
        self._request = request
        self._stream = stream
        self._folder = Path(request["folder"])
        self._floats = {kind: Path(path) for kind, path in request.get("float_graphs", {}).items()}
        self._failures: dict[str, str] = {}
        self._images: dict[str, Any] = {}
        self._module: ModuleType
        self._model: SourceModel

    def emit(self, event: str, **facts: Any) -> None:
        """Write one line for the host."""
        self._stream.write(json.dumps({"event": event, **facts}) + "\n")
        self._stream.flush()

    def load(self) -> None:
        """Load the source model; raises UsageError where it cannot be used."""
        source = parse_record(Source, json.dumps(self._request["source"]).encode(), "request")
        wanted = self._request["preprocessing"]
        rule = None if wanted is None else parse_record(Preprocessing, json.dumps(wanted).encode(), "request")
        try:
            self._module = registry.converter_module(source.converter, "converter")
        except ModuleNotFoundError as error:
            if source.converter not in registry.CONVERTERS or (error.name or "").startswith("edgebench"):
                raise
            package, extra = (error.name or "").partition(".")[0], source.converter
            raise MissingExtraError(package, extra, f"converting {source.spec}") from error
        self._model = self._module.load(source, rule)

    def predict(self) -> None:
        """Write the source model's outputs for the request's images (uint8 NHWC .npy) as float32 .npy.

        `perturbed` asks for the outputs on the same images under each of several perturbations: their images are made
        here, a piece at a time, as the models that load slowly would otherwise be loaded for each.
        """
        images = np.load(self._request["images"], mmap_mode="r", allow_pickle=False)
        if self._request["out"]:
            np.save(self._request["out"], self._module.predict(self._model, images), allow_pickle=False)
        for wanted in self._request.get("perturbed", ()):
            perturbation = parse_record(Perturbation, json.dumps(wanted["perturbation"]).encode(), "request")
            rows = [
                self._module.predict(self._model, perturb(images[at : at + PIECE], perturbation, numbers))
                for at in range(0, len(images), PIECE)
                for numbers in [range(at, min(at + PIECE, len(images)))]
            ]
            with atomic_path(Path(wanted["out"])) as temporary, temporary.open("wb") as stream:
                np.save(stream, np.concatenate(rows), allow_pickle=False)
        self.emit("done")

    def convert(self) -> None:
        """Make every requested variant; what fails costs that variant only."""
        model = self._model
        self.emit(
            "loaded",
            size=[model.height, model.width, model.channels],
            classes=model.classes,
            labels=list(model.labels),
            parameters=model.parameters,
            preprocessing=model.preprocessing.__dict__,
            notes=list(model.notes),
        )
        for variant in self._request["variants"]:
            self.emit("started", variant=variant)
            start = time.perf_counter()
            try:
                path, made = self._make(variant)
            except EdgebenchError as error:
                self.emit("failed", variant=variant, reason=str(error), seconds=time.perf_counter() - start)
            except MemoryError:
                reason = "the conversion needs more memory than there is"
                self.emit("failed", variant=variant, reason=reason, seconds=time.perf_counter() - start)
            except Exception as error:  # noqa: BLE001 (frameworks raise anything; it costs this variant)
                text = " ".join(str(error).split())[:300]
                reason = f"{type(error).__name__}: {text}"
                self.emit("failed", variant=variant, reason=reason, seconds=time.perf_counter() - start)
            else:
                facts = {"path": str(path), "recipe": made.recipe, "notes": list(made.notes)}
                self.emit("artifact", variant=variant, seconds=time.perf_counter() - start, **facts)
            self._answer_reference()
        self.emit("done")

    def _make(self, variant: str) -> tuple[Path, Quantised]:
        kind, precision = parts(variant)
        source = self._float(kind)
        if precision == FLOAT:
            return source, Quantised("")
        chosen = registry.formats()[kind]
        path = self._folder / f"{precision}{chosen.suffix}"
        quantiser: Quantiser = importlib.import_module(chosen.quantiser)
        inputs = self._calibration(precision, quantiser.input_shape(source))
        target = self._request.get("target", ANY)
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
            path = self._folder / f"{FLOAT}{registry.formats()[kind].suffix}"
            try:
                write = getattr(self._module, f"to_{kind}", None)
                if write is None:
                    raise ConversionError(f"the converter {self._model.source.converter} makes no {kind}")
                write(self._model, path)
            except Exception as error:
                self._failures[kind] = " ".join(str(error).split())[:300]
                raise
            self._floats[kind] = path
        return self._floats[kind]

    def _calibration(self, precision: str, shape: tuple[int, ...]) -> npt.NDArray[np.float32] | None:
        """Return preprocessed calibration inputs in the graph's layout, None for precisions without calibration."""
        if not is_calibrated(precision):
            return None
        path = self._named_images().get("calibration")
        if not path:
            raise ConversionError(f"{precision} needs images to calibrate on: give --data")
        images = np.load(path, allow_pickle=False)
        return np.asarray(normalise(images, self._model.preprocessing, guess_layout(shape)), np.float32)

    def _promise(self, shape: tuple[int, ...]) -> Promise:
        """Return what `mixed` must prove, and the images to prove it on."""
        named = self._named_images()
        images = np.load(named["proof"], allow_pickle=False)
        labels = np.asarray(named["proof_labels"], np.int64)
        inputs = np.asarray(normalise(images, self._model.preprocessing, guess_layout(shape)), np.float32)
        return Promise(self._request["max_drop"], inputs, labels if len(labels) and labels.min() >= 0 else None)

    def _named_images(self) -> dict[str, Any]:
        """Wait, once, for the host to name the images."""
        if not self._images:
            self._images = json.loads(sys.stdin.readline() or "{}") or {"none": True}
        return self._images

    def _answer_reference(self) -> None:
        """Run the source model on the gate's images, once, as soon as there is something to hold against it."""
        images = self._named_images()
        if images.get("parity"):
            outputs = self._module.predict(self._model, np.load(images.pop("parity"), allow_pickle=False))
            path = self._folder / "reference.npy"
            np.save(path, outputs, allow_pickle=False)
            self.emit("reference", path=str(path))


def main(arguments: list[str]) -> int:
    """Run one request; return 0, or the exit code of the error that was emitted."""
    die_with_parent()
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints from here on, in Python or C++, goes to standard error
    worker = Worker(json.loads(Path(arguments[0]).read_text(encoding="utf-8")), stream)
    try:
        worker.load()
        worker.predict() if worker._request["mode"] == "predict" else worker.convert()
    except EdgebenchError as error:
        worker.emit("error", message=str(error), exit_code=error.exit_code)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
