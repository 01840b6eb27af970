"""What of a plan is finished: the keys of its steps, and the lines of the journal that hold them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgebench.files import exists, sha256_file, sha256_json
from edgebench.images.evaluation import open_whole
from edgebench.pipeline.manifests import Order
from edgebench.pipeline.request import Measuring
from edgebench.records import OK, Artifact, Settings, to_dict
from edgebench.suite.inputs import images_hash, key_of
from edgebench.suite.journal import Journal, Line
from edgebench.suite.plan import ConvertStep, MeasureStep, TrainStep
from edgebench.training.bases import parse_base

MISSING = "missing"


@dataclass(frozen=True)
class Cell:
    """One artifact on one device, measured in one way: what the study is about."""

    model: str
    variant: str
    device: str
    way: str  # what tells its settings from other ways in the suite; empty where there is one
    settings: Settings
    key: str  # empty where its artifact is not there yet

    @property
    def name(self) -> str:
        """What `--only` and messages call it."""
        return "/".join(part for part in (self.model, self.variant, self.device, self.way) if part)


def train_key(step: TrainStep) -> str:
    """Hash of everything that decides a training: settings, base, images and which of them are in which split."""
    settings = step.settings
    path = Path(settings.data)
    images = images_hash(open_whole(path, settings.labels or None), path, split=True)
    checkpoint = parse_base(settings.base).checkpoint
    base = sha256_file(Path(checkpoint)) if checkpoint and exists(Path(checkpoint)) else settings.base
    params = {name: value for name, value in step.params.items() if name != "base"}
    return key_of("train", params, base, images, settings.labels)


def cell_keys(step: MeasureStep, how: Measuring, images: list[str]) -> Iterator[tuple[str, Settings, str]]:
    """Yield what tells a way from the others, its settings, and the key of its cells without their artifacts."""
    for settings in how.scenarios:
        batch = f"batch={settings.batch}" if len(how.scenarios) > 1 else ""
        way = " ".join(word for word in (step.scenario.label, batch) if word)
        yield way, settings, key_of("measure", step.params, step.device, images, to_dict(settings))


def evaluation_hashes(how: Measuring, params: dict[str, Any]) -> list[str]:
    """Return the hash of every evaluation set, in order."""
    paths = [Path(text if exists(Path(text)) else text.partition("=")[2]) for text in params["data"]]
    return [images_hash(data, path) for data, path in zip(how.datasets, paths, strict=True)]


def trained(line: Line | None, out: Path) -> bool:
    """Whether a training's record is as it was when the line was written."""
    if line is None:
        return False
    record = out / line.place
    return record.is_file() and sha256_file(record) == line.sha256


def converted(line: Line | None, out: Path) -> bool:
    """Whether a variant lies there as it was; one that failed has nothing to lie there."""
    if line is None:
        return False
    place = out / line.place
    manifest = place.with_name(f"{place.name}.json").is_file()
    return manifest and (line.status != OK or (exists(place) and sha256_file(place) == line.sha256))


def measured(line: Line | None, out: Path) -> bool:
    """Whether a cell's result is there."""
    return line is not None and (out / line.place).is_file()


def subject(artifact: Artifact) -> str:
    """Hash of all that a measurement of an artifact depends on."""
    rule = artifact.preprocessing and to_dict(artifact.preprocessing)
    source = artifact.source and [artifact.source.sha256, artifact.source.options]
    return sha256_json([artifact.sha256, artifact.status, artifact.reason, artifact.labels, rule, source])


def variant_key(name: str, order: Order, variant: str) -> str:
    """Hash of everything that decides an artifact, its name included."""
    return sha256_json([name, order.key(variant)])[:32]


def place_of(step: ConvertStep, order: Order, variant: str) -> str:
    """Where a variant lies below the output folder."""
    return str(step.path(order.out, variant).relative_to(order.out))


def find_variant(step: ConvertStep, order: Order, variant: str, journal: Journal) -> Line | None:
    """Return the line of a variant that is finished and lies there."""
    line = journal.find(variant_key(step.name, order, variant))
    return line if line and line.place == place_of(step, order, variant) and converted(line, order.out) else None


def cell_key(base: str, model: str, variant: str, made: Line) -> str:
    """Hash of a cell: the way to measure it, and the artifact as it was made."""
    return key_of("cell", {}, base, model, variant, made.content)
