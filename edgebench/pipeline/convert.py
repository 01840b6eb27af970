"""Source models -> artifacts with manifests: cached, made in a worker process, each gated before it counts."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Sequence
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
    FloatMade,
    Loaded,
    NamedImages,
    ReferenceMade,
    Started,
)
from edgebench.devices.local import LocalDevice
from edgebench.errors import UsageError
from edgebench.files import scratch_folder, sha256_file, write_json
from edgebench.measures.outputs import output_kind
from edgebench.pipeline import conversion_cache as cache
from edgebench.pipeline.acceptance import Verdict, run_gate
from edgebench.pipeline.calibration import Images, prepare_images
from edgebench.pipeline.events import ConversionFinished, ConversionStarted, TellConversion
from edgebench.pipeline.manifests import Made, Order, describe
from edgebench.pipeline.workers import WorkerDied, WorkerProcess, converter
from edgebench.records import CRASHED, FAILED, OK, Artifact
from edgebench.variants import FLOAT, parts


def convert(order: Order, tell: TellConversion) -> list[Artifact]:
    """Make every variant of the order and return its manifests in the order's order.

    A variant that cannot be made is a manifest with its reason. Raises UsageError where the source model cannot be
    used at all. Whatever is finished when this is interrupted stays and is found next time.
    """
    found: dict[str, Artifact] = {}
    for variant in order.variants:
        path = cache.artifact_path(order.folder, order.name, variant)
        artifact = None if order.force else cache.find(path, order.key(variant))
        if artifact is not None:
            found[variant] = artifact
            tell(ConversionFinished(artifact, cached=True))
    missing = sorted((v for v in order.variants if v not in found), key=lambda v: parts(v)[1] != FLOAT)
    if missing:
        with _work_folder(order.folder) as work, LocalDevice() as device, ThreadPoolExecutor(1) as pool:
            job = _Conversion(order, work, device, pool, tell, found, _known_parents(order, missing))
            job.run(missing)
    return [found[variant] for variant in order.variants]


def _known_parents(order: Order, variants: Sequence[str]) -> dict[str, Artifact | Verdict]:
    """Return the float32 graphs, made and tested before, of variants that are ordered without them."""
    wanted = {f"{parts(variant)[0]}:{FLOAT}" for variant in variants} - set(order.variants)
    paths = {float32: cache.artifact_path(order.folder, order.name, float32) for float32 in wanted}
    known = {float32: cache.find(path, order.key(float32)) for float32, path in paths.items() if not order.force}
    return {float32: artifact for float32, artifact in known.items() if artifact is not None}


@contextlib.contextmanager
def _work_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder on the same disk as the artifacts. Raises UsageError where it cannot be written."""
    with contextlib.ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            work = stack.enter_context(scratch_folder(folder))
        except OSError as error:
            why = f"cannot write to {folder} ({error.strerror}): choose another folder with --out"
            raise UsageError(why) from error
        yield work


@dataclass
class _Conversion:
    """One order on its way: a worker makes files, one gate at a time runs beside it."""

    order: Order
    work: Path
    device: LocalDevice
    pool: ThreadPoolExecutor
    tell: TellConversion
    found: dict[str, Artifact]
    parents: dict[str, Artifact | Verdict] = field(default_factory=dict)  # float32 graphs that were not ordered
    loaded: Loaded | None = None
    images: Images | None = None
    reference: Path | None = None
    output_kind: str = ""
    waiting: list[Converted | FloatMade] = field(default_factory=list)  # made before the reference was there
    gates: dict[str, tuple[Converted | FloatMade, str, Future[Verdict]]] = field(default_factory=dict)  # with sha256

    def run(self, variants: Sequence[str]) -> None:
        """Convert, starting a new worker for what is left whenever one dies."""
        remaining = list(variants)
        while remaining:
            try:
                with converter(self._request(remaining), self.work) as worker:
                    for event in worker.events():
                        self._on_event(event, worker, remaining)
                break
            except WorkerDied as error:
                if self.loaded is None or self.waiting:  # it fell while loading or running the source model itself
                    raise UsageError(f"{self.order.source.spec} cannot be loaded and run: {error}") from error
                self._write_failure(Failed(remaining.pop(0), str(error), 0.0), CRASHED)
            except KeyboardInterrupt:
                self._drop_queued_gates()
                raise
            finally:
                self._collect(wait=True)

    def _request(self, variants: list[str]) -> Conversion:
        order = self.order
        floats = tuple(
            (parts(variant)[0], cache.artifact_path(order.folder, order.name, variant).absolute())
            for variant, made in (self.found | self.parents).items()
            if isinstance(made, Artifact) and made.precision == FLOAT and made.status == OK
        )
        work = self.work.absolute()
        return Conversion(
            order.source, order.preprocessing, tuple(variants), work, floats, order.target, order.max_drop,
            order.imports,
        )  # fmt: skip

    def _on_event(self, event: Event, worker: WorkerProcess[Event], remaining: list[str]) -> None:
        match event:
            case Loaded():
                self._on_loaded(event, worker)
            case ReferenceMade(path):
                self.reference = path
                known = self.loaded.output_kind if self.loaded else ""
                self.output_kind = known or output_kind(np.load(path, allow_pickle=False))
            case Started(variant):
                self.tell(ConversionStarted(self.order.name, variant))
            case Failed(variant):
                remaining.remove(variant)
                self._write_failure(event, FAILED)
            case Converted(variant):
                remaining.remove(variant)
                self.waiting.append(event)
            case FloatMade(variant) if variant not in self.parents:
                self.waiting.append(event)
        if self.reference is not None:
            self._start_gates()
        self._collect(wait=False)

    def _on_loaded(self, loaded: Loaded, worker: WorkerProcess[Event]) -> None:
        order = self.order
        self.loaded = loaded
        if order.labels and len(order.labels) != loaded.classes:
            raise UsageError(f"--labels has {len(order.labels)} names, {order.name} has {loaded.classes} outputs")
        if self.images is None:
            cached = order.out / "cache"
            self.images = prepare_images(order.images, loaded.preprocessing, loaded.size, cached, self.work)
        calibration = self.images.calibration
        worker.tell(
            NamedImages(
                self.images.parity.absolute(),
                calibration and calibration.absolute(),
                self.images.proof and self.images.proof.absolute(),
                self.images.proof_labels,
            )
        )

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
            if isinstance(said, FloatMade):
                self.parents[variant] = verdict
            else:
                self._write(said, sha256, verdict)
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
