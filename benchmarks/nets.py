"""Small nets trained on digits, one of every kind that int8 treats differently.

python -m benchmarks.nets DIR        trains what DIR does not hold yet, about five minutes on two cores
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import keras
from keras import layers

from tests.models import digit_nets


def normalised(flow: Any) -> Any:
    """Batch normalisation that settles in a short training."""
    return layers.BatchNormalization(momentum=0.9)(flow)


def _begin(size: int = 32, channels: int = 3) -> tuple[Any, Any]:
    keras.utils.set_random_seed(3)
    pixels = keras.Input((size, size, channels))
    return pixels, layers.Rescaling(1 / 255)(pixels)


def _end(pixels: Any, flow: Any, activation: str | None = "softmax") -> Any:
    pooled = layers.GlobalAveragePooling2D()(flow)
    return keras.Model(pixels, layers.Dense(10, activation=activation)(pooled))


def mixed() -> Any:
    """GELU, hard-swish, depthwise convolutions and residual additions."""
    pixels, flow = _begin()
    flow = layers.Activation("gelu")(normalised(layers.Conv2D(16, 3, 2, padding="same", use_bias=False)(flow)))
    for width, stride, activation in ((32, 1, "hard_swish"), (48, 2, "gelu"), (64, 2, "hard_swish")):
        depthwise = layers.DepthwiseConv2D(3, stride, padding="same", use_bias=False)
        flow = layers.Activation(activation)(normalised(depthwise(flow)))
        wide = layers.Activation(activation)(normalised(layers.Conv2D(width, 1, use_bias=False)(flow)))
        flow = layers.add([wide, normalised(layers.DepthwiseConv2D(3, padding="same", use_bias=False)(wide))])
    return _end(pixels, flow)


def sigmoid() -> Any:
    """A plain convolutional net whose ten outputs are independent sigmoids."""
    pixels, flow = _begin()
    for width in (16, 32, 64):
        flow = layers.ReLU()(normalised(layers.Conv2D(width, 3, padding="same", use_bias=False)(flow)))
        flow = layers.MaxPooling2D()(flow)
    return _end(pixels, flow, "sigmoid")


def group_norm() -> Any:
    """Residual blocks with group normalisation."""
    pixels, flow = _begin()
    flow = layers.Conv2D(16, 3, padding="same")(flow)
    for width in (16, 32, 64):
        shortcut = layers.Conv2D(width, 1, 2)(flow)
        flow = layers.ReLU()(layers.GroupNormalization(4)(layers.Conv2D(width, 3, 2, padding="same")(flow)))
        flow = layers.GroupNormalization(4)(layers.Conv2D(width, 3, padding="same")(flow))
        flow = layers.ReLU()(layers.add([shortcut, flow]))
    return _end(pixels, flow)


def plain_logits() -> Any:
    """Convolutions and ReLU without normalisation, with logits as output."""
    pixels, flow = _begin()
    for width, stride in ((16, 1), (32, 2), (32, 1), (64, 2)):
        flow = layers.Conv2D(width, 3, stride, padding="same", activation="relu")(flow)
    return _end(pixels, flow, None)


def squeeze_excite() -> Any:
    """Swish, squeeze-and-excitation and concatenation."""
    pixels, flow = _begin()
    flow = layers.Activation("swish")(normalised(layers.Conv2D(16, 3, 2, padding="same", use_bias=False)(flow)))
    for width, stride in ((24, 1), (40, 2), (64, 2)):
        wide = layers.Activation("swish")(normalised(layers.Conv2D(2 * width, 1, use_bias=False)(flow)))
        depthwise = layers.DepthwiseConv2D(3, stride, padding="same", use_bias=False)
        wide = layers.Activation("swish")(normalised(depthwise(wide)))
        gate = layers.GlobalAveragePooling2D(keepdims=True)(wide)
        gate = layers.Conv2D(width // 4, 1, activation="swish")(gate)
        wide = layers.multiply([wide, layers.Conv2D(2 * width, 1, activation="sigmoid")(gate)])
        narrow = normalised(layers.Conv2D(width, 1, use_bias=False)(wide))
        side = layers.Conv2D(8, 1, stride, activation="swish")(flow)
        flow = layers.concatenate([narrow, side])
    return _end(pixels, flow)


def tiny_vit() -> Any:
    """A vision transformer of two blocks on 8x8 patches of 32x32 pixels."""
    pixels, flow = _begin()
    tokens = layers.Reshape((64, 48))(layers.Conv2D(48, 4, 4)(flow))
    tokens = tokens + layers.Embedding(64, 48)(keras.ops.arange(64))[None]
    for _ in range(2):
        attended = layers.MultiHeadAttention(4, 12)(layers.LayerNormalization()(tokens), tokens)
        tokens = layers.add([tokens, attended])
        wide = layers.Dense(96, activation="gelu")(layers.LayerNormalization()(tokens))
        tokens = layers.add([tokens, layers.Dense(48)(wide)])
    pooled = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(tokens))
    return keras.Model(pixels, layers.Dense(10, activation="softmax")(pooled))


NETS: dict[str, tuple[Callable[[], Any], int]] = {
    "digits-cnn": (digit_nets.small_cnn, 12),
    "digits-mobilenetv2": (digit_nets.mobilenet, 22),
    "digits-mixed": (mixed, 12),
    "digits-sigmoid": (sigmoid, 8),
    "digits-groupnorm": (group_norm, 10),
    "digits-logits": (plain_logits, 30),
    "digits-squeeze": (squeeze_excite, 12),
    "digits-vit": (tiny_vit, 25),
}
"""Name -> how it is built, and for how many epochs it is trained."""


def trained(folder: Path, names: tuple[str, ...] = tuple(NETS)) -> list[Path]:
    """Return the trained nets' files, training those that are not in `folder` yet."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        build, epochs = NETS[name]
        if not (folder / f"{name}.keras").exists():
            digit_nets.train_one(build(), folder / f"{name}.keras", epochs)
    return [folder / f"{name}.keras" for name in names]


if __name__ == "__main__":
    trained(Path(sys.argv[1]))
