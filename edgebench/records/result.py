"""Artifact x device: what its runs and outputs amount to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Optional

from edgebench.records.artifact import Artifact
from edgebench.records.measurement import Run, Settings
from edgebench.records.vocabulary import RECORD_VERSION, STRICT


@dataclass(frozen=True)
class Evaluation:
    """Which evaluation set the outputs belong to."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    name: str
    sha256: str  # of the original images and labels: the same for every model's input size
    pixels_sha256: str  # of the resized pixels this model was given
    images: int
    classes: int
    labelled: bool
    skipped: tuple[str, ...] = ()  # files that could not be read, each with its reason


@dataclass(frozen=True)
class Accuracy:
    """Counts over the evaluation set, from which every rate and its interval is derived.

    The four `*_correct` counts are the paired 2x2 table of artifact and reference against the labels; they sum to
    `images` where labels and reference exist. `None` marks what was not measured.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    images: int
    top1_correct: Optional[int] = None
    top5_correct: Optional[int] = None
    loss: Optional[float] = None  # mean cross-entropy in nats
    both_correct: Optional[int] = None
    only_artifact_correct: Optional[int] = None
    only_reference_correct: Optional[int] = None
    neither_correct: Optional[int] = None
    agree: Optional[int] = None  # same top-1 as the reference
    sqnr_db: Optional[float] = None  # of the outputs against the reference's; inf is stored as None + exact
    exact: bool = False  # every output equal to the reference's, bit for bit
    agree_with_host: Optional[int] = None  # on a remote device: same top-1 as this artifact gives on the host
    reference_sha256: str = ""
    reference_reason: str = ""  # why there is no reference, where there is none


@dataclass(frozen=True)
class Result:
    """Artifact x device: its runs, and the reason it failed where it did."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    artifact: Artifact
    device: str
    runtime: str
    status: str
    reason: str
    settings: Settings
    runs: tuple[Run, ...] = ()
    evaluation: Optional[Evaluation] = None
    accuracy: Optional[Accuracy] = None
    outputs: str = ""  # file beside the result with the raw outputs (.npy), empty where none
    emulated: bool = False  # measured on an emulated processor: its latency means nothing
    created: str = ""  # ISO 8601, UTC
    version: int = RECORD_VERSION
