"""An accuracy job in pieces: as many processes as there are cores, one thread each, and their outputs as one."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from edgebench.devices.base import Outcome
from edgebench.records import OK, Job

LEAST_IMAGES = 64  # of one process: below that its start takes longer than its work


def pieces(job: Job) -> list[Job]:
    """Cut an accuracy job on the CPU into jobs of neighbouring images; any other job is one piece.

    A process computes each image as it would alone, so what comes together is what one process would have said.
    """
    if job.kind != "accuracy" or not job.images or job.settings.accelerator != "cpu" or job.settings.threads != 1:
        return [job]
    images = len(np.load(job.images, mmap_mode="r", allow_pickle=False))
    count = min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1, images // LEAST_IMAGES)
    if count < 2:
        return [job]
    batch = job.settings.batch
    ends = [round(images * at / count / batch) * batch for at in range(count)] + [images]
    settings = dataclasses.replace(job.settings, pin=False)  # to one core, which would be the same one for all
    return [
        dataclasses.replace(job, first=first, last=last, settings=settings)
        for first, last in pairwise(ends)
        if first < last
    ]


def together(job: Job, outcomes: Sequence[Outcome]) -> Outcome:
    """Return the outcome of the whole job; where a piece failed, that piece's."""
    runs = [outcome.run for outcome in outcomes]
    bad = [run for run in runs if run.status != OK]
    first = bad[0] if bad else runs[0]
    alike = dict.fromkeys(run.reason for run in bad if run.status == first.status)  # each counted its own images
    run = dataclasses.replace(
        first,
        reason="; ".join(alike),
        settings=job.settings,
        images=sum(one.images for one in runs),
        seconds=max(one.seconds for one in runs),
    )
    outputs = [outcome.outputs for outcome in outcomes if outcome.outputs is not None]
    return Outcome(run, np.concatenate(outputs) if len(outputs) == len(outcomes) else None)
