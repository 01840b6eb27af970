"""The Keras Applications by name: what is known of each without importing Keras."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from urllib.parse import parse_qsl

from edgebench.errors import UsageError

# name -> (module whose preprocess_input belongs to it, default input size, smallest input size)
APPLICATIONS: dict[str, tuple[str, int, int]] = {
    **{f"ConvNeXt{size}": ("convnext", 224, 32) for size in ("Tiny", "Small", "Base", "Large", "XLarge")},
    **{f"DenseNet{depth}": ("densenet", 224, 32) for depth in (121, 169, 201)},
    **{
        f"EfficientNetB{index}": ("efficientnet", size, 32)
        for index, size in enumerate((224, 240, 260, 300, 380, 456, 528, 600))
    },
    **{
        f"EfficientNetV2{size}": ("efficientnet_v2", pixels, 32)
        for size, pixels in (
            ("B0", 224), ("B1", 240), ("B2", 260), ("B3", 300), ("S", 384), ("M", 480), ("L", 480),
        )
    },
    "InceptionResNetV2": ("inception_resnet_v2", 299, 75),
    "InceptionV3": ("inception_v3", 299, 75),
    "MobileNet": ("mobilenet", 224, 32),
    "MobileNetV2": ("mobilenet_v2", 224, 32),
    "MobileNetV3Large": ("mobilenet_v3", 224, 32),
    "MobileNetV3Small": ("mobilenet_v3", 224, 32),
    "NASNetLarge": ("nasnet", 331, 32),
    "NASNetMobile": ("nasnet", 224, 32),
    **{f"ResNet{depth}": ("resnet", 224, 32) for depth in (50, 101, 152)},
    **{f"ResNet{depth}V2": ("resnet_v2", 224, 32) for depth in (50, 101, 152)},
    "VGG16": ("vgg16", 224, 32),
    "VGG19": ("vgg19", 224, 32),
    "Xception": ("xception", 299, 71),
}  # fmt: skip

WITH_ALPHA = ("MobileNet", "MobileNetV2", "MobileNetV3Large", "MobileNetV3Small")
KEYS = ("weights", "classes", "input_size", "alpha")


@dataclass(frozen=True)
class Application:
    """One `keras:NAME?key=value&..` text, checked."""

    name: str
    weights: str = "imagenet"  # imagenet or none
    classes: int = 1000
    input_size: int = 224
    alpha: float = 1.0

    @property
    def module(self) -> str:
        """The `keras.applications` module it comes from."""
        return APPLICATIONS[self.name][0]

    @property
    def spec(self) -> str:
        """The canonical text: every key present and in order, so that equal models have equal hashes."""
        alpha = f"&alpha={self.alpha:g}" if self.name in WITH_ALPHA else ""
        return f"keras:{self.name}?weights={self.weights}&classes={self.classes}&input_size={self.input_size}{alpha}"


def parse(text: str) -> Application:
    """Read `keras:NAME?weights=none&classes=10&input_size=96&alpha=0.35`; raises UsageError naming what is wrong."""
    name, _, query = text.removeprefix("keras:").partition("?")
    known = {key.lower(): key for key in APPLICATIONS}
    if name.lower() not in known:
        near = nearest(name)
        meant = f"did you mean {near}? Known" if near else "known"
        raise UsageError(f"unknown Keras Application {name!r}: {meant} are {', '.join(APPLICATIONS)}")
    name = known[name.lower()]
    options = dict(parse_qsl(query, keep_blank_values=True))
    for key in options:
        if key not in KEYS:
            raise UsageError(f"{text}: unknown key {key!r}, known are {', '.join(KEYS)}")
    weights = options.get("weights", "imagenet").lower()
    if weights not in ("imagenet", "none"):
        raise UsageError(f"{text}: weights is {weights!r}, expected imagenet or none")
    if "alpha" in options and name not in WITH_ALPHA:
        raise UsageError(f"{text}: {name} has no alpha, only {', '.join(WITH_ALPHA)} do")
    size = _number(text, options, "input_size", APPLICATIONS[name][1])
    if size < APPLICATIONS[name][2]:
        raise UsageError(f"{text}: input_size is {size}, {name} needs at least {APPLICATIONS[name][2]}")
    classes = _number(text, options, "classes", 1000)
    if classes < 2:
        raise UsageError(f"{text}: classes is {classes}, a classifier has at least 2")
    if weights == "imagenet" and classes != 1000:
        raise UsageError(f"{text}: the imagenet weights have 1000 classes, not {classes}: use weights=none")
    return Application(name, weights, classes, size, _alpha(text, options))


def nearest(name: str) -> str:
    """Return the Keras Application whose name is most like `name`; empty where none is."""
    known = {key.lower(): key for key in APPLICATIONS}
    found = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.7)
    return known[found[0]] if found else ""


def _number(text: str, options: dict[str, str], key: str, default: int) -> int:
    value = options.get(key, str(default))
    if not value.isdecimal() or not 0 < int(value) <= 100_000:
        raise UsageError(f"{text}: {key} is {value!r}, expected a whole number")
    return int(value)


def _alpha(text: str, options: dict[str, str]) -> float:
    try:
        alpha = float(options.get("alpha", "1"))
    except ValueError as error:
        raise UsageError(f"{text}: alpha is {options['alpha']!r}, expected a number such as 0.35") from error
    if not 0 < alpha <= 10:
        raise UsageError(f"{text}: alpha is {alpha:g}, expected a number above 0 and at most 10")
    return alpha
