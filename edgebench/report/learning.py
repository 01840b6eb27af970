"""How the models were trained: curves, the confusion matrix and predictions to look at."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from edgebench.records import Result, Sample, TrainingRecord
from edgebench.report.panels import Chart, Panel
from edgebench.report.plots import axes
from edgebench.report.plots.lines import Line, lines
from edgebench.report.plots.matrix import Picture, confusion, pictures
from edgebench.report.plots.svg import Drawing
from edgebench.units import percent, significant, size

COLOUR = "#4c78a8"
BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
MOST_CLASSES = 30
"""A wider confusion matrix is a wall of digits; training.json has it."""


@dataclass(frozen=True)
class Learned:
    """One trained model as the page shows it."""

    model: str
    facts: tuple[tuple[str, str], ...]
    classes: tuple[str, ...]  # empty where there are too many to show
    confusion: tuple[tuple[int, ...], ...]
    samples: tuple[Sample, ...]
    remarks: tuple[str, ...]


def trainings(results: Sequence[Result]) -> list[TrainingRecord]:
    """Return every training behind the results, once."""
    found = {r.artifact.training.key: r.artifact.training for r in results if r.artifact.training}
    return list(found.values())


def learned(results: Sequence[Result]) -> list[Learned]:
    """Return what the page says of each training."""
    return [_learned(record) for record in trainings(results)]


def curves(results: Sequence[Result]) -> list[Chart]:
    """Return loss and accuracy by epoch, a panel a model."""
    records = [record for record in trainings(results) if len(record.history) > 1]
    charts = []
    for title, own, other in (("Loss", "loss", "val_loss"), ("Accuracy", "accuracy", "val_accuracy")):
        panels = tuple(Panel(record.model, _curve(record, title, own, other)) for record in records)
        caption = "Solid: validation images; dashed: training images, with dropout. Ring: the best epoch."
        charts.append(Chart("training", f"{title} by epoch", "", caption, panels))
    return [chart for chart in charts if chart.panels]


def _curve(record: TrainingRecord, title: str, own: str, other: str) -> Drawing:
    epochs = [float(epoch) for epoch in range(1, len(record.history) + 1)]
    best = (record.best + 1.0, getattr(record.history[record.best], other))
    found = [
        Line("training", epochs, [getattr(epoch, own) for epoch in record.history], COLOUR, "4 3"),
        Line("validation", epochs, [getattr(epoch, other) for epoch in record.history], COLOUR, ring=best),
    ]
    written = axes.share if title == "Accuracy" else axes.plain
    return lines(f"{record.model}: {title.lower()} by epoch", found, "epoch", title.lower(), written)


def confusions(results: Sequence[Result]) -> list[Chart]:
    """Return the confusion matrix of every training, and the predictions it kept to look at."""
    records = trainings(results)
    matrices = tuple(
        Panel(one.model, confusion(f"{one.model}: confusion after training", one.classes, one.confusion))
        for one in records
        if one.confusion and len(one.classes) <= MOST_CLASSES
    )
    sheets = tuple(
        Panel(one.model, pictures(f"{one.model}: predictions", [_picture(sample) for sample in one.samples]))
        for one in records
        if one.samples
    )
    charts = [
        Chart("confusion", "Confusion after training", "", "True classes down, predicted ones across.", matrices),
        Chart(
            "samples", "Predictions to look at", "", "The label, and what the model said with its confidence.", sheets
        ),
    ]
    return [chart for chart in charts if chart.panels]


def _picture(sample: Sample) -> Picture:
    url = f"data:image/jpeg;base64,{sample.jpeg}" if BASE64.fullmatch(sample.jpeg) else ""
    said = f"{sample.predicted} {percent(sample.probability, 0)}"
    return Picture(url, sample.name, (f"{sample.label} {'✓' if sample.label == sample.predicted else '✗'}", said))


def _learned(record: TrainingRecord) -> Learned:
    best = record.history[record.best]
    facts = [
        ("from", record.base + ("" if record.pretrained else " (random weights)")),
        ("accuracy", f"{percent(record.accuracy)} of {record.images[record.judged_on]} {record.judged_on} images"),
        ("images", ", ".join(f"{count} {split}" for split, count in record.images.items()) + f"; {record.split}"),
        ("parameters", f"{record.parameters:,}, of which {record.parameters_trainable:,} learned"),
        ("time", f"{significant(record.seconds)} s, peak memory {size(record.peak_rss_bytes)}"),
        *((phase.name, _phase(phase.epochs, phase.seconds, phase.step_ms)) for phase in record.phases),
        ("best", f"{best.phase}, epoch {best.epoch}: validation loss {best.val_loss:.4f}"),
    ]
    shown = len(record.classes) <= MOST_CLASSES
    remarks = list(record.notes)
    if record.duplicates:
        remarks.append(f"{len(record.duplicates)} images lie in two splits at once: {record.duplicates[0]}, ..")
    if record.unreadable:
        remarks.append(f"{len(record.unreadable)} images could not be read: {record.unreadable[0]}, ..")
    return Learned(
        record.model,
        tuple(facts),
        record.classes if shown else (),
        record.confusion if shown else (),
        record.samples,
        tuple(remarks),
    )


def _phase(epochs: int, seconds: float, step_ms: float | None) -> str:
    step = f", {significant(step_ms)} ms a step" if step_ms is not None else ""
    return f"{epochs} epochs, {significant(seconds)} s{step}"
