"""The source model's own outputs, in its own framework, in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from edgebench.converters.protocol import Prediction
from edgebench.converters.sources import check_again
from edgebench.converters.trust import NOTHING, Trust
from edgebench.errors import ConversionError
from edgebench.files import atomic_path, scratch_folder
from edgebench.pipeline.workers import WorkerDied, converter
from edgebench.records import Perturbation, Preprocessing, Source

Predict = Callable[[Source, Preprocessing, Path, Path, Trust], None]
"""As `reference_outputs`: here, or on another machine."""


def reference_outputs(
    source: Source, preprocessing: Preprocessing, images: Path, out: Path, trust: Trust = NOTHING
) -> None:
    """Run the source model on `images` (uint8 NHWC .npy) and write its outputs (images, classes) as float32 .npy.

    Raises UsageError where the source model has changed, cannot be loaded any more or would run code that `trust` does
    not allow, ConversionError where its process dies.
    """
    with scratch_folder() as folder:
        made = folder / "outputs.npy"
        _predict(source, preprocessing, images, folder, check_again(source, trust), out=made)
        with atomic_path(out) as temporary:
            temporary.write_bytes(made.read_bytes())


def perturbed_outputs(
    source: Source,
    preprocessing: Preprocessing,
    images: Path,
    wanted: Mapping[Perturbation, Path],
    trust: Trust = NOTHING,
) -> None:
    """Run the source model once for all `wanted` perturbations of `images`; each file appears when it is whole.

    Raises as `reference_outputs` does.
    """
    perturbed = tuple((perturbation, out.absolute()) for perturbation, out in wanted.items())
    with scratch_folder() as folder:
        _predict(source, preprocessing, images, folder, check_again(source, trust), perturbed=perturbed)


def _predict(
    source: Source,
    preprocessing: Preprocessing,
    images: Path,
    folder: Path,
    imports: tuple[Path, ...],
    out: Path | None = None,
    perturbed: tuple[tuple[Perturbation, Path], ...] = (),
) -> None:
    try:
        request = Prediction(source, preprocessing, images.absolute(), out, perturbed, imports)
        with converter(request, folder) as worker:
            for _ in worker.events():
                pass
    except WorkerDied as error:
        raise ConversionError(f"no reference outputs: {error}") from error
