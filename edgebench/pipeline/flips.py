"""The images that flipped: by name, with both answers and confidences, the surest first, a few with a thumbnail."""

from __future__ import annotations

import base64
import io

import numpy as np
import numpy.typing as npt
from PIL import Image

from edgebench.measures.outputs import output_kind, probabilities
from edgebench.pipeline.scoring import Exam, answers_in_sets
from edgebench.records import Artifact, Flips

THUMBNAILS = 12
THUMBNAIL_PIXELS = 64


def find_flips(exam: Exam, outputs: npt.NDArray[np.float32], rows: tuple[int, ...], artifact: Artifact) -> Flips | None:
    """Return the images of `rows` (empty: all) on which artifact and reference choose another class.

    None without a reference, and where an answer is a set of labels: no class is chosen then.
    """
    kind = artifact.output_kind or output_kind(outputs)
    if exam.reference is None or answers_in_sets(kind, exam.labels):
        return None
    numbers = np.array(rows, np.int64) if rows else np.arange(len(outputs))
    at = np.flatnonzero(outputs.argmax(axis=1) != exam.reference.argmax(axis=1)[numbers])
    own, theirs = (
        probabilities(np.asarray(values, np.float64), kind) for values in (outputs[at], exam.reference[numbers[at]])
    )
    surest = np.argsort(-np.minimum(_most(own), _most(theirs)), kind="stable")
    own, theirs, numbers = own[surest], theirs[surest], numbers[at][surest]
    return Flips(
        names=tuple(exam.data.names[number] for number in numbers),
        labels=tuple(-1 if exam.labels is None else int(exam.labels[number]) for number in numbers),
        reference=tuple(int(choice) for choice in theirs.argmax(axis=1)),
        reference_confidence=tuple(round(float(share), 6) for share in _most(theirs)),
        artifact=tuple(int(choice) for choice in own.argmax(axis=1)),
        artifact_confidence=tuple(round(float(share), 6) for share in _most(own)),
        thumbnails=_thumbnails(exam, [int(number) for number in numbers[:THUMBNAILS]]),
        classes=artifact.labels or exam.data.classes,
    )


def _most(shares: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(shares.max(axis=1, initial=0.0))


def _thumbnails(exam: Exam, numbers: list[int]) -> tuple[str, ...]:
    images = np.load(exam.data.images, mmap_mode="r", allow_pickle=False)
    return tuple(_thumbnail(np.asarray(images[number])) for number in numbers)


def _thumbnail(pixels: npt.NDArray[np.uint8]) -> str:
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    image.thumbnail((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
    stream = io.BytesIO()
    image.save(stream, "PNG", optimize=True)
    return base64.b64encode(stream.getvalue()).decode()
