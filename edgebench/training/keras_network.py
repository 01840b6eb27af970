"""Keras networks to train: a base with its own preprocessing inside, pooling, dropout and a dense head."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"
from edgebench.errors import MissingExtraError, UsageError
from edgebench.images.preprocessing import keras_rule
from edgebench.records import Preprocessing
from edgebench.training.bases import Base, Cnn
from edgebench.training.keras_augmentation import augmentation_of
from edgebench.training.settings import ALL, Training

try:
    import keras
    import numpy as np
    import tensorflow as tf
    from keras import layers
except ModuleNotFoundError as error:
    raise MissingExtraError(error.name or "keras", "keras", "training a Keras model") from error

SCRATCH_MOMENTUM = 0.9
"""Of batch normalisations that learn from nothing: 0.99 and 0.999 take thousands of steps to forget their start."""


@dataclass(frozen=True)
class Network:
    """One network in three views of the same layers: `model` is what is saved, pixels 0..255 to probabilities.

    `trainee` has the augmentation before it; `extractor` ends at the pooled features, and `head` begins there.
    """

    model: Any
    trainee: Any
    augmentation: Any | None
    extractor: Any
    head: Any
    base: Any

    def free(self, layers_free: str) -> None:
        """Let the last N layers of the base learn (`all`, or 0 for none); batch normalisations stay as they are."""
        parts = self.base.layers
        count = len(parts) if layers_free == ALL else int(layers_free)
        if count > len(parts):
            raise UsageError(f"--fine-tune {count}: {self.base.name} has {len(parts)} layers")
        self.base.trainable = True
        for index, layer in enumerate(parts):
            layer.trainable = index >= len(parts) - count and not isinstance(layer, layers.BatchNormalization)

    def seeds(self) -> list[Any]:
        """The states of everything random in training: the head's first, so that they count alike in both views."""
        owners = [self.head, *([self.augmentation] if self.augmentation else []), self.base]
        found = []
        for owner in owners:
            for layer in owner._flatten_layers():
                generator = getattr(layer, "seed_generator", None) or getattr(layer, "generator", None)
                if generator is not None:
                    found.append(generator.state)
        return found


def input_size(base: Base) -> tuple[int, int, int]:
    """Return height, width and channels of the network's input."""
    if base.cnn:
        return base.cnn.input_size, base.cnn.input_size, base.cnn.channels
    assert base.application
    return base.application.input_size, base.application.input_size, 3


def build(training: Training, base: Base, classes: int, mixed: bool) -> Network:
    """Build the network, weights seeded or pretrained. Raises UsageError where there are no pretrained weights here."""
    keras.backend.clear_session()
    keras.config.set_dtype_policy(_policy(mixed))
    keras.utils.set_random_seed(training.seed)
    trunk = _cnn(base.cnn) if base.cnn else _application(base)
    pixels = keras.Input(input_size(base))
    scaled = _rescaled(pixels, base, trunk)
    features = trunk(scaled, training=False) if base.pretrained else trunk(scaled)
    features = layers.GlobalAveragePooling2D(name="pool")(features)
    head_in = keras.Input(features.shape[1:])
    answer, alone = features, head_in
    for layer in _head(training, base, classes):
        answer, alone = layer(answer), layer(alone)
    model = keras.Model(pixels, answer, name=re.sub(r"[^A-Za-z0-9_.-]", "-", training.name or base.name))
    augmentation = augmentation_of(training, input_size(base))
    raw = keras.Input(input_size(base))
    trainee = keras.Model(raw, model(augmentation(raw))) if augmentation else model
    return Network(model, trainee, augmentation, keras.Model(pixels, features), keras.Model(head_in, alone), trunk)


def make_optimizer(training: Training, rate: float, steps: int) -> Any:
    """Return the optimiser; with the cosine schedule its rate falls to zero over `steps`.

    Where gradients are of 16 bits without the range of 32, the loss is scaled, as `Model.compile` does it.
    """
    found = _optimizer(training, rate, steps)
    half = keras.config.dtype_policy().name == "mixed_float16"
    return keras.optimizers.LossScaleOptimizer(found) if half else found


def _optimizer(training: Training, rate: float, steps: int) -> Any:
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps) if training.schedule == "cosine" else rate
    decay = training.weight_decay or None
    if training.optimizer == "sgd":
        return keras.optimizers.SGD(schedule, momentum=0.9, weight_decay=decay)
    kind = {"adam": keras.optimizers.Adam, "adamw": keras.optimizers.AdamW, "rmsprop": keras.optimizers.RMSprop}
    if training.optimizer == "adamw" and decay is None:
        return keras.optimizers.AdamW(schedule)
    return kind[training.optimizer](schedule, weight_decay=decay)


def set_up(training: Training) -> bool:
    """Choose the device and the arithmetic, every operation deterministic; return whether precision is mixed.

    Raises UsageError where a GPU is asked for and there is none.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if training.device == "gpu" and not gpus:
        raise UsageError("--device gpu: TensorFlow sees no GPU on this machine; leave --device out to train on the CPU")
    if training.device == "cpu":
        tf.config.set_visible_devices([], "GPU")
    keras.utils.set_random_seed(training.seed)
    tf.config.experimental.enable_op_determinism()
    return training.mixed_precision and ((bool(gpus) and training.device != "cpu") or _has_bfloat16())


def train_step(model: Any, optimizer: Any) -> Callable[[Any, Any, Any], tuple[float, float]]:
    """Return a step of a model over rows, labels and weights; it returns the mean loss and how many are right.

    `Model.train_on_batch` does the same, traced once more for each size of batch and four times slower on small nets;
    and a model that was never compiled is saved without its optimiser, which `.keras` files hold otherwise.
    """

    signature = _signature(model, tf.TensorSpec((None,), tf.int64), tf.TensorSpec((None,), tf.float32))

    @tf.function(input_signature=signature)  # type: ignore[untyped-decorator]
    def step(images: Any, labels: Any, weights: Any) -> tuple[Any, Any]:
        with tf.GradientTape() as tape:
            outputs = model(images, training=True)
            loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(labels, outputs) * weights)
            scaled = optimizer.scale_loss(loss)
        variables = model.trainable_weights
        optimizer.apply_gradients(zip(tape.gradient(scaled, variables), variables, strict=True))
        return loss, tf.reduce_sum(tf.cast(tf.argmax(outputs, 1) == labels, tf.float32))

    def run(images: Any, labels: Any, weights: Any) -> tuple[float, float]:
        loss, right = step(tf.constant(images, tf.float32), tf.constant(labels, tf.int64), tf.constant(weights))
        return float(loss), float(right)

    return run


def answers(model: Any) -> Callable[[Any], Any]:
    """Return the model as a function of uint8 or float rows to float32 rows, traced once."""

    @tf.function(input_signature=_signature(model))  # type: ignore[untyped-decorator]
    def call(images: Any) -> Any:
        return tf.cast(model(images, training=False), tf.float32)

    return lambda images: call(tf.constant(images, tf.float32)).numpy()


def _signature(model: Any, *more: Any) -> list[Any]:
    return [tf.TensorSpec((None, *model.input_shape[1:]), tf.float32), *more]


def versions() -> dict[str, str]:
    """Return the versions that decide the weights."""
    return {"tensorflow": tf.__version__, "keras": keras.__version__, "numpy": np.__version__}


def _policy(mixed: bool) -> str:
    if not mixed:
        return "float32"
    return "mixed_float16" if tf.config.get_visible_devices("GPU") else "mixed_bfloat16"


def _has_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 by itself; elsewhere it is emulated, and slower than float32."""
    try:
        return bool({"amx_bf16", "avx512_bf16"} & set(Path("/proc/cpuinfo").read_text().split()))
    except OSError:
        return False


def _application(base: Base) -> Any:
    wanted = base.application
    assert wanted
    options: dict[str, float] = {"alpha": wanted.alpha} if wanted.name.startswith("MobileNet") else {}
    try:
        trunk = getattr(keras.applications, wanted.name)(
            weights="imagenet" if base.pretrained else None, include_top=False, input_shape=input_size(base), **options
        )
    except Exception as error:  # what Keras raises for a failed download is a bare Exception
        if not base.pretrained:
            raise UsageError(f"{base.text}: Keras cannot build it: {_first_line(error)}") from error
        raise UsageError(_lacking(base, error)) from error
    if base.pretrained:
        trunk.trainable = False
    else:
        for layer in trunk.layers:
            if isinstance(layer, layers.BatchNormalization):
                layer.momentum = SCRATCH_MOMENTUM
    return trunk


def _lacking(base: Base, error: Exception) -> str:
    """Say which file of pretrained weights would be needed, and where it is looked for."""
    assert base.application
    address = re.search(r"https?://\S+/([^/\s]+\.h5)", str(error))
    folder = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "models"
    if address is None:
        return f"{base.text}: its pretrained weights cannot be used: {_first_line(error)}"
    return (
        f"the imagenet weights of {base.application.name} are not here and cannot be downloaded: they would be "
        f"{folder / address[1]}, from {address[0]}. To train from random weights say weights=none"
    )


def _rescaled(pixels: Any, base: Base, trunk: Any) -> Any:
    """Put the base's preprocessing before it; a base that wants BGR gets its first kernel turned round instead."""
    if base.cnn:
        return layers.Rescaling(1 / 255)(pixels)
    assert base.application
    rule = keras_rule(base.application.module)
    if rule.channels == "BGR":
        first = next(layer for layer in trunk._flatten_layers() if isinstance(layer, layers.Conv2D))
        kernel = first.kernel.numpy()
        first.kernel.assign(kernel[:, :, ::-1])
    return layers.Rescaling(*_scale_and_offset(rule))(pixels) if _changes(rule) else pixels


def _changes(rule: Preprocessing) -> bool:
    return rule.scale != 1 or any(rule.mean) or any(value != 1 for value in rule.std)


def _scale_and_offset(rule: Preprocessing) -> tuple[Any, Any]:
    """Return (x * scale - mean) / std as x * scale + offset, colours in the order red, green, blue."""
    scale = [rule.scale / value for value in rule.std]
    offset = [-mean / std for mean, std in zip(rule.mean, _as_long(rule.std, rule.mean), strict=True)]
    if rule.channels == "BGR":
        offset.reverse()
    return (scale[0] if len(scale) == 1 else scale), (offset[0] if len(offset) == 1 else offset)


def _as_long(values: tuple[float, ...], other: tuple[float, ...]) -> tuple[float, ...]:
    return values * len(other) if len(values) == 1 else values


def _cnn(wanted: Cnn) -> Any:
    x = inputs = keras.Input((wanted.input_size, wanted.input_size, wanted.channels))
    for width in wanted.widths:
        x = layers.Conv2D(width, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=SCRATCH_MOMENTUM)(x)
        x = layers.MaxPooling2D()(layers.ReLU()(x))
    return keras.Model(inputs, x, name="blocks")


def _head(training: Training, base: Base, classes: int) -> list[Any]:
    widths = (*(base.cnn.dense if base.cnn else ()), *training.head)
    found: list[Any] = []
    for index, width in enumerate(widths):
        found += [layers.Dropout(training.dropout), layers.Dense(width, "relu", name=f"dense-{index}")]
    last = layers.Dense(classes, "softmax", dtype="float32", name="classes")
    return [*found, layers.Dropout(training.dropout), last]


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]
