"""What a reader must know before believing a figure, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edgebench.measures.stability import Stability
from edgebench.records import Result
from edgebench.results.figures import Row
from edgebench.results.slower import slower_cells
from edgebench.results.words import stability_words
from edgebench.units import count
from edgebench.variants import FLOAT

NAMED = 5  # how many names stand in a sentence before the rest is counted


def notes(results: Sequence[Result], rows: Sequence[Row], groups: Sequence[Sequence[Row]]) -> Iterator[str]:
    """Yield every caveat that these results call for, the weightiest first."""
    yield from _accuracy_notes(results)
    yield from _calibration_notes(results)
    yield from _machine_notes(rows)
    for group in groups:
        yield from slower_cells(group)
    yield from _batch_notes(rows)
    yield from _parity_notes(rows)
    yield from _own_notes(results)


def general_notes(results: Sequence[Result], rows: Sequence[Row]) -> Iterator[str]:
    """Yield the caveats that are of no single row: those stand beside its figures on the page, as `remarks`."""
    yield from _accuracy_notes(results)
    yield from _machine_notes(rows)
    yield from _batch_notes(rows)
    yield from _parity_notes(rows)


def remarks(row: Row) -> tuple[str, ...]:
    """Return the caveats of one row: of its latency, of its calibration, and what its conversion said."""
    judged, calibration = row.of.stability, row.of.result.artifact.calibration
    shaky = judged is not None and judged.word is not Stability.STABLE and not row.emulated
    said = [stability_words(judged)] if shaky else []
    if calibration and calibration.kind == "random":
        said.append("Calibrated on random values, not on images: its accuracy says nothing about the precision.")
    return (*said, *row.of.result.artifact.notes)


def _batch_notes(rows: Sequence[Row]) -> Iterator[str]:
    if any(row.batch != 1 and row.latency_ms_median is not None for row in rows):
        yield "Where batch is not 1, a latency is that of the whole batch."


def _accuracy_notes(results: Sequence[Result]) -> Iterator[str]:
    evaluations = [evaluation for result in results for evaluation in result.evaluations]
    if any(result.runs for result in results) and not any(e.accuracy for e in evaluations):
        yield "Accuracy was not measured: edgebench profile --data IMAGES shows what each artifact loses."
        return
    reasons = {e.accuracy.reference_reason for e in evaluations if e.accuracy}
    for reason in sorted(reasons - {""}):
        yield f"No drift against the source model: {reason}"
    unlabelled = {e.data.name for e in evaluations if not e.data.labelled}
    for name in sorted(unlabelled):
        yield f"The evaluation set {name} has no labels: only agreement with the source model is known, not accuracy."
    yield from _label_notes(results)
    yield from _turned_notes(results)
    names = list(dict.fromkeys(item for e in evaluations for item in e.data.skipped))
    if names:
        yield f"{count(len(names), 'image')} could not be read and {_are(names)} not counted: {_listed(names)}"


def _turned_notes(results: Sequence[Result]) -> Iterator[str]:
    """Say what became of photos that are not stored upright: what each model's own loader does with them."""
    found: dict[tuple[str, int, int, bool], dict[str, None]] = {}
    for result in results:
        for data in [e.data for e in result.evaluations if e.data.turned]:
            upright = result.artifact.preprocessing is not None and result.artifact.preprocessing.upright
            key = (data.name, data.turned, data.images, upright)
            found.setdefault(key, {}).setdefault(result.artifact.model)
    for (name, turned, images, upright), models in found.items():
        done = "were turned upright" if upright else "were taken as they are stored, not upright,"
        yield (
            f"{turned} of {count(images, 'image')} of {name} are turned by their EXIF: they {done} for "
            f"{_listed(list(models))}, as the loader of its framework does."
        )


def _label_notes(results: Sequence[Result]) -> Iterator[str]:
    """Say what is right where the outputs are labels of their own: sets of labels, or the first choice after all."""
    seen = [(r.artifact.model, e) for r in results for e in r.evaluations if e.accuracy and e.accuracy.independent]
    sets = dict.fromkeys(e.data.name for _, e in seen if e.accuracy and e.accuracy.right and e.accuracy.multi_label)
    if sets:
        yield (
            f"Images of {_listed(list(sets))} carry none, one or several labels: right is an image with every label "
            "right, and so is agreement; an output above a half gives its label."
        )
    chosen = {(model, e.data.name) for model, e in seen if e.accuracy and not e.accuracy.multi_label}
    for model, data in sorted(chosen):
        yield (
            f"{model} is a multi-label model (a sigmoid for each output), and {data} gives each image one class: top-1 "
            "is the output that is highest, whatever the others say, and there is no loss."
        )


def _calibration_notes(results: Sequence[Result]) -> Iterator[str]:
    random = [r for r in results if r.artifact.calibration and r.artifact.calibration.kind == "random"]
    if random:
        names = dict.fromkeys(result.artifact.label for result in random)
        yield (
            f"Calibrated on random values, not on images: {_listed(list(names))}. Their accuracy says nothing about "
            "the precision; convert again with --data."
        )


def _machine_notes(rows: Sequence[Row]) -> Iterator[str]:
    emulated = dict.fromkeys(row.device for row in rows if row.emulated)
    if emulated:
        yield (
            f"Emulated: {', '.join(emulated)}. Answers, drift and sizes there are real; times and memory are the "
            "emulator's, so they are neither ranked nor plotted."
        )
    timed = [(row, row.of.stability.word) for row in rows if row.of.stability and not row.emulated]
    for device, word in dict.fromkeys((row.device, word) for row, word in timed):
        here = [(row, one) for row, one in timed if row.device == device]
        names = [row.label for row, one in here if one is word]
        if word is not Stability.STABLE:
            yield (
                f"{len(names)} of {count(len(here), 'latency', 'latencies')} on {device} {_are(names)} {word.value}: "
                f"{_listed(names)}. The reasons are given as stability; these figures hold less than their digits say."
            )


def _parity_notes(rows: Sequence[Row]) -> Iterator[str]:
    floats = [row.parity_db for row in rows if row.precision == FLOAT and row.parity_db is not None]
    if floats:
        yield (
            f"Conversion gate: every float32 artifact here matched its source model to {min(floats):.0f} dB or better "
            "(60 dB is an error of a thousandth)."
        )


def _own_notes(results: Sequence[Result]) -> Iterator[str]:
    texts = dict.fromkeys(note for result in results for note in result.artifact.notes)
    for text in texts:
        having = [result.artifact for result in results if text in result.artifact.notes]
        names = dict.fromkeys(artifact.label for artifact in having)
        yield f"{_listed(list(names))}: {text}"


def _are(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:NAMED])
    return shown if len(names) <= NAMED else f"{shown} and {len(names) - NAMED} more"
