"""What a conversion made: its manifest, and the source model, images and pixels behind it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional

from edgebench.records.training import TrainingRecord
from edgebench.records.vocabulary import RECORD_VERSION, Record


@dataclass(frozen=True)
class TensorSpec(Record):
    """One input or output: static `shape`, numpy `dtype` name; real = (q - zero_point) * scale where scale > 0."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float = 0.0
    zero_point: int = 0


@dataclass(frozen=True)
class Preprocessing(Record):
    """How a decoded image becomes the model's input.

    `cut` above 0 first takes the middle square, that part of the shorter edge. Resize (host, once): to `resize` -- `()`
    straight to the input size, `(n,)` the shortest edge to n keeping the aspect, `(h, w)` as `fit` says -- with
    Pillow's `resample` filter, then a centre crop (or padding with `fill`) to the input size. Normalise (runner):
    `x = (uint8 * scale - mean) / std` in float32, channels in `channels` order.

    `fit`: `exact` to just `(h, w)`; `cover` and `contain` keep the aspect, so that nothing of it is empty, or nothing
    of the image is lost; `none` does not resize at all. `crop`, where an odd number of pixels is cut or added: `floor`
    as transformers does, `round` (half to even) as torchvision does; `none` does not crop: an image that is not of the
    input size by then is an error. `upright` turns photos as their EXIF orientation says, before everything else.
    """

    rule: str  # what the user or the model said: "keras:mobilenet_v2", "none", "mean=..", "huggingface"
    scale: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    channels: str = "RGB"  # RGB, BGR or L
    resize: tuple[int, ...] = ()
    resample: str = "bilinear"  # nearest, bilinear, bicubic, lanczos, box or hamming
    fit: str = "exact"  # exact, cover, contain or none
    crop: str = "floor"  # floor, round or none
    fill: tuple[int, ...] = (0,)  # what padding is made of, 0-255, one value or one a channel
    upright: bool = False
    cut: float = 0.0


@dataclass(frozen=True)
class Source(Record):
    """The trained model as the user has it. `converter` names the module in `edgebench.converters` that reads it."""

    converter: str  # keras or huggingface
    spec: str  # an absolute path, keras:NAME?.. or hf:owner/name
    sha256: str
    options: tuple[tuple[str, str], ...] = ()  # what changes the loaded model: ("input_size", "96x96"), ..


@dataclass(frozen=True)
class Calibration(Record):
    """The images that set the ranges of an int8 or int16x8 artifact."""

    kind: str  # data or random
    images: int
    sha256: str
    seed: int


@dataclass(frozen=True)
class Artifact(Record):
    """The manifest of one converted file or folder; it lies beside it as `<file>.json`."""

    model: str
    format: str
    precision: str
    status: str
    reason: str
    path: str  # file name beside the manifest, in a result as it was named; empty where nothing was made
    sha256: str
    size_bytes: int
    parameters: Optional[int]
    input: Optional[TensorSpec]
    output: Optional[TensorSpec]
    layout: str  # NHWC or NCHW
    output_kind: str  # logits, probabilities, scores or label logits
    labels: tuple[str, ...]  # empty where the model does not know its labels
    preprocessing: Optional[Preprocessing]
    source: Optional[Source]
    calibration: Optional[Calibration] = None
    recipe: str = ""  # how it was quantised, in words
    parity_db: Optional[float] = None  # SQNR of its outputs against the source model's, on the gate's inputs
    parity_inputs: str = ""  # what the gate ran on: "16 images" or "16 seeded random inputs"
    notes: tuple[str, ...] = ()
    tools: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    key: str = ""  # the cache key: source, options, calibration and tool versions
    training: Optional[TrainingRecord] = None  # where `edgebench train` made the source model
    version: int = RECORD_VERSION

    @property
    def variant(self) -> str:
        """`format:precision`."""
        return f"{self.format}:{self.precision}"

    @property
    def label(self) -> str:
        """Model and variant."""
        return f"{self.model} {self.variant}"
