"""Conversions and trainings on a cluster: which files go with them, and what is taken of what comes back."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from edgebench.errors import ConversionError, UsageError
from edgebench.files import parse_record, scratch_folder, sha256_file, write_bytes, write_json
from edgebench.pipeline import conversion_cache as cache
from edgebench.pipeline.convert import convert
from edgebench.pipeline.events import ConversionEvent, ConversionFinished, ConversionStarted
from edgebench.pipeline.manifests import Order, training_of
from edgebench.records import OK, Artifact
from edgebench.suite.cluster import Answer, Cluster
from edgebench.suite.converting import note
from edgebench.suite.options import Words
from edgebench.suite.plan import TrainStep
from edgebench.suite.study import Study
from edgebench.training.data import open_splits
from edgebench.training.outputs import RECORD
from edgebench.variants import MIXED, parts

REPLACED = ("--data=", "--labels=", "--name=", "--to=", "--import=")
Files = dict[str, Path]


class FarConverter:
    """Converts on a cluster. What needs code of yours, or many images to prove a promise with, stays here."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def __call__(self, study: Study, order: Order) -> Sequence[Artifact]:
        """Make every variant of an order, as `pipeline.convert` does."""
        if order.imports or any(parts(variant)[1] == MIXED for variant in order.variants):
            return _here(study, order)
        step = next(one for one in study.plan.conversions if one.name == order.name)
        files, text = model_files(order.source.spec)
        files |= _image_files(order, step.params["data"])
        words = ["convert", *_kept(step.words), f"--name={order.name}", "--out=out"]
        words += [f"--to={variant}" for variant in order.variants] + (["--force"] if order.force else [])
        words += ["--data=images.npz" if "images.npz" in files else "--data=images"] if order.images.dataset else []
        with scratch_folder() as folder:
            if order.labels:
                files["labels.txt"] = folder / "labels.txt"
                files["labels.txt"].write_text("\n".join(order.labels), encoding="utf-8")
                words.append("--labels=labels.txt")
            study.tell(ConversionStarted(order.name, order.variants[0]))
            answer = self._cluster.command([*words, "--", text], files, f"out/artifacts/{order.name}").check()
        return [_take(study, order, variant, answer) for variant in order.variants]


class FarTrainer:
    """Trains on a cluster; the split is drawn here, beside the images."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def __call__(self, study: Study, step: TrainStep) -> None:
        """Train one model into the study's output folder."""
        folder = study.out / "models" / step.name
        if (folder / RECORD).exists():
            raise UsageError(f"{folder} holds the model of another training: give this one another name in the suite")
        settings = step.settings
        open_splits(settings, folder, study.tell)
        data = Path(settings.data)
        files = {f"data/{path.relative_to(data).as_posix()}": path for path in data.rglob("*") if path.is_file()}
        name = "data"
        if not data.is_dir():
            name = f"data/{data.name}"
            beside = data.parent.rglob("*") if data.suffix == ".csv" else data.parent.glob(f"{data.stem}*")
            files = {f"data/{path.relative_to(data.parent).as_posix()}": path for path in beside if path.is_file()}
        base_files, base = model_files(settings.base)
        words = ["train", *_kept(step.words), f"--name={step.name}", f"--data={name}", "--out=out"]
        if settings.labels:
            words.append(f"--labels={','.join(settings.labels)}")
        wanted = f"out/models/{step.name}"
        answer = self._cluster.command([*words, "--", base], {**files, **base_files}, wanted).check()
        record = {name: data for name, data in answer.files.items() if name == RECORD}
        others = {name: data for name, data in answer.files.items() if name != RECORD}
        for files_now in (others, record):  # the record says that all of it is there
            _write(dataclasses.replace(answer, files=files_now), folder)


def _here(study: Study, order: Order) -> Sequence[Artifact]:
    def tell(event: ConversionEvent) -> None:
        if isinstance(event, ConversionFinished):
            note(study, order, event.artifact)
        study.tell(event)

    return convert(order, tell)


def _kept(words: Words) -> list[str]:
    return [word for word in words if not word.startswith(REPLACED)]


def model_files(spec: str) -> tuple[Files, str]:
    """Return the files of a model, and what it is called there; a name that is no path stays as it is."""
    path = Path(spec)
    if not path.exists():
        return {}, spec
    name = f"model/{path.name}"
    if path.is_dir():
        return {f"{name}/{one.relative_to(path).as_posix()}": one for one in path.rglob("*") if one.is_file()}, name
    return {name: path}, name


def _image_files(order: Order, data: Path | None) -> Files:
    """Return the images that calibrate, in their order; they alone decide, whatever their names and classes."""
    dataset = order.images.dataset
    if dataset is None:
        return {}
    if dataset.array is not None:
        assert data is not None
        return {"images.npz": data}
    files = [item.file for item in dataset.items if item.file is not None]
    return {f"images/{number:06d}{file.suffix}": file for number, file in enumerate(files)}


def _take(study: Study, order: Order, variant: str, answer: Answer) -> Artifact:
    """Put one variant in its place, with a manifest that names the source model as it is called here."""
    place = cache.artifact_path(order.folder, order.name, variant)
    manifest = cache.manifest_path(place)
    if manifest.name not in answer.files:
        raise ConversionError(f"worker {answer.worker} brought no {manifest.name}: {answer.last_words}")
    artifact = parse_record(Artifact, answer.files[manifest.name], f"{manifest.name} of worker {answer.worker}")
    if (artifact.model, artifact.variant) != (order.name, variant) or artifact.key != order.key(variant):
        raise ConversionError(
            f"worker {answer.worker} converts {order.name} in another way: are the same versions of everything there?"
        )
    artifact = dataclasses.replace(artifact, source=order.source, training=training_of(order.source))
    with scratch_folder(_made(order.folder)) as work:
        made = work / place.name
        inside = f"{place.name}/"
        parts_of = {name.removeprefix(inside): data for name, data in answer.files.items() if name.startswith(inside)}
        if artifact.status == OK:
            if place.name in answer.files:
                made.write_bytes(answer.files[place.name])
            else:
                _write(dataclasses.replace(answer, files=parts_of), made)
            if sha256_file(made) != artifact.sha256:
                raise ConversionError(f"{place.name} came back damaged from worker {answer.worker}")
        _remove(place)
        if artifact.status == OK:
            made.rename(place)
    write_json(manifest, artifact)
    note(study, order, artifact)
    study.tell(ConversionFinished(artifact))
    return artifact


def _write(answer: Answer, folder: Path) -> None:
    for name, data in answer.files.items():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise ConversionError(f"worker {answer.worker} brought a file called {name!r}")
        target = folder / path
        write_bytes(target, data)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
