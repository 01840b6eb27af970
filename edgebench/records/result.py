"""Artifact x device: what its runs and outputs amount to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from edgebench.records.artifact import Artifact
from edgebench.records.measurement import Run, Settings
from edgebench.records.vocabulary import RECORD_VERSION, Record


@dataclass(frozen=True)
class EvaluationSet(Record):
    """Images and labels, decoded and resized once on the host."""

    name: str
    sha256: str  # of the original images and labels: the same for every model's input size
    pixels_sha256: str  # of the resized pixels this model was given, before any perturbation
    images: int
    classes: int
    labelled: bool
    skipped: tuple[str, ...] = ()  # files that could not be read, each with its reason
    multi_label: bool = False  # an image carries none, one or several labels
    turned: int = 0  # photos whose EXIF says that they are not stored upright


@dataclass(frozen=True)
class Perturbation(Record):
    """A seeded change of an evaluation set's uint8 pixels."""

    kind: str  # noise, patch, blur, ..
    severity: float  # in the kind's own unit; 0 changes nothing
    seed: int = 0

    @property
    def label(self) -> str:
        """`noise 40`."""
        return f"{self.kind} {self.severity:g}"


@dataclass(frozen=True)
class ClassCounts(Record):
    """Counts of each class, all in the order of the model's outputs; the confusion matrix without its diagonal.

    With a reference, `lost` counts the images of a class that only the reference has right, `won` those that only the
    artifact has right.
    """

    images: tuple[int, ...]  # that carry this label
    chosen: tuple[int, ...]  # that were given this class
    right: tuple[int, ...]
    confusion: tuple[tuple[int, int, int], ...] = ()  # (label, chosen, images) of every pair that occurs
    lost: tuple[int, ...] = ()
    won: tuple[int, ...] = ()


@dataclass(frozen=True)
class Accuracy(Record):
    """Counts over the evaluation set, from which every rate and its interval is derived.

    The four `*_correct` counts are the paired 2x2 table of artifact and reference against the labels; they sum to
    `images` where labels and reference exist. `None` marks what was not measured.
    """

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
    ties: Optional[int] = None  # images whose highest output two classes share; the lower index counts
    brier: Optional[float] = None  # mean over the images of the squared distance to the true class, 0..2
    bin_images: tuple[int, ...] = ()  # by confidence, in 15 bins of equal width: images, ..
    bin_right: tuple[int, ...] = ()  # .. those that are right, ..
    bin_confidence: tuple[float, ...] = ()  # .. and the sum of their confidences
    other_wrong: Optional[int] = None  # artifact and reference are both wrong, each with another class
    kl: Optional[float] = None  # mean Kullback-Leibler divergence from the reference's distribution, in nats
    cosine: Optional[float] = None  # mean cosine of the output vectors
    confidence_change: Optional[float] = None  # mean confidence of the first choice, less the reference's
    right: str = ""  # one bit an image: the first choice is the label; zlib and base64, first image in the highest bit
    reference_right: str = ""  # the same of the reference
    host_right: str = ""  # the same of this artifact on the host, on a remote device
    rows_sha256: str = ""  # of the numbers of the images, where not all of the set were taken
    classes: Optional[ClassCounts] = None
    independent: bool = False  # the outputs were read as labels of their own, a sigmoid each
    multi_label: bool = False  # what is right, and what agrees, is the whole set of an image's labels: no top-1 here
    average_precision: Optional[float] = None  # mean over the labels that an image carries


@dataclass(frozen=True)
class Flips(Record):
    """The images on which artifact and reference choose different classes, the surest first; one entry an image each.

    Sure is what both sides are: the lower of the two confidences.
    """

    names: tuple[str, ...] = ()
    labels: tuple[int, ...] = ()  # -1: none
    reference: tuple[int, ...] = ()  # the class that the source model chooses
    reference_confidence: tuple[float, ...] = ()
    artifact: tuple[int, ...] = ()
    artifact_confidence: tuple[float, ...] = ()
    thumbnails: tuple[str, ...] = ()  # of the first few: PNG, base64
    classes: tuple[str, ...] = ()  # names in the order of the outputs; empty: not known


@dataclass(frozen=True)
class Evaluation(Record):
    """What one artifact said on one evaluation set under one perturbation, scored against labels and reference.

    `accuracy` is None where the outputs never came: the result's reason says why.
    """

    data: EvaluationSet
    accuracy: Optional[Accuracy] = None
    perturbation: Optional[Perturbation] = None
    outputs: str = ""  # file beside the result with the raw outputs (.npy), empty where none
    flips: Optional[Flips] = None  # of unperturbed images


@dataclass(frozen=True)
class Result(Record):
    """Artifact x device: its runs, its evaluations, and the reason it failed where it did."""

    artifact: Artifact
    device: str
    runtime: str
    status: str
    reason: str
    settings: Settings
    runs: tuple[Run, ...] = ()
    evaluations: tuple[Evaluation, ...] = ()
    emulated: bool = False  # measured on an emulated processor: its latency means nothing
    created: str = ""  # ISO 8601, UTC
    version: int = RECORD_VERSION
