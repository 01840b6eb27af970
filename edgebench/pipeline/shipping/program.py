"""The text of predict.py: just the steps that one artifact needs, with its figures written in.

Every value goes in through `repr`, so that a manifest, which may come from anywhere, can write figures and names into
the program and never code.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources

from edgebench import __version__
from edgebench.errors import UsageError
from edgebench.images.resizing import RESAMPLE
from edgebench.records import LABEL_LOGITS, LOGITS, PROBABILITIES, SCORES, Artifact, Preprocessing, TensorSpec
from edgebench.runner.preprocess import ALMOST

NEEDS = {
    "tflite": "numpy, Pillow and ai-edge-litert (or tflite-runtime)",
    "onnx": "numpy, Pillow and onnxruntime",
    "savedmodel": "numpy, Pillow and tensorflow",
}
SOFTMAX = ("    values = np.exp(values - values.max())", "    values = values / values.sum()")
SIGMOID = ("    values = 1 / (1 + np.exp(-values.astype(np.float64)))",)
KINDS = (LOGITS, PROBABILITIES, SCORES, LABEL_LOGITS)
TO_SHARES = {LOGITS: SOFTMAX, LABEL_LOGITS: SIGMOID}
SIZES = ("exact", "cover", "contain", "none")
CROPS = ("floor", "round", "none")


def program(artifact: Artifact, file: str, size: tuple[int, int, int]) -> str:
    """Return predict.py for an artifact in `file` that takes images of `size` (height, width, channels).

    Raises UsageError where nothing is known of how to run its format, or its preprocessing is none that there is.
    """
    rule, given, gives = artifact.preprocessing, artifact.input, artifact.output
    if artifact.format not in NEEDS or rule is None or given is None or gives is None:
        raise UsageError(f"{artifact.label} cannot be shipped: a predict.py is written for {', '.join(NEEDS)}")
    if rule.resample not in RESAMPLE or rule.fit not in SIZES or rule.crop not in CROPS:
        raise UsageError(
            f"{artifact.label} has a preprocessing that there is not: {rule.resample}, {rule.fit}, {rule.crop}"
        )
    imports, _, run = _template(artifact.format).partition("\n\n")
    return _template("predict").format(
        needs=NEEDS[artifact.format],
        version=__version__,
        imports=imports.strip(),
        pillow="Image, ImageOps" if rule.upright else "Image",
        run=run.format(file=file, input=given.name, output=gives.name).strip(),
        pixels="\n".join(f"    {line}" for line in _pixels(rule, size)),
        prepare="\n".join(f"    {line}" for line in _prepare(rule, given, artifact.layout)),
        dequantise=_dequantised(gives),
        kind=artifact.output_kind if artifact.output_kind in KINDS else "as the file gives them",
        surest="\n".join(TO_SHARES.get(artifact.output_kind, ("    # these are shares already",))),
    )


def _pixels(rule: Preprocessing, size: tuple[int, int, int]) -> Iterator[str]:
    """Yield the lines of `pixels`; the twin of `edgebench.images.resizing.resize_image`."""
    height, width, channels = size
    yield "with Image.open(path) as image:"
    if rule.upright:
        yield "    image = ImageOps.exif_transpose(image)"
    yield '    if image.mode.startswith("I;16"):  # Pillow clips 16-bit grey at 255 instead of scaling it'
    yield "        image = Image.fromarray((np.asarray(image) // 256).astype(np.uint8))"
    yield f"    image = image.convert({'L' if channels == 1 else 'RGB'!r})"
    if rule.cut:
        yield f"edge = int({rule.cut!r} * min(image.size))"
        yield "left, top = (image.width - edge) // 2, (image.height - edge) // 2"
        yield "image = image.crop((left, top, left + edge, top + edge))"
    yield from _resized(rule, height, width)
    to_size = not rule.resize or (rule.fit == "exact" and rule.resize == (height, width))
    if rule.fit == "none" or not to_size:
        yield from _cropped(rule, height, width)
    yield f"return np.asarray(image, np.uint8).reshape({height}, {width}, {channels})"


def _resized(rule: Preprocessing, height: int, width: int) -> Iterator[str]:
    if rule.fit == "none":
        return
    if not rule.resize:
        target = f"({width}, {height})"
    elif len(rule.resize) == 2 and rule.fit == "exact":
        target = f"({rule.resize[1]}, {rule.resize[0]})"
    elif len(rule.resize) == 2:
        name = "min" if rule.fit == "cover" else "max"
        yield f"ratio = {name}(image.height / {rule.resize[0]!r}, image.width / {rule.resize[1]!r})"
        target = "(max(1, round(image.width / ratio)), max(1, round(image.height / ratio)))"
    else:
        yield f"edge, w, h = {rule.resize[0]!r}, image.width, image.height"
        target = "(edge, int(edge * h / w)) if w <= h else (int(edge * w / h), edge)"
    yield f"size = {target}"
    yield f"image = image if image.size == size else image.resize(size, Image.Resampling.{rule.resample.upper()})"


def _cropped(rule: Preprocessing, height: int, width: int) -> Iterator[str]:
    if rule.crop == "none":
        yield f"if image.size != ({width}, {height}):"
        yield f'    raise ValueError(f"{{path}} comes out at {{image.size}}, the model takes {(width, height)}")'
        return
    yield f"left, top = image.width - {width}, image.height - {height}"
    if rule.crop == "round":
        yield "left, top = (round(n / 2) if n > 0 else -(-n // 2) for n in (left, top))"
    else:
        yield "left, top = left // 2, top // 2"
    if any(rule.fill):
        yield f"cut = Image.new(image.mode, ({width}, {height}), {tuple((*rule.fill, *rule.fill, *rule.fill)[:3])!r}"
        yield '                if image.mode == "RGB" else ' + f"{rule.fill[0]!r})"
        yield "cut.paste(image, (-left, -top))"
        yield "image = cut"
    else:
        yield f"image = image.crop((left, top, left + {width}, top + {height}))"


def _prepare(rule: Preprocessing, spec: TensorSpec, layout: str) -> Iterator[str]:
    """Yield the lines of `prepare`; the twin of `model_input` in `edgebench.runner.preprocess`."""
    shape = f"reshape({tuple(int(n) for n in spec.shape)!r})"
    whole = not spec.dtype.startswith("float")
    yield "x = image[None]" if whole else "x = image[None].astype(np.float32)"
    if rule.channels == "BGR":
        yield "x = x[..., ::-1]"
    yield from _looked_up(rule, spec) if whole else _normalised(rule)
    if layout == "NCHW":
        yield "x = x.transpose(0, 3, 1, 2)"
    yield f"return np.ascontiguousarray(x{'' if whole else f'.astype({spec.dtype!r})'}).{shape}"


def _normalised(rule: Preprocessing) -> Iterator[str]:
    if rule.scale != 1.0:
        yield f"x = x * np.float32({float(rule.scale)!r})"
    if any(rule.mean):
        yield f"x = x - np.array({_numbers(rule.mean)}, np.float32)"
    if any(value != 1.0 for value in rule.std):
        yield f"x = x / np.array({_numbers(rule.std)}, np.float32)"


def _looked_up(rule: Preprocessing, spec: TensorSpec) -> Iterator[str]:
    """Yield the table of the 256 values of a pixel, computed once more in float64, and the look into it."""
    yield f"steps = np.arange(256.0)[:, None] * {float(rule.scale)!r} - np.array({_numbers(rule.mean)})"
    yield f"steps = steps / np.array({_numbers(rule.std)})"
    if spec.scale > 0:
        yield f"steps = steps / {float(spec.scale)!r} + {int(spec.zero_point)!r}"
    yield f"steps = np.floor(steps + {0.5 + ALMOST!r})  # to the nearest whole number, halves up"
    yield f"table = np.clip(steps, np.iinfo({spec.dtype!r}).min, np.iinfo({spec.dtype!r}).max).astype({spec.dtype!r})"
    yield "channels = np.arange(x.shape[-1])"
    yield "x = np.broadcast_to(table, (256, len(channels)))[x, channels]"


def _dequantised(spec: TensorSpec) -> str:
    if spec.scale <= 0:
        return "values"
    return f"(values - np.float32({int(spec.zero_point)!r})) * np.float32({float(spec.scale)!r})"


def _numbers(values: tuple[float, ...]) -> str:
    return repr([float(value) for value in values])


def _template(name: str) -> str:
    return resources.files("edgebench.pipeline.shipping").joinpath(f"templates/{name}.txt").read_text(encoding="utf-8")
