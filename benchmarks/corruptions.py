"""Each common corruption held against the published package, `imagecorruptions` 1.1.2, on the same random numbers.

The package brings OpenCV, numba and scikit-image: give it an environment of its own.

    python -m venv /tmp/corruptions
    /tmp/corruptions/bin/pip install 'setuptools<81' imagecorruptions==1.1.2
    PYTHONPATH=. /tmp/corruptions/bin/python benchmarks/corruptions.py

Its calls to NumPy's global randomness are led to a generator seeded like ours, and its photographs of frost are
replaced by our textures; so all fifteen can be compared, pixel by pixel. Prints the median, the mean and the 99th
percentile of the absolute difference in steps of 1/255 for three sizes and all severities, and exits 1 where a median
is above one step.
"""

from __future__ import annotations

import sys
import zlib
from unittest import mock

import imagecorruptions.corruptions as published
import numpy as np
import skimage
import skimage.data
from PIL import Image

from edgebench.images.corruptions.weather import frost_texture
from edgebench.images.perturbations import CORRUPTIONS, SEVERITIES, perturb
from edgebench.records import Perturbation

np.float_ = np.float64  # which the package still writes
EDGES = (32, 96, 224)
SEED = 0


def gaussian(image, sigma, multichannel=False, **options):
    """Call scikit-image's filter by the argument that took `multichannel`'s place."""
    return skimage.filters.gaussian(image, sigma, channel_axis=-1 if multichannel else None, **options)


def reference(image, name, severity):
    """Corrupt one image (height, width, 3) with the package, its randomness from our generator."""
    generator = np.random.default_rng([SEED, zlib.crc32(name.encode()), 0])
    noise = skimage.util.random_noise

    def integers(low, high=None, size=None):
        return generator.integers(low, high, size=size)

    if name == "frost":
        return _frost(image, severity, generator)
    with (
        mock.patch.multiple(
            np.random,
            normal=generator.normal,
            uniform=generator.uniform,
            poisson=generator.poisson,
            randint=integers,
        ),
        mock.patch.object(published, "gaussian", gaussian),
        mock.patch.object(published.sk.util, "random_noise", lambda x, **options: noise(x, rng=generator, **options)),
    ):
        return np.uint8(published.corruption_dict_[name](Image.fromarray(image), severity))


def _frost(image, severity, generator):
    """Let the package lay our texture, cut where we cut it, over the image: its own factors and rounding."""
    edge = int(np.ceil(1.5 * max(image.shape[:2])))
    texture = frost_texture(int(generator.integers(5)), edge)
    top, left = (int(generator.integers(0, edge - size)) for size in image.shape[:2])
    ice = texture[top : top + image.shape[0], left : left + image.shape[1]][..., ::-1] * 255
    padded = np.pad(ice, ((0, 1), (0, 1), (0, 0)))
    with (
        mock.patch.object(published, "resource_filename", lambda *_: ""),
        mock.patch.object(published.cv2, "imread", lambda _: ice),
        mock.patch.object(published.cv2, "resize", lambda *_, **__: padded),
        mock.patch.object(np.random, "randint", lambda *_: 0),
    ):
        return np.uint8(published.frost(Image.fromarray(image), severity))


def main() -> int:
    """Print the differences; return 1 where a median is above 1/255."""
    published.corruption_dict_ = {name: getattr(published, name) for name in CORRUPTIONS}
    photograph = Image.fromarray(skimage.data.astronaut())
    print(f"{'':20} {'median':>7} {'mean':>7} {'99%':>7}   of |ours - published| in steps of 1/255")
    worst = 0.0
    for name in CORRUPTIONS:
        apart = []
        for edge in EDGES:
            image = np.array(photograph.resize((edge, edge), Image.Resampling.BOX))
            for severity in SEVERITIES:
                ours = perturb(image[None], Perturbation(name, severity, SEED), [0])[0]
                apart.append(np.abs(ours.astype(int) - reference(image, name, severity)).ravel())
        median = max(float(np.median(one)) for one in apart)
        every = np.concatenate(apart)
        worst = max(worst, median)
        print(f"{name:20} {median:7.1f} {every.mean():7.2f} {np.percentile(every, 99):7.1f}")
    return 0 if worst <= 1 else 1


if __name__ == "__main__":
    sys.exit(main())
