"""Raw outputs (images, classes) -> first choices, ranks, probabilities: the one way each is taken, ties included.

A tie, which int8 outputs often have, goes to the lower index everywhere, as argmax has it.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from edgebench.records import LABEL_LOGITS, LOGITS, PROBABILITIES, SCORES

CLIP = 1e-7
"""Probabilities are clipped to CLIP..1-CLIP before the logarithm, as Keras does, so that losses compare with its."""
CHUNK_ELEMENTS = 1 << 20
"""Outputs worked on at once: 8 MB as float64, so that memory does not grow with the number of images."""
KIND_IMAGES = 4096  # enough to tell logits from probabilities

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
Bits = npt.NDArray[np.bool_]


def chunks(outputs: Floats) -> Iterator[slice]:
    """Cut the images of (images, classes) into slices of bounded size."""
    step = max(1, CHUNK_ELEMENTS // max(1, outputs.shape[1]))
    return (slice(start, start + step) for start in range(0, len(outputs), step))


def output_kind(outputs: Floats) -> str:
    """Tell probabilities (rows sum to one), scores (in 0..1) and logits apart by the values of the first images."""
    first = np.asarray(outputs[:KIND_IMAGES])
    if first.min() < -1e-6 or first.max() > 1 + 1e-6:
        return LOGITS
    return PROBABILITIES if np.allclose(first.sum(axis=1), 1.0, atol=1e-3) else SCORES


def probabilities(values: Doubles, kind: str) -> Doubles:
    """Return what the outputs say as probabilities: the softmax of logits, other rows divided by their sum.

    Scores stay as they are, and label logits become them: their classes are independent.
    """
    if kind == SCORES:
        return values
    if kind == LABEL_LOGITS:
        return np.asarray(expit(values))
    if kind == LOGITS:
        powers = np.exp(values - values.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))
    return np.asarray(values / np.maximum(values.sum(axis=1, keepdims=True), CLIP))


def label_log_probability(values: Doubles, labels: Labels, kind: str) -> Doubles:
    """Return the logarithm of the label's probability, (images,); exact for logits, clipped for probabilities."""
    chosen = values[np.arange(len(labels)), labels]
    if kind == LOGITS:
        top = values.max(axis=1)
        return np.asarray(chosen - top - np.log(np.exp(values - top[:, None]).sum(axis=1)))
    total = np.maximum(values.sum(axis=1), CLIP)
    return np.asarray(np.log(np.clip(chosen / total, CLIP, 1 - CLIP)))


def ranks(outputs: Floats, labels: Labels) -> Labels:
    """Return how many classes stand before the label, (images,): higher outputs, and equal ones of lower index."""
    own = outputs[np.arange(len(labels)), labels][:, None]
    before = (outputs == own) & (np.arange(outputs.shape[1]) < labels[:, None])
    return np.asarray((outputs > own).sum(axis=1) + before.sum(axis=1), np.int64)


def ties(outputs: Floats) -> int:
    """Count the images whose highest output is shared by two classes or more."""
    return int(((outputs == outputs.max(axis=1, keepdims=True)).sum(axis=1) > 1).sum())


def pack(bits: Bits) -> str:
    """Write one bit an image as text; most are equal, so it is short."""
    return base64.b64encode(zlib.compress(np.packbits(bits).tobytes(), 6)).decode()


@lru_cache(maxsize=256)
def unpack(text: str, images: int) -> Bits:
    """Read `pack`'s text back, (images,), not to be written to. Raises ValueError where it is not that.

    The reference's bits are the same in all results of a model, so the last ones are kept.
    """
    decoder = zlib.decompressobj()
    content = decoder.decompress(base64.b64decode(text, validate=True), (images + 7) // 8 + 1)
    if len(content) != (images + 7) // 8:
        raise ValueError(f"the bits are not those of {images} images")
    bits = np.unpackbits(np.frombuffer(content, np.uint8), count=images).astype(bool)
    bits.flags.writeable = False
    return bits
