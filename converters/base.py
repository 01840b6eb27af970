"""What a converter offers: a package whose module `source` reads MODEL texts, and whose module `converter` converts.

`source` imports no framework: it is asked about every MODEL. `converter` imports its framework at its top and is loaded
in a process of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from edgebench.records import Preprocessing, Source


@dataclass(frozen=True)
class SourceModel:
    """A trained classifier in its own framework, with what its artifacts' manifests need to know."""

    source: Source
    height: int
    width: int
    channels: int  # 1 or 3
    classes: int
    labels: tuple[str, ...]  # in output order; empty where the model does not know them
    parameters: int
    preprocessing: Preprocessing
    handle: Any  # the framework's own object; only the module that loaded it looks inside
    output_kind: str = ""  # as the records name it; empty: only the values can tell
    notes: tuple[str, ...] = ()  # what its artifacts do otherwise than the file says, for their manifests


class SourceReader(Protocol):
    """The module `source` of a converter. `keras` and `huggingface` are read in `converters/sources.py`."""

    TOOLS: dict[str, tuple[str, ...]]
    """Format it makes -> distributions whose versions decide the result; they are in the cache key."""

    def claims(self, text: str) -> bool:
        """Whether MODEL `text` is this converter's: cheap, by its name or a look at the file. A prefix is safest."""

    def resolve(self, text: str, options: tuple[tuple[str, str], ...]) -> Source:
        """Return the source model with its content hash. Raises UsageError where it is missing or damaged."""


class Converter(Protocol):
    """The module `converter` of a converter: these functions, and `to_FORMAT` for each format in `source.TOOLS`."""

    def load(self, source: Source, preprocessing: Preprocessing | None) -> SourceModel:
        """Load the source model; `preprocessing` is the user's, None asks the model for its own.

        Raises UsageError where the file is missing, corrupt, not a classifier of one image, or unsafe to load.
        """

    def predict(self, model: SourceModel, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Return the source model's outputs (images, classes) for uint8 NHWC images, preprocessed as it was trained."""

    def to_savedmodel(self, model: SourceModel, path: Path) -> None:
        """Write a SavedModel folder with one signature, batch 1, float32."""

    def to_tflite(self, model: SourceModel, path: Path) -> None:
        """Write a float32 .tflite, batch 1, built-in operators only."""

    def to_onnx(self, model: SourceModel, path: Path) -> None:
        """Write a float32 .onnx, batch 1."""


@dataclass(frozen=True)
class Quantised:
    """How an artifact was quantised, for its manifest."""

    recipe: str  # in words
    notes: tuple[str, ...] = ()


ANY = "any"
TARGETS = {ANY: "every processor", "x86-vnni": "x86 with VNNI", "arm": "64-bit ARM"}
"""What an integer graph is made for. Only old x86 processors saturate: the others may use all 8 bits of each weight."""


@dataclass(frozen=True)
class Promise:
    """What `--max-drop` asks, and the images that prove it: preprocessed inputs (n, ..), labels (n,) or None."""

    limit: float
    inputs: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64] | None


class Quantiser(Protocol):
    """What the module that a `variants.Format` names as its `quantiser` offers, as module-level functions."""

    def input_shape(self, source: Path) -> tuple[int, ...]:
        """Return the shape of the input of a float graph."""

    def quantise(
        self,
        source: Path,
        precision: str,
        path: Path,
        inputs: npt.NDArray[np.float32] | None = None,
        *,
        target: str = ANY,
    ) -> Quantised:
        """Write the float graph `source` in `precision` to `path`.

        `inputs` (n, ..) are preprocessed calibration inputs in the graph's layout, None where the precision needs
        none. `target` is one of TARGETS and passed only where the user named one. Raises ConversionError where the
        result does not keep what its name says.
        """

    def mixed(
        self,
        source: Path,
        path: Path,
        inputs: npt.NDArray[np.float32],
        promise: Promise,
        *,
        target: str = ANY,
    ) -> Quantised:
        """Write int8 with the fewest tensors in float that keep `promise`; only for formats with `mixed` on request.

        Raises ConversionError with what is missing where the promise cannot be proved.
        """
