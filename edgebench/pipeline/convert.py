"""Source models -> artifacts with manifests: cached, made in worker processes, each gated before it counts.

One worker has the framework and makes the float32 graphs; one a format makes the other precisions from them, meanwhile.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from edgebench.devices.local import LocalDevice
from edgebench.errors import UsageError
from edgebench.files import scratch_folder
from edgebench.pipeline import conversion_cache as cache
from edgebench.pipeline.acceptance import Verdict
from edgebench.pipeline.events import ConversionFinished, TellConversion
from edgebench.pipeline.manifests import Order
from edgebench.pipeline.stages import Stages
from edgebench.pipeline.underway import Underway
from edgebench.records import Artifact
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
    missing = [variant for variant in order.variants if variant not in found]
    if missing:
        formats = dict.fromkeys(parts(variant)[0] for variant in order.variants)
        left = {kind: [variant for variant in missing if parts(variant)[0] == kind] for kind in formats}
        with (
            _work_folder(order.folder) as work,
            LocalDevice() as device,
            ThreadPoolExecutor(1) as pool,
            Stages() as stages,
        ):
            Underway(order, work, device, pool, stages, tell, found, left, _known_parents(order, missing)).run()
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
