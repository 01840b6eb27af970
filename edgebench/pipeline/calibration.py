"""The images a conversion needs: those that set the ranges of int8, and those the gate compares outputs on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgebench.errors import UsageError
from edgebench.files import sha256_file, sha256_json
from edgebench.images.datasets import Dataset
from edgebench.images.evaluation import FOR_CALIBRATION, evaluation_set, open_dataset, stratified
from edgebench.records import Calibration, Preprocessing

PARITY_IMAGES = 16
PROOF_IMAGES = 4000
FOR_PROOF = ("val", "test", "train")
RANDOM = "random"
DATA = "data"


@dataclass(frozen=True)
class ImagePlan:
    """Which images will be used; nothing is decoded yet, as their size depends on the model."""

    dataset: Dataset | None  # None: seeded random images
    calibration: Calibration | None  # None: no images to calibrate on
    count: int
    seed: int
    proof: Dataset | None = None  # images that did not calibrate, for the promise of `mixed`

    @property
    def proof_hash(self) -> str:
        """What decides the proof; empty where there is none."""
        return "" if self.proof is None else _content_hash(self.proof)


@dataclass(frozen=True)
class Images:
    """Decoded images for one model: uint8 NHWC .npy files. `calibration` is None where there is nothing to use."""

    parity: Path
    calibration: Path | None
    described: str  # what the gate ran on, for the manifest
    notes: tuple[str, ...] = ()
    proof: Path | None = None
    proof_labels: tuple[int, ...] = ()


def plan_images(
    data: Path | None, random: bool, count: int, seed: int, labels: tuple[str, ...], proof: bool = False
) -> ImagePlan:
    """Choose `count` images of `data` (stratified by class, the train split where there is one), or random ones.

    With `proof` up to PROOF_IMAGES more that are not among them, from the val split, else test, else what there is.

    The hash covers the chosen files' contents in order, so it holds for every model and machine.
    """
    if random:
        return ImagePlan(None, Calibration(RANDOM, count, sha256_json([RANDOM, count, seed]), seed), count, seed)
    if data is None:
        return ImagePlan(None, None, count, seed)
    dataset = open_dataset(data, labels or None, FOR_CALIBRATION)
    chosen = dataset.subset(stratified(dataset.labels, count, seed))
    others = None
    if proof:
        pool = open_dataset(data, labels or None, FOR_PROOF)
        taken = set(chosen.items)
        rest = pool.subset([row for row, item in enumerate(pool.items) if item not in taken])
        others = rest.subset(stratified(rest.labels, PROOF_IMAGES, seed))
    return ImagePlan(chosen, Calibration(DATA, len(chosen.items), _content_hash(chosen), seed), count, seed, others)


def prepare_images(
    plan: ImagePlan, preprocessing: Preprocessing, size: tuple[int, int, int], cache: Path, folder: Path
) -> Images:
    """Decode the planned images for a model of input `size` (height, width, channels) into `folder`."""
    parity, calibration = folder / "parity.npy", folder / "calibration.npy"
    notes: tuple[str, ...] = ()
    if plan.dataset is None:
        pixels = random_images(max(plan.count, PARITY_IMAGES), size, plan.seed)
        what = f"{PARITY_IMAGES} seeded random inputs"
    else:
        found = evaluation_set(plan.dataset, preprocessing, size, cache / "evaluation-sets")
        pixels = np.load(found.images, allow_pickle=False)
        what = f"{min(PARITY_IMAGES, len(pixels))} images"
        if found.record.skipped:
            notes = (f"{len(found.record.skipped)} calibration images cannot be read: {found.record.skipped[0]}, ..",)
    rows = np.unique(np.linspace(0, len(pixels) - 1, PARITY_IMAGES).astype(int))
    np.save(parity, pixels[rows], allow_pickle=False)
    if plan.calibration is None:
        return Images(parity, None, what, notes)
    np.save(calibration, pixels, allow_pickle=False)
    if plan.proof is None or not plan.proof.items:
        return Images(parity, calibration, what, notes)
    proof = evaluation_set(plan.proof, preprocessing, size, cache / "evaluation-sets")
    labels = () if proof.record.multi_label else tuple(int(label) for label in proof.labels)
    return Images(parity, calibration, what, notes, proof.images, labels)


def random_images(count: int, size: tuple[int, int, int], seed: int) -> npt.NDArray[np.uint8]:
    """Return seeded random images with coarse structure, so that they are not all the same to a network."""
    height, width, channels = size
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 256, (count, 8, 8, channels))
    rows, columns = np.arange(height) * 8 // height, np.arange(width) * 8 // width
    noise = generator.integers(-32, 33, (count, height, width, channels))
    pixels: npt.NDArray[np.uint8] = np.clip(coarse[:, rows][:, :, columns] + noise, 0, 255).astype(np.uint8)
    return pixels


def _content_hash(dataset: Dataset) -> str:
    digest = hashlib.sha256()
    for item in dataset.items:
        if item.file is None:
            assert dataset.array is not None
            digest.update(hashlib.sha256(dataset.array[item.row].tobytes()).digest())
            continue
        try:
            digest.update(bytes.fromhex(sha256_file(item.file)))
        except OSError as error:
            raise UsageError(f"cannot read {item.file}: {error.strerror}") from error
    return digest.hexdigest()
