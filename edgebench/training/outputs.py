"""What a training leaves: the model, training.json and history.csv; and whether it was left before."""

from __future__ import annotations

import csv
import dataclasses
import importlib.metadata
import io
from collections.abc import Sequence
from pathlib import Path

from edgebench import __version__
from edgebench.converters import sources
from edgebench.converters.huggingface import source as huggingface_source
from edgebench.errors import UsageError
from edgebench.files import read_record, sha256_json, write_bytes
from edgebench.images.splits import TEST
from edgebench.records import EpochRecord, TrainingRecord
from edgebench.training.bases import HUGGINGFACE, Base
from edgebench.training.data import Data
from edgebench.training.job import INTERRUPTED, Fit, Job
from edgebench.training.phases import confusion, judge, samples
from edgebench.training.settings import Training, to_json

RECORD, HISTORY = "training.json", "history.csv"
NOT_IN_KEY = ("base", "data", "name", "labels")
"""Settings that name things whose content counts instead."""
FRAMEWORKS = {HUGGINGFACE: ("torch", "transformers")}


def model_path(folder: Path, name: str, kind: str) -> Path:
    """Return where the model lies: a .keras file, or the checkpoint folder itself."""
    return folder if kind == HUGGINGFACE else folder / f"{name}.keras"


def training_key(training: Training, base: Base, data: Data) -> str:
    """Hash of everything that decides the weights: settings, images, the base, and versions."""
    settings = {key: value for key, value in to_json(training).items() if key not in NOT_IN_KEY}
    identity = huggingface_source.resolve(base.checkpoint).sha256 if base.checkpoint else base.text
    packages = FRAMEWORKS.get(base.kind, ("tensorflow", "keras"))
    versions = {name: importlib.metadata.version(name) for name in packages}
    return sha256_json([1, settings, identity, base.pretrained, data.sha256, versions, __version__])


def is_finished(folder: Path, key: str) -> bool:
    """Whether the model in `folder` is the very one of `key`, trained to its end."""
    found = _record(folder)
    return found is not None and found.key == key and found.stopped != INTERRUPTED


def trained_before(folder: Path, key: str, training: Training) -> bool:
    """Whether there is nothing to do. Raises UsageError where `folder` holds the model of another training."""
    found = _record(folder)
    if found is None or found.key == key:
        return is_finished(folder, key)
    before, now = found.settings, to_json(training)
    changed = [
        f"{name} was {_text(before.get(name))} and is {_text(value)}"
        for name, value in now.items()
        if _text(before.get(name)) != _text(value)
    ]
    raise UsageError(
        f"{folder} holds the model of another training ({', '.join(changed[:3]) or 'other images or versions'}): "
        "give this one a --name, or replace it with --force"
    )


def write_history(path: Path, history: Sequence[EpochRecord]) -> None:
    """Write one line an epoch."""
    text = io.StringIO()
    columns = [field.name for field in dataclasses.fields(EpochRecord)]
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for epoch in history:
        writer.writerow(dataclasses.asdict(epoch))
    write_bytes(path, text.getvalue().encode())


def describe(job: Job, fit: Fit, name: str, path: Path, key: str, peak_rss_bytes: int, best: int) -> TrainingRecord:
    """Return the record of a training whose model lies at `path`."""
    data = job.data
    verdict = judge(fit.probabilities, job.judged.labels)
    notes = [] if job.base.pretrained else ["trained from random weights (no pretrained ones)"]
    if data.judged_on != TEST:
        notes.append("judged on val, which also chose the best epoch: there are no test images")
    return TrainingRecord(
        model=name,
        source_sha256=sources.resolve(str(path)).sha256,
        base=job.training.base,
        pretrained=job.base.pretrained,
        settings=to_json(job.training),
        classes=data.classes,
        split=data.split,
        images=data.counts,
        phases=fit.phases,
        history=fit.history,
        best=best,
        stopped=fit.stopped,
        seconds=round(sum(phase.seconds for phase in fit.phases), 3),
        parameters=fit.parameters,
        peak_rss_bytes=peak_rss_bytes,
        judged_on=data.judged_on,
        accuracy=verdict.accuracy,
        loss=verdict.loss,
        confusion=confusion(fit.probabilities, job.judged.labels, len(data.classes)),
        samples=samples(fit.probabilities, job.judged, data),
        unreadable=data.unreadable,
        duplicates=data.duplicates,
        notes=tuple(notes),
        key=key,
    )


def stamped(record: TrainingRecord, created: str, tools: dict[str, str]) -> TrainingRecord:
    """Return the record with when and with what."""
    return dataclasses.replace(record, created=created, tools=tools)


def _record(folder: Path) -> TrainingRecord | None:
    path = folder / RECORD
    return read_record(TrainingRecord, path) if path.exists() else None


def _text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
