"""What is wanted of a source model, and the manifest that says what became of one variant."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgebench.converters.base import ANY
from edgebench.converters.protocol import Converted, Failed, Loaded
from edgebench.files import read_record, size_bytes
from edgebench.pipeline import conversion_cache as cache
from edgebench.pipeline.acceptance import Verdict
from edgebench.pipeline.calibration import RANDOM, ImagePlan, Images
from edgebench.pipeline.halves import halves_note
from edgebench.records import INDEPENDENT, Artifact, Preprocessing, Source, TrainingRecord
from edgebench.runner.preprocess import guess_layout
from edgebench.variants import MIXED, is_calibrated, parts

TRAINING = "training.json"
LABELS_NOTE = "each output is a label of its own (a sigmoid each): none, one or several hold for an image"
RANDOM_NOTE = "calibrated on random inputs: its accuracy means nothing"


@dataclass(frozen=True)
class Order:
    """One source model and what is wanted of it."""

    source: Source
    name: str
    preprocessing: Preprocessing | None  # None: the model brings its own (Hugging Face)
    variants: tuple[str, ...]
    labels: tuple[str, ...]
    images: ImagePlan
    out: Path
    force: bool = False
    target: str = ANY  # the processors that integer graphs are made for; one of converters.base.TARGETS
    max_drop: float = 0.0  # the limit that `mixed` must prove; a share in 0..1
    imports: tuple[Path, ...] = ()  # the user's own code that the source model is loaded with

    @property
    def folder(self) -> Path:
        """Where the artifacts of this model go."""
        return self.out / "artifacts" / self.name

    def key(self, variant: str) -> str:
        """The cache key of one variant."""
        promise: tuple[float | str, ...] = ()
        if parts(variant)[1] == MIXED:
            promise = (self.max_drop, self.images.proof_hash)
        return cache.conversion_key(
            self.source,
            self.preprocessing,
            variant,
            self.images.calibration,
            self.labels,
            self.target,
            promise,
        )


@dataclass(frozen=True)
class Made:
    """What the worker and the gate said about one variant. `place` is None where there is no artifact."""

    said: Converted | Failed
    verdict: Verdict
    place: Path | None
    sha256: str  # of what the gate ran; empty where nothing was made
    loaded: Loaded
    output_kind: str
    images: Images | None


def describe(order: Order, variant: str, made: Made) -> Artifact:
    """Return the manifest of one variant, finished or failed."""
    kind, precision = parts(variant)
    verdict, place, said = made.verdict, made.place, made.said
    calibration = order.images.calibration if is_calibrated(precision) else None
    trained = training_of(order.source)
    return Artifact(
        model=order.name,
        format=kind,
        precision=precision,
        status=verdict.status,
        reason=verdict.reason,
        path=place.name if place else "",
        sha256=made.sha256 if place else "",
        size_bytes=size_bytes(place) if place else 0,
        parameters=made.loaded.parameters,
        input=verdict.input,
        output=verdict.output,
        layout=guess_layout(verdict.input.shape) if verdict.input else "",
        output_kind=made.output_kind,
        labels=order.labels or made.loaded.labels or (trained.classes if trained else ()),
        preprocessing=made.loaded.preprocessing,
        source=order.source,
        calibration=calibration,
        recipe=said.recipe if isinstance(said, Converted) else "",
        parity_db=verdict.parity_db,
        parity_inputs=made.images.described if made.images and made.sha256 else "",
        notes=_notes(order, made, calibrated=calibration is not None),
        tools=cache.tool_versions(order.source.converter, kind),
        seconds=round(said.seconds, 3),
        key=order.key(variant),
        training=trained,
    )


def training_of(source: Source) -> TrainingRecord | None:
    """Return how `edgebench train` made the source model: the training.json beside it, if it speaks of this one."""
    path = Path(source.spec)
    record = (path if path.is_dir() else path.parent) / TRAINING
    if not path.exists() or not record.is_file():
        return None
    found = read_record(TrainingRecord, record)
    return found if found.source_sha256 == source.sha256 else None


def _notes(order: Order, made: Made, calibrated: bool) -> tuple[str, ...]:
    said = made.said.notes if isinstance(made.said, Converted) else ()
    notes = (*made.loaded.notes, *said, *made.verdict.notes)
    if made.output_kind in INDEPENDENT:
        notes += (LABELS_NOTE,)
    given = made.verdict.input
    if calibrated and made.place and given:
        kind = parts(made.said.variant)[0]
        note = halves_note(made.place, kind, given, made.loaded.preprocessing, made.loaded.size[2])
        notes += (note,) if note else ()
    if calibrated and made.images:
        notes += made.images.notes
    if calibrated and order.images.calibration and order.images.calibration.kind == RANDOM:
        notes += (RANDOM_NOTE,)
    return notes
