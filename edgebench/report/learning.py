"""How the models were trained: curves, the confusion matrix and predictions to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from edgebench.records import Result, Sample, TrainingRecord
from edgebench.report.panels import Chart, panel
from edgebench.units import percent, significant, size

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
        panels = tuple(panel(record.model, _curve(record, own, other), 260) for record in records)
        caption = "Solid: validation images; dotted: training images, with dropout. Ring: the best epoch."
        charts.append(Chart("training", f"{title} by epoch", "", caption, panels))
    return [chart for chart in charts if chart.panels]


def _curve(record: TrainingRecord, own: str, other: str) -> go.Figure:
    epochs = list(range(1, len(record.history) + 1))
    found = go.Figure()
    for name, dash, words in ((own, "dot", "training"), (other, "solid", "validation")):
        values = [getattr(epoch, name) for epoch in record.history]
        line = {"dash": dash, "width": 2, "color": "#4c78a8"}
        found.add_scatter(x=epochs, y=values, mode="lines", line=line, name=words, hovertemplate="epoch %{x}: %{y:.4f}")
    best = getattr(record.history[record.best], other)
    ring = {"size": 10, "symbol": "circle-open", "color": "#d1495b"}
    found.add_scatter(x=[record.best + 1], y=[best], mode="markers", marker=ring, name="best")
    found.update_xaxes(title="epoch")
    return found


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
