"""Seeded changes of an evaluation set's pixels at a severity: noise, patch, and the common corruptions.

They are applied to the uint8 pixels of the model's own input size. The seed, the name and the number of the image
decide the randomness, so every artifact is given the same pixels, in pieces of any size, and a severity is more of the
same noise as the one below it.

`noise`: standard deviation of normal noise, in steps of 0..255. `patch`: edge of a grey square somewhere in the image,
in pixels. The common corruptions: 1..5. Severity 0 changes nothing.
"""

from __future__ import annotations

import difflib
import zlib
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from edgebench.errors import UsageError
from edgebench.images.corruptions import blur, digital, noise, weather
from edgebench.records import Perturbation

Pixels = npt.NDArray[np.uint8]
_Corruption = Callable[[npt.NDArray[np.float64], int, np.random.Generator], npt.NDArray[np.float64]]

GROUPS: dict[str, tuple[_Corruption, ...]] = {
    "noise": (noise.gaussian_noise, noise.shot_noise, noise.impulse_noise),
    "blur": (blur.defocus_blur, blur.glass_blur, blur.motion_blur, blur.zoom_blur),
    "weather": (weather.snow, weather.frost, weather.fog, weather.brightness),
    "digital": (digital.contrast, digital.elastic_transform, digital.pixelate, digital.jpeg_compression),
}
CORRUPTIONS: dict[str, _Corruption] = {make.__name__: make for group in GROUPS.values() for make in group}
SEVERITIES = (1, 2, 3, 4, 5)
NOISE, PATCH = "noise", "patch"
LARGEST = {NOISE: 255.0, PATCH: 10_000.0}
MOST_SEVERITIES = 200
GREY = 127  # of the patch
VERSION = 1
"""Part of the identity of perturbed images: raise it when any of these functions gives other pixels."""


def parse_perturbation(text: str, seed: int = 0) -> tuple[Perturbation, ...]:
    """Read `noise=0:100:10` (from, to and with, step), `patch=20,40` or `fog=3`.

    Raises UsageError naming the nearest known perturbation, or the severities there are.
    """
    name, equals, values = (part.strip() for part in text.partition("="))
    known = (NOISE, PATCH, *CORRUPTIONS)
    if name not in known:
        near = difflib.get_close_matches(name, known, 1, 0.4)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"
        raise UsageError(f"unknown perturbation {name!r}: {hint}")
    if not equals or not values:
        example = "3" if name in CORRUPTIONS else "0:100:10"
        raise UsageError(f"--perturb {text} says no severity: write it as {name}={example}")
    return tuple(Perturbation(name, _checked(name, value, text), seed) for value in _severities(values, text))


def common(group: str = "common", seed: int = 0) -> tuple[Perturbation, ...]:
    """Return the common corruptions, or one group of them (noise, blur, weather, digital), at all five severities."""
    chosen = CORRUPTIONS if group == "common" else {make.__name__: make for make in GROUPS[group]}
    return tuple(Perturbation(name, severity, seed) for name in chosen for severity in SEVERITIES)


def check_size(perturbation: Perturbation, size: tuple[int, int, int], what: str) -> None:
    """Raise UsageError where images of this size (height, width, channels) have no room for the perturbation."""
    if perturbation.kind == PATCH and perturbation.severity > min(size[:2]):
        raise UsageError(
            f"{PATCH}={perturbation.severity:g} is larger than the images of {what}, {size[0]}x{size[1]}: "
            f"give at most patch={min(size[:2])}"
        )


def perturb(images: Pixels, perturbation: Perturbation, numbers: Sequence[int]) -> Pixels:
    """Return `images` (n, height, width, channels) changed; `numbers` are their places in the evaluation set."""
    if perturbation.severity == 0:
        return images
    change = {NOISE: _noise, PATCH: _patch}.get(perturbation.kind, _corrupt)
    key = zlib.crc32(perturbation.kind.encode())
    changed = np.empty_like(images)
    for at, (image, number) in enumerate(zip(images, numbers, strict=True)):
        generator = np.random.default_rng([perturbation.seed % 2**32, key, number])
        changed[at] = change(image, perturbation, generator)
    return changed


def _noise(image: Pixels, perturbation: Perturbation, generator: np.random.Generator) -> Pixels:
    noisy = image + perturbation.severity * generator.standard_normal(image.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def _patch(image: Pixels, perturbation: Perturbation, generator: np.random.Generator) -> Pixels:
    edge = int(perturbation.severity)
    top, left = (int(u * (size - edge + 1)) for u, size in zip(generator.random(2), image.shape, strict=False))
    covered = image.copy()
    covered[top : top + edge, left : left + edge] = GREY
    return covered


def _corrupt(image: Pixels, perturbation: Perturbation, generator: np.random.Generator) -> Pixels:
    """Apply one of the common corruptions; like the published code, what is between two steps goes to the lower."""
    values = CORRUPTIONS[perturbation.kind](image / 255.0, int(perturbation.severity), generator)
    return (np.clip(values, 0, 1) * 255 + 1e-9).astype(np.uint8)


def _severities(values: str, text: str) -> list[float]:
    try:
        if ":" not in values:
            return list(dict.fromkeys(float(value) for value in values.split(",")))
        low, high, step = (float(value) for value in values.split(":"))
    except ValueError:
        raise UsageError(f"cannot read the severities of --perturb {text}: write 3, 1,2,3 or 0:100:10") from None
    if not (low <= high and step > 0 and np.isfinite([low, high, step]).all()):
        raise UsageError(f"cannot go from {low:g} to {high:g} in steps of {step:g} in --perturb {text}")
    count = int((high - low) / step + 1e-9) + 1
    if count > MOST_SEVERITIES:
        raise UsageError(f"--perturb {text} means {count} severities: at most {MOST_SEVERITIES}")
    return [round(low + at * step, 9) for at in range(count)]


def _checked(name: str, severity: float, text: str) -> float:
    if name in CORRUPTIONS:
        if severity not in SEVERITIES:
            raise UsageError(f"--perturb {text}: {name} has the severities 1 to 5, not {severity:g}")
    elif not 0 <= severity <= LARGEST[name]:
        raise UsageError(f"--perturb {text}: {name} goes from 0 to {LARGEST[name]:g}, not to {severity:g}")
    elif name == PATCH and severity != int(severity):
        raise UsageError(f"--perturb {text}: patch is a whole number of pixels, not {severity:g}")
    return severity
