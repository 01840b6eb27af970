"""An app's predict.py on photos of odd sizes and modes, held against what is measured for the same files."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from edgebench.devices.local import LocalDevice
from edgebench.errors import UsageError
from edgebench.files import scratch_folder
from edgebench.images.evaluation import evaluation_set, open_dataset
from edgebench.pipeline.acceptance import run_once
from edgebench.pipeline.artifacts import Found
from edgebench.pipeline.scoring import image_size
from edgebench.records import OK

PHOTOS = 50
MODES = ("RGB", "L", "RGBA", "P", "CMYK", "I;16", "LA", "1")
ORIENTATION, ORIENTATIONS = 0x0112, 8  # of EXIF: how a camera was held
SUFFIXES = {"CMYK": ".jpg", "RGB": ".jpg"}
SEED = 20
TIMEOUT_SECONDS = 900
ASK = """
import sys
from pathlib import Path
import numpy as np
app, photos, out = sys.argv[1:]
sys.path.insert(0, app)
import predict
files = sorted(Path(photos).iterdir())
np.save(out, np.stack([predict.outputs(file) for file in files]))
"""


def hold_against_measured(found: Found, app: Path) -> None:
    """Raise UsageError where the app's outputs for made-up photos are not the measured ones, bit for bit."""
    with scratch_folder() as folder:
        photos, out = folder / "photos", folder / "outputs.npy"
        write_photos(photos)
        theirs = _asked(app, photos, out)
        ours = measured(found, photos, folder / "cache")
    if theirs.shape != ours.shape:
        raise UsageError(f"{app.name}: predict.py gives outputs of shape {theirs.shape}, {ours.shape} were measured")
    if not np.array_equal(theirs, ours):
        worst = float(np.abs(theirs - ours).max())
        raise UsageError(
            f"predict.py differs from what is measured for {found.artifact.label} by up to {worst:.3g} on "
            f"{int((theirs != ours).any(axis=1).sum())} of {len(ours)} photos: nothing was shipped"
        )


def write_photos(folder: Path) -> None:
    """Write seeded photos of odd sizes, held in every way, in every mode of a photo: nothing smaller than 3 pixels."""
    folder.mkdir(parents=True)
    generator = np.random.default_rng(SEED)
    for number in range(PHOTOS):
        mode = MODES[number % len(MODES)]
        width, height = (int(edge) for edge in generator.integers(3, 400, 2))
        noise = generator.integers(0, 256, (max(1, height // 8), max(1, width // 8), 3), dtype=np.uint8)
        image = Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)
        if mode == "I;16":
            image = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
        else:
            image = image.convert(mode)
        exif = Image.Exif()
        exif[ORIENTATION] = 1 + number // len(MODES) % ORIENTATIONS
        image.save(folder / f"{number:02}{SUFFIXES.get(mode, '.png')}", exif=exif)


def measured(found: Found, photos: Path, cache: Path) -> npt.NDArray[np.float32]:
    """Return the outputs (images, classes) that the measuring path gives for the files of `photos`, in their order."""
    artifact = found.artifact
    assert artifact.input is not None and artifact.preprocessing is not None and found.file is not None
    size = image_size(artifact.input, artifact.layout)
    pixels = evaluation_set(open_dataset(photos), artifact.preprocessing, size, cache)
    with LocalDevice() as device:
        outcome = run_once(device, found.file, artifact.variant, artifact.sha256, artifact.preprocessing, pixels.images)
    if outcome.run.status != OK or outcome.outputs is None:
        raise UsageError(f"{artifact.label} cannot be shipped: {outcome.run.status}: {outcome.run.reason}")
    return outcome.outputs


def _asked(app: Path, photos: Path, out: Path) -> npt.NDArray[np.float32]:
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", ASK, str(app), str(photos), str(out)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, env=environment, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise UsageError(f"predict.py gave no answer within {TIMEOUT_SECONDS} s: nothing was shipped") from error
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise UsageError(f"predict.py does not run here: {lines[-1] if lines else f'exit code {done.returncode}'}")
    return np.asarray(np.load(out, allow_pickle=False), np.float32)
