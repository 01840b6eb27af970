"""What every artifact must pass: one run in a fresh process, and parity with the source model's own outputs."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from edgebench import registry
from edgebench.devices.base import Outcome
from edgebench.devices.local import LocalDevice
from edgebench.errors import EdgebenchError
from edgebench.files import sha256_file
from edgebench.measures import accuracy as drift
from edgebench.pipeline.labels import variant_lies
from edgebench.records import FAILED, NAN, OK, Job, Preprocessing, Run, Settings, TensorSpec
from edgebench.variants import PRECISIONS, parts

TIMEOUT_SECONDS = 900.0
WORSE_THAN_NOTHING = "parity is {:.1f} dB: its outputs are further from the source model's than zeros would be"


@dataclass(frozen=True)
class Verdict:
    """What the gate found. `input` and `output` are the runtime's own words, None where it never ran."""

    status: str
    reason: str
    input: TensorSpec | None = None
    output: TensorSpec | None = None
    parity_db: float | None = None
    notes: tuple[str, ...] = ()


def run_gate(
    device: LocalDevice,
    file: Path,
    variant: str,
    sha256: str,
    preprocessing: Preprocessing,
    parity: Path,
    reference: Path,
) -> Verdict:
    """Run `file` on the images in `parity` in a fresh process and hold its outputs against `reference` (.npy)."""
    try:
        outcome = run_once(device, file, variant, sha256, preprocessing, parity)
    except EdgebenchError as error:
        return Verdict(FAILED, f"one run in a fresh process: {error}")
    run = outcome.run
    if run.status != OK or outcome.outputs is None:
        return Verdict(run.status, f"one run in a fresh process: {run.reason}", run.input, run.output)
    expected = np.load(reference, allow_pickle=False)
    verdict = judge(run, outcome.outputs, expected, parts(variant)[1])
    wrong = variant_lies(variant, file) if verdict.status == OK else ""
    return dataclasses.replace(verdict, status=FAILED, reason=wrong) if wrong else verdict


def run_once(
    device: LocalDevice, file: Path, variant: str, sha256: str, preprocessing: Preprocessing, images: Path
) -> Outcome:
    """Run an artifact over `images` (uint8 NHWC .npy) in a fresh process on its format's preferred runtime."""
    runtime = registry.runtimes_of(parts(variant)[0])[0]
    job = Job(
        kind="accuracy",
        artifact=device.put(file, sha256),
        artifact_sha256=sha256,
        runtime=runtime.name,
        runtime_module=runtime.module,
        input=None,
        output=None,
        layout="",
        preprocessing=preprocessing,
        images=str(images.absolute()),
        images_sha256=sha256_file(images),
        settings=Settings(timeout_seconds=TIMEOUT_SECONDS, pin=False),
    )
    return device.run(job, lambda _: None)


def judge(run: Run, outputs: npt.NDArray[np.float32], reference: npt.NDArray[np.float32], precision: str) -> Verdict:
    """Hold outputs (images, classes) against the reference's."""

    def verdict(status: str, reason: str, ratio: float | None = None, *notes: str) -> Verdict:
        return Verdict(status, reason, run.input, run.output, ratio, notes)

    if not np.isfinite(reference).all():
        return verdict(NAN, "the source model itself gives outputs that are not finite on the gate's inputs")
    if outputs.shape != reference.shape:
        return verdict(FAILED, f"gives outputs of shape {outputs.shape}, the source model {reference.shape}")
    if not np.isfinite(outputs).all():
        return verdict(NAN, "gives outputs that are not finite numbers on the gate's inputs")
    if not reference.any():
        return verdict(FAILED, "the source model gives zeros on every input of the gate: nothing to compare")
    ratio = drift.sqnr_db(outputs, reference)
    if math.isinf(ratio):
        return verdict(OK, "", None, "outputs equal the source model's bit for bit on the gate's inputs")
    required = PRECISIONS[precision].least_parity_db if precision in PRECISIONS else -math.inf
    if ratio < required:
        return verdict(FAILED, f"parity with the source model is {ratio:.1f} dB, {required:.0f} are required", ratio)
    worse = (WORSE_THAN_NOTHING.format(ratio),) if ratio < 0 else ()
    spread = float(np.ptp(reference, axis=0).max())
    if np.ptp(outputs, axis=0).max() == 0 < spread:
        step = run.output.scale if run.output is not None and run.output.scale else float(np.abs(reference).max()) / 255
        if spread > 2 * step:
            return verdict(FAILED, "gives the same output for every input of the gate", ratio)
        step_note = "the source model's outputs differ by less than one step of the output's scale"
        return verdict(OK, "", ratio, *worse, step_note)
    return verdict(OK, "", ratio, *worse)
