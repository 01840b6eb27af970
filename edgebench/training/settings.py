"""What to train and how: one frozen value that the command line, the demo and suites fill in."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from edgebench.errors import UsageError
from edgebench.training.bases import HUGGINGFACE, Base, parse_base

AUGMENTATIONS = ("flip", "rotation", "zoom", "contrast", "shift", "brightness", "noise")
USUAL_AUGMENTATIONS = ("flip", "rotation", "zoom", "contrast")
OPTIMIZERS = ("adam", "adamw", "sgd", "rmsprop")
SCHEDULES = ("constant", "cosine")
DEVICES = ("auto", "cpu", "gpu")
ALL = "all"
FINE_TUNE_SHARE = 0.01
"""Of the learning rate, for the second phase where none is given: 1e-5 for 1e-3, as in Keras' transfer guide."""


@dataclass(frozen=True)
class Training:
    """One training. `base` and `data` are as a user types them; the defaults are the command line's."""

    base: str  # keras:NAME?.., cnn:32-64?.., hf:owner/name or a checkpoint folder
    data: str
    name: str = ""  # of the model; empty: the base's
    epochs: int = 10
    fine_tune: str = ""  # layers to free in a second phase: a number, all, or empty for none
    fine_tune_epochs: int = 0  # 0: as many as epochs
    head: tuple[int, ...] = ()  # dense layers before the last
    dropout: float = 0.2
    augment: tuple[str, ...] = ()
    copies: int = 4  # augmented copies of each image while features are cached
    cache_features: bool = True
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    fine_tune_rate: float = 0.0  # 0: a hundredth of learning_rate
    weight_decay: float = 0.0
    schedule: str = "constant"
    batch: int = 32
    class_weights: bool = False  # weigh each class by how rare it is
    patience: int = 5  # epochs without a better validation loss; 0: never stop early
    mixed_precision: bool = False
    device: str = "auto"
    seed: int = 0
    labels: tuple[str, ...] = ()

    @property
    def parsed(self) -> Base:
        """The base, checked."""
        return parse_base(self.base)

    @property
    def low_rate(self) -> float:
        """The learning rate of the second phase."""
        return self.fine_tune_rate or FINE_TUNE_SHARE * self.learning_rate

    @property
    def low_epochs(self) -> int:
        """Epochs of the second phase."""
        return self.fine_tune_epochs or self.epochs


def check(training: Training) -> None:
    """Raise UsageError naming the first value that cannot be used."""
    base = training.parsed
    for field, known in (("optimizer", OPTIMIZERS), ("schedule", SCHEDULES), ("device", DEVICES)):
        if getattr(training, field) not in known:
            raise UsageError(f"{field} is {getattr(training, field)!r}, known are {', '.join(known)}")
    for name in training.augment:
        if name not in AUGMENTATIONS:
            raise UsageError(f"--augment {name}: known are {', '.join(AUGMENTATIONS)}")
    for field in ("epochs", "batch", "copies"):
        if getattr(training, field) < 1:
            raise UsageError(f"{field} is {getattr(training, field)}, expected 1 or more")
    for field in ("learning_rate", "low_rate"):
        if not 0 < getattr(training, field) < 100:
            raise UsageError(f"{field} is {getattr(training, field):g}, expected a number above 0 such as 0.001")
    if not 0 <= training.dropout < 1:
        raise UsageError(f"dropout is {training.dropout:g}, expected 0 or more and less than 1")
    if any(width < 1 for width in training.head):
        raise UsageError(f"--head {','.join(map(str, training.head))}: expected widths such as 256 or 256,64")
    if training.optimizer == "adam" and training.weight_decay:
        raise UsageError("--weight-decay with adam is what adamw does: say --optimizer adamw")
    _check_copies(training)
    _check_fine_tune(training.fine_tune, base)
    if base.kind == HUGGINGFACE:
        _check_checkpoint(training)


def _check_checkpoint(training: Training) -> None:
    """Say which settings a checkpoint cannot take, instead of passing over them."""
    if training.head:
        raise UsageError(
            "--head does not go with a checkpoint, whose format fixes its last layer: leave it out, or let more of the "
            "network learn with --fine-tune all"
        )
    if training.dropout != Training.dropout:
        raise UsageError("--dropout does not go with a checkpoint, whose config.json says its own: set it there")


def _check_copies(training: Training) -> None:
    """Say where a number of copies would be passed over: they exist only where augmented features are kept."""
    if training.copies == Training.copies:
        return
    if not training.augment:
        raise UsageError("--copies counts augmented copies of each image: say what changes them with --augment")
    if not training.cache_features or training.parsed.kind == HUGGINGFACE or not training.parsed.pretrained:
        raise UsageError(
            "--copies goes with the cached features of a frozen Keras base; this training augments each image anew in "
            "every epoch: leave it out"
        )


def _check_fine_tune(layers: str, base: Base) -> None:
    if not layers:
        return
    if layers != ALL and not (layers.isdecimal() and int(layers)):
        raise UsageError(f"--fine-tune {layers}: expected a number of layers such as 15, or all")
    if not base.pretrained:
        raise UsageError(f"--fine-tune does not go with {base.text}: from scratch every layer is free from the start")
    if base.kind == HUGGINGFACE and layers != ALL:
        raise UsageError(f"--fine-tune {layers}: a checkpoint is trained by its head alone or whole: say all")


def to_json(training: Training) -> dict[str, object]:
    """Return the settings as JSON values."""
    return dataclasses.asdict(training)
