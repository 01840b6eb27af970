"""One order on its way to artifacts: what the workers say, what the gate says, what is written when."""

from __future__ import annotations

import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edgebench import registry
from edgebench.converters.protocol import (
    Conversion,
    Converted,
    Event,
    Failed,
    Loaded,
    NamedImages,
    Quantisation,
    ReferenceMade,
    Started,
)
from edgebench.devices.local import LocalDevice
from edgebench.errors import UsageError
from edgebench.files import sha256_file, write_json
from edgebench.measures.outputs import output_kind
from edgebench.pipeline import conversion_cache as cache
from edgebench.pipeline import headroom
from edgebench.pipeline.acceptance import Verdict, run_gate
from edgebench.pipeline.calibration import Images, prepare_images
from edgebench.pipeline.events import ConversionFinished, ConversionStarted, MemoryShort, TellConversion
from edgebench.pipeline.manifests import Made, Order, describe
from edgebench.pipeline.stages import Ended, Stages, Woken
from edgebench.pipeline.workers import WorkerDied, converter, quantiser
from edgebench.records import CRASHED, FAILED, OK, Artifact
from edgebench.variants import FLOAT, parts

CONVERTER = "converter"
"""The stage that has the source model; the others are named after their format."""


@dataclass
class Underway:
    """One order on its way: workers make files, one gate at a time runs beside them."""

    order: Order
    work: Path
    device: LocalDevice
    pool: ThreadPoolExecutor
    stages: Stages
    tell: TellConversion
    found: dict[str, Artifact]
    left: dict[str, list[str]]  # format -> its variants that are neither made nor failed
    parents: dict[str, Artifact | Verdict]  # float32 graphs that were not ordered
    loaded: Loaded | None = None
    images: Images | None = None
    reference: Path | None = None
    output_kind: str = ""
    free: int = field(default_factory=headroom.available)  # bytes of memory before anything is loaded
    short: str = ""  # what is said where they will not do
    making: str = ""  # the format whose float32 graph the converter is at
    floats: dict[str, Path] = field(default_factory=dict)
    waiting: list[Converted] = field(default_factory=list)  # made before the reference was there
    gates: dict[str, tuple[Converted, str, Future[Verdict]]] = field(default_factory=dict)  # with the sha256

    def run(self) -> None:
        """Convert; a worker that dies costs what it was at, and a new one does what is left."""
        for variant, made in (self.found | self.parents).items():
            if isinstance(made, Artifact) and made.precision == FLOAT and made.status == OK:
                self.floats[made.format] = cache.artifact_path(self.order.folder, self.order.name, variant).absolute()
        self._start_converter()
        try:
            for stage, said in self.stages.heard():
                match said:
                    case Ended(error) if stage == CONVERTER:
                        self._on_converter_ended(error)
                    case Ended(error):
                        self._on_quantiser_ended(stage, error)
                    case Woken():
                        pass
                    case _:
                        self._on_event(said)
                if self.reference is not None:
                    self._start_gates()
                self._collect(wait=False)
        except KeyboardInterrupt:
            self._drop_queued_gates()
            raise
        finally:
            self._collect(wait=True)

    def _start_converter(self) -> None:
        order = self.order
        formats = tuple(kind for kind, variants in self.left.items() if variants and kind not in self.floats)
        request = Conversion(order.source, order.preprocessing, formats, self.work.absolute(), order.imports)
        self.making = ""
        self.stages.start(CONVERTER, converter(request, self.work))

    def _start_quantiser(self, kind: str) -> None:
        assert self.loaded is not None and self.images is not None
        variants = tuple(variant for variant in self.left[kind] if parts(variant)[1] != FLOAT)
        if not variants:
            return
        folder = self.work.absolute() / kind
        folder.mkdir(exist_ok=True)
        request = Quantisation(
            self.floats[kind], variants, folder, self.loaded.preprocessing, self._named(), self.loaded.output_kind,
            self.order.target, self.order.max_drop,
        )  # fmt: skip
        self.stages.start(kind, quantiser(request, folder))

    def _on_event(self, event: Event) -> None:
        match event:
            case Loaded():
                self._on_loaded(event)
            case ReferenceMade(path):
                self.reference = path
                known = self.loaded.output_kind if self.loaded else ""
                self.output_kind = known or output_kind(np.load(path, allow_pickle=False))
            case Started(variant):
                kind, precision = parts(variant)
                if precision == FLOAT:
                    self.making = kind
                if variant in self.left[kind]:
                    self.tell(ConversionStarted(self.order.name, variant))
            case Failed(variant):
                self._on_failed(event)
            case Converted(variant, path):
                kind, precision = parts(variant)
                self.waiting.append(event)  # a float32 graph that nobody ordered is tested, too
                if variant in self.left[kind]:
                    self.left[kind].remove(variant)
                if precision == FLOAT:
                    self.making, self.floats[kind] = "", path
                    self._start_quantiser(kind)

    def _on_loaded(self, loaded: Loaded) -> None:
        order, first = self.order, self.loaded is None
        self.loaded = loaded
        if order.labels and len(order.labels) != loaded.classes:
            raise UsageError(f"--labels has {len(order.labels)} names, {order.name} has {loaded.classes} outputs")
        if self.images is None:
            cached = order.out / "cache"
            self.images = prepare_images(order.images, loaded.preprocessing, loaded.size, cached, self.work)
        self.stages.tell(CONVERTER, self._named())
        if not first:
            return
        formats = [kind for kind, variants in self.left.items() if variants and kind not in self.floats]
        self.short = headroom.shortage(order.source.converter, formats, loaded.parameters, self.free)
        if self.short:
            self.tell(MemoryShort(order.name, self.short))
        for kind in tuple(self.floats):
            self._start_quantiser(kind)

    def _named(self) -> NamedImages:
        assert self.images is not None
        calibration, proof = self.images.calibration, self.images.proof
        return NamedImages(
            self.images.parity.absolute(),
            calibration and calibration.absolute(),
            proof and proof.absolute(),
            self.images.proof_labels,
        )

    def _on_failed(self, said: Failed) -> None:
        """Without its float32 graph there is nothing of a format."""
        kind, precision = parts(said.variant)
        if precision != FLOAT:
            self.left[kind].remove(said.variant)
            self._write_failure(said, FAILED)
            return
        self.making = ""
        self._fail_format(kind, said, FAILED)

    def _fail_format(self, kind: str, said: Failed, status: str) -> None:
        for variant in self.left[kind]:
            why = said.reason if variant == said.variant else f"there is no {FLOAT} graph to start from: {said.reason}"
            self._write_failure(Failed(variant, why, said.seconds if variant == said.variant else 0.0), status)
        self.left[kind] = []

    def _on_converter_ended(self, error: Exception | None) -> None:
        if error is None:
            return
        if not isinstance(error, WorkerDied):
            raise error
        if self.loaded is None or not self.making:  # it fell while loading or running the source model itself
            raise UsageError(f"{self.order.source.spec} cannot be loaded and run: {error}") from error
        kind = self.making
        reason = f"{error} ({self.short})" if self.short else str(error)
        self._fail_format(kind, Failed(f"{kind}:{FLOAT}", reason, 0.0), CRASHED)
        if self.reference is None or any(self.left[kind] for kind in self.left if kind not in self.floats):
            self._start_converter()

    def _on_quantiser_ended(self, kind: str, error: Exception | None) -> None:
        if error is None:
            return
        left = [variant for variant in self.left[kind] if parts(variant)[1] != FLOAT]
        died = isinstance(error, WorkerDied)
        for variant in left[:1] if died else left:
            self.left[kind].remove(variant)
            self._write_failure(Failed(variant, str(error), 0.0), CRASHED if died else FAILED)
        self._start_quantiser(kind)

    def _start_gates(self) -> None:
        assert self.images is not None and self.reference is not None and self.loaded is not None
        for said in self.waiting:
            sha256 = sha256_file(said.path)
            gate = self.pool.submit(
                run_gate, self.device, said.path, said.variant, sha256, self.loaded.preprocessing, self.images.parity,
                self.reference,
            )  # fmt: skip
            self.gates[said.variant] = (said, sha256, gate)
        self.waiting.clear()

    def _collect(self, wait: bool) -> None:
        """Write the manifests of the gates that are through; with `wait` of all of them."""
        for variant, (said, sha256, future) in list(self.gates.items()):
            if not wait and not future.done():
                break  # they run one after the other: nothing is written before the graph that it was made from
            verdict = future.result()
            if variant in self.order.variants:
                self._write(said, sha256, verdict)
            else:
                self.parents[variant] = verdict
            del self.gates[variant]

    def _drop_queued_gates(self) -> None:
        """Forget the gates that have not begun; the one that runs is nearly through and its artifact counts."""
        self.gates = {variant: gate for variant, gate in self.gates.items() if not gate[2].cancel()}

    def _write(self, said: Converted, sha256: str, verdict: Verdict) -> None:
        """Move an artifact that passed to its place, then its manifest; the manifest alone where it did not."""
        variant, made = said.variant, said.path
        float32 = f"{parts(variant)[0]}:{FLOAT}"
        parent = self.found.get(float32) or self.parents.get(float32)
        if verdict.status == OK and parent is not None and parent.status != OK:
            verdict = Verdict(FAILED, f"made from {float32}, which failed: {parent.reason}")
        place = cache.artifact_path(self.order.folder, self.order.name, variant)
        _remove(place)
        if verdict.status != OK:
            self._record(said, verdict, None, sha256)
            return
        kind, precision = parts(variant)
        if precision != FLOAT or len(registry.formats()[kind].precisions) == 1:
            made.rename(place)
        elif made.is_dir():
            shutil.copytree(made, place)  # the worker still makes the other precisions from it
        else:
            shutil.copyfile(made, place)
        self._record(said, verdict, place, sha256)

    def _write_failure(self, said: Failed, status: str) -> None:
        _remove(cache.artifact_path(self.order.folder, self.order.name, said.variant))
        self._record(said, Verdict(status, said.reason), None)

    def _record(self, said: Converted | Failed, verdict: Verdict, place: Path | None, sha256: str = "") -> None:
        assert self.loaded is not None
        variant = said.variant
        made = Made(said, verdict, place, sha256, self.loaded, self.output_kind, self.images)
        artifact = describe(self.order, variant, made)
        path = cache.artifact_path(self.order.folder, self.order.name, variant)
        write_json(cache.manifest_path(path), artifact)
        self.found[variant] = artifact
        self.tell(ConversionFinished(artifact))


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
