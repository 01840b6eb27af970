"""Cached features against the plain way, and whether memory grows with the images: `python benchmarks/training.py`.

MobileNetV2 at 96 pixels, 1,000 images, 10 epochs with the base frozen. No pretrained weights can be had offline, so
the base gets random ones from a file that lies where imagenet's would; time and memory do not depend on them.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from edgebench.training.events import Event
from edgebench.training.run import Trained, train
from edgebench.training.settings import Training

BASE = "keras:MobileNetV2?input_size=96"
FILE = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_96_no_top.h5"
CLASSES = 4


def main() -> None:
    """Print both comparisons."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--memory", action="store_true", help="2,000 against 20,000 images, two epochs each.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        os.environ["KERAS_HOME"] = str(folder / "keras")
        pretend(folder / "keras" / "models")
        if options.memory:
            memory(folder)
        else:
            ratio(folder, options.images, options.epochs)


def ratio(folder: Path, images: int, epochs: int) -> None:
    """Print how long each way takes and how far the heads are apart."""
    import keras

    data = shapes(folder / "shapes", images)
    settings = {"base": BASE, "data": str(data), "epochs": epochs, "patience": 0, "learning_rate": 0.003}
    cached = train(Training(**settings), folder / "cached", quiet)  # type: ignore[arg-type]
    plain = train(Training(**settings, cache_features=False), folder / "plain", quiet)  # type: ignore[arg-type]
    loaded = [keras.saving.load_model(each.path, compile=False).get_weights()[-2:] for each in (cached, plain)]
    apart = max(float(np.abs(one - other).max()) for one, other in zip(*loaded, strict=True))
    seconds = [each.record.seconds for each in (cached, plain)]
    right = [round(each.record.history[-1].val_accuracy * each.record.images["val"]) for each in (cached, plain)]
    print(f"{images} images, {epochs} epochs: cached {seconds[0]:.1f} s, plain {seconds[1]:.1f} s, ", end="")
    print(
        f"ratio {seconds[0] / seconds[1]:.3f}; right in validation {right[0]} and {right[1]}; heads {apart:.1e} apart"
    )


def memory(folder: Path) -> None:
    """Print the peak memory of two trainings that differ in the number of images alone."""
    peaks = []
    for images in (2000, 20000):
        data = shapes(folder / f"shapes-{images}", images, pixels=32)
        trained: Trained = train(
            Training("cnn:8-16?input_size=96", str(data), epochs=1, batch=64), folder / f"out-{images}", quiet
        )
        peaks.append(trained.record.peak_rss_bytes)
        print(f"{images} images: peak {peaks[-1] / 1e6:.0f} MB")
    print(f"20,000 against 2,000: {(peaks[1] - peaks[0]) / 1e6:+.0f} MB")


def pretend(models: Path) -> None:
    """Write random weights of MobileNetV2 where Keras looks for imagenet's, with statistics that let signals pass."""
    import h5py
    import keras
    from keras.src.legacy.saving import legacy_h5_format

    models.mkdir(parents=True)
    keras.utils.set_random_seed(3)
    base = keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(96, 96, 3))
    for layer in base.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    base(np.random.default_rng(0).uniform(-1, 1, (8, 96, 96, 3)).astype("f4"), training=True)
    with h5py.File(models / FILE, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, base)


def shapes(folder: Path, images: int, pixels: int = 96) -> Path:
    """Draw discs, squares, stripes and crosses of random colour and place; one folder a class."""
    generator = np.random.default_rng(1)
    rows, columns = np.mgrid[:pixels, :pixels]
    for index in range(images):
        kind, place = index % CLASSES, generator.integers(pixels // 4, 3 * pixels // 4, 2)
        reach = int(generator.integers(pixels // 8, pixels // 4))
        down, across = np.abs(rows - place[0]), np.abs(columns - place[1])
        mask = (
            down**2 + across**2 < reach**2,
            np.maximum(down, across) < reach,
            (down + across) % 8 < 3,
            (np.minimum(down, across) < reach // 3) & (np.maximum(down, across) < reach),
        )[kind]
        colours = generator.integers(0, 256, (2, 3))
        picture = np.where(mask[..., None], colours[0], colours[1]) + generator.normal(0, 12, (pixels, pixels, 3))
        path = folder / ("disc", "square", "stripes", "cross")[kind] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(path)
    return folder


def quiet(event: Event) -> None:
    """Say nothing."""
    del event


if __name__ == "__main__":
    main()
