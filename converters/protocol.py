"""What the converters' worker is asked, what it answers, and what it asks for on the way: JSON lines of `messages`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgebench.converters.base import ANY
from edgebench.records import Perturbation, Preprocessing, Record, Source


@dataclass(frozen=True)
class Conversion(Record):
    """Make the float32 graphs of these formats in `folder`. `preprocessing` None: the model brings its own.

    Nothing to make is a request too: the source model is loaded, and run for the reference.
    """

    source: Source
    preprocessing: Preprocessing | None
    formats: tuple[str, ...]
    folder: Path
    imports: tuple[Path, ...] = ()  # the user's own code, which is run before the source model is loaded


@dataclass(frozen=True)
class Prediction(Record):
    """Run a source model on `images` (uint8 NHWC .npy) and write its outputs to `out` (float32 .npy), where wanted.

    `perturbed`: the same on what each perturbation makes of these images, each to its own file.
    """

    source: Source
    preprocessing: Preprocessing | None
    images: Path
    out: Path | None
    perturbed: tuple[tuple[Perturbation, Path], ...] = ()
    imports: tuple[Path, ...] = ()  # the user's own code, which is run before the source model is loaded


Request = Conversion | Prediction
REQUESTS: tuple[type[Request], ...] = (Conversion, Prediction)


@dataclass(frozen=True)
class Loaded(Record):
    """The source model is there. The host answers with `NamedImages`, decoded for this size."""

    size: tuple[int, int, int]  # height, width, channels
    classes: int
    labels: tuple[str, ...]
    parameters: int
    preprocessing: Preprocessing
    notes: tuple[str, ...] = ()
    output_kind: str = ""  # empty: only the values can tell


@dataclass(frozen=True)
class NamedImages(Record):
    """The host's answer: uint8 NHWC .npy files, None where there are none.

    They are for the gate, to calibrate on, and to prove on what `mixed` promises, with the labels of the last.
    """

    parity: Path
    calibration: Path | None
    proof: Path | None = None
    proof_labels: tuple[int, ...] = ()


@dataclass(frozen=True)
class Quantisation(Record):
    """Make these variants, all of one format, in `folder` from the float32 graph `source`."""

    source: Path
    variants: tuple[str, ...]
    folder: Path
    preprocessing: Preprocessing
    images: NamedImages
    output_kind: str = ""
    target: str = ANY
    max_drop: float = 0.0  # what `mixed` must prove; a share in 0..1


@dataclass(frozen=True)
class Started(Record):
    """A variant is being made."""

    variant: str


@dataclass(frozen=True)
class Converted(Record):
    """A variant lies at `path`; how it was quantised is in words in `recipe`."""

    variant: str
    path: Path
    recipe: str
    notes: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class Failed(Record):
    """A variant cannot be made; the others go on."""

    variant: str
    reason: str
    seconds: float


@dataclass(frozen=True)
class ReferenceMade(Record):
    """The source model's outputs on the gate's images lie at `path` (float32 .npy)."""

    path: Path


Event = Loaded | Started | Converted | Failed | ReferenceMade
EVENTS: tuple[type[Event], ...] = (Loaded, Started, Converted, Failed, ReferenceMade)
