"""`edgebench train`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.progress import BarColumn, TaskID, TextColumn, TimeRemainingColumn

from edgebench.cli.labels import read_labels
from edgebench.cli.progress import Bars
from edgebench.files import size_bytes
from edgebench.records import to_dict
from edgebench.training import events
from edgebench.training.job import EARLY, INTERRUPTED
from edgebench.training.run import Trained, train
from edgebench.training.settings import (
    AUGMENTATIONS,
    DEVICES,
    OPTIMIZERS,
    SCHEDULES,
    USUAL_AUGMENTATIONS,
    Training,
)
from edgebench.units import percent, size

DEFAULTS = Training("", "")
COUNT, FROM_ZERO = click.IntRange(min=1), click.FloatRange(min=0)


def _widths(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, ...]:
    parts = [part.strip() for part in value.split(",")] if value else []
    if not all(part.isdecimal() for part in parts):
        raise click.BadParameter(f"{value!r} is not a list of widths such as 256 or 256,64", context, parameter)
    return tuple(int(part) for part in parts)


def _stages(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[str, ...]:  # noqa: ARG001
    if value == "all":
        return USUAL_AUGMENTATIONS
    return tuple(part.strip() for part in value.split(",")) if value else ()


def _option(flag: str, kind: Any, help_text: str, **more: Any) -> Callable[[Any], Any]:
    name = flag.removeprefix("--").replace("-", "_")
    default = getattr(DEFAULTS, name)
    return click.option(flag, type=kind, default=default, show_default=bool(default), help=help_text, **more)


@click.command(name="train")
@click.argument("base")
@click.option("--data", required=True, type=click.Path(path_type=Path), help="A folder of class folders, a CSV or NPZ.")
@_option("--epochs", COUNT, "Epochs, of the first phase where there are two.")
@_option("--fine-tune", str, "Then free the last N layers of the base, or all.", metavar="N|all")
@_option("--fine-tune-epochs", click.IntRange(min=0), "Epochs of that second phase. Default: as many as --epochs.")
@click.option("--head", callback=_widths, help="Dense layers before the last: 256 or 256,64.")
@_option("--dropout", click.FloatRange(0, 0.99), "Before each dense layer.")
@click.option("--augment", callback=_stages, help=f"{', '.join(AUGMENTATIONS)}; all: the first four.")
@_option("--copies", COUNT, "Augmented copies of each image, while features of a frozen base are cached.")
@click.option(
    "--cache-features/--no-cache-features",
    default=True,
    help="Run a frozen base once, or in every epoch. Default: once.",
)
@_option("--optimizer", click.Choice(OPTIMIZERS), "What moves the weights.")
@_option("--learning-rate", FROM_ZERO, "Of the first phase.")
@_option("--fine-tune-rate", FROM_ZERO, "Of the second. Default: a hundredth of --learning-rate.")
@_option("--weight-decay", FROM_ZERO, "Pulls the weights towards zero.")
@_option("--schedule", click.Choice(SCHEDULES), "How the learning rate goes on.")
@_option("--batch", COUNT, "Images in one step.")
@click.option("--class-weights", is_flag=True, help="Weigh each class by how rare it is.")
@_option("--patience", click.IntRange(min=0), "Epochs without a better validation loss before it stops; 0: all epochs.")
@click.option("--mixed-precision", is_flag=True, help="Compute in 16 bits where the machine has them.")
@_option("--device", click.Choice(DEVICES), "Where to train; gpu fails where there is none.")
@_option("--seed", click.IntRange(min=0), "Of the split, first weights, orders and augmentation.")
@click.option("--labels", help="Class names, separated by commas or one a line in a file. Default: the folders' names.")
@_option("--name", str, "Name of the model. Default: the base's.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path("edgebench-out"), show_default=True
)
@click.option("--force", is_flag=True, help="Replace the model of another training that lies there.")
@click.option("--json", "as_json", is_flag=True, help="Print training.json.")
def command(data: Path, labels: str | None, out: Path, force: bool, as_json: bool, **settings: Any) -> int:
    """Train a classifier on your photos.

    BASE is keras:NAME?weights=imagenet (a Keras Application), hf:owner/name or a checkpoint folder, each with a new
    head, or cnn:32-64-128?dense=256 from scratch; ?weights=none trains any of them from random weights. A folder
    without train, val and test is split 70:20:10, and split.csv beside the photos says which is which from then on.
    The model goes to OUT/models/NAME. Ctrl-C keeps the best epoch; the same command goes on where it was stopped.

    \b
    Examples:
      edgebench train keras:MobileNetV2 --data photos --fine-tune 15
      edgebench train 'cnn:32-64-128?dense=256' --data photos --epochs 30
    """
    training = read_training(data, labels, **settings)
    with _Display(quiet=as_json) as display:
        trained = train(training, out, display.tell, force)
    if as_json:
        click.echo(json.dumps({"path": str(trained.path), **to_dict(trained.record)}, indent=1))
    else:
        _summary(trained, data)
    return 130 if trained.record.stopped == INTERRUPTED else 0


def read_training(data: Path, labels: str | None, **settings: Any) -> Training:
    """Return what the options mean. Raises UsageError for labels that cannot be read."""
    return Training(data=str(data), labels=read_labels(labels), **settings)


def _summary(trained: Trained, data: Path) -> None:
    record = trained.record
    best = record.history[record.best]
    ended = {EARLY: ", stopped early", INTERRUPTED: ", interrupted"}.get(record.stopped, "")
    click.echo(
        f"{record.model}: {percent(record.accuracy)} of {record.images[record.judged_on]} {record.judged_on} images "
        f"right, {record.parameters:,} parameters, {size(size_bytes(trained.path))}"
    )
    click.echo(
        f"  {'trained before in' if trained.before else 'trained in'} {record.seconds:.1f} s{ended}; best: "
        f"{best.phase}, epoch {best.epoch}, validation loss {best.val_loss:.4f}"
    )
    for line in record.notes:
        click.echo(f"  {line}")
    if record.stopped == INTERRUPTED:
        click.echo("  this is the best epoch of those that are through; the same command goes on from the last one")
    click.echo(f"\nModel: {trained.path}    Next: edgebench convert {trained.path} --to all --data {data}")


class _Display(Bars):
    """A progress bar with the time left on a terminal, plain lines elsewhere; both on standard error."""

    def __init__(self, quiet: bool) -> None:
        share = TextColumn("{task.percentage:>3.0f}%")
        super().__init__(quiet, BarColumn(bar_width=24), share, TimeRemainingColumn())
        self._task: TaskID | None = None
        self._what = ""
        self._steps = 1
        self._epochs = 1
        self._doing = "loading the photos and the model"

    def _beat(self) -> None:
        if not self._live or self._task is None:  # a bar speaks for itself
            self.line(self._doing)

    def tell(self, event: events.Event) -> None:
        """Render one event of a training."""
        match event:
            case events.Note(text):
                self.line(text)
            case events.Progress(what, done, total):
                self._bar(what, done, total)
            case events.Started():
                self._steps, self._epochs = event.steps, event.epochs
                gone = f", going on after epoch {event.done}" if event.done else ""
                self.line(f"{event.phase}: {event.parameters_trainable:,} parameters learn{gone}")
            case events.Step(phase, epoch, step):
                done = (epoch - 1) * self._steps + step
                self._bar(f"{phase}: epoch {epoch} of {self._epochs}", done, self._epochs * self._steps, phase)
            case events.Epoch():
                self.line(
                    f"{event.phase}: epoch {event.epoch} of {event.epochs}: loss {event.loss:.4f}, validation loss "
                    f"{event.val_loss:.4f}, {percent(event.val_accuracy)} right{' *' if event.best else ''}"
                )

    def _bar(self, text: str, done: int, total: int, what: str = "") -> None:
        self._doing = f"{text}: {done} of {total}"
        if not self._live:
            return
        if self._task is None or self._what != (what or text):
            if self._task is not None:
                self._progress.remove_task(self._task)
            self._task, self._what = self._progress.add_task(text, total=total), what or text
        self._progress.update(self._task, completed=done, total=total, description=text)
