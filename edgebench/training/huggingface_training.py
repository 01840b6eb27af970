"""Training a Hugging Face checkpoint's classifier through `transformers.Trainer`: the head alone, then all of it."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from edgebench.converters.huggingface.checkpoint import open_checkpoint
from edgebench.converters.huggingface.source import locate
from edgebench.errors import EdgebenchError, MissingExtraError
from edgebench.records import EpochRecord, PhaseRecord, Preprocessing
from edgebench.training.bases import Base
from edgebench.training.data import Part
from edgebench.training.events import Note
from edgebench.training.huggingface_network import Whole, build, save
from edgebench.training.huggingface_phase import BEST, Course, PhaseRun
from edgebench.training.huggingface_rows import images_of, probabilities
from edgebench.training.huggingface_trainer import device
from edgebench.training.job import EPOCHS, INTERRUPTED, Fit, Job
from edgebench.training.phases import Phase, Stopped, phases
from edgebench.training.settings import Training

try:
    from edgebench.converters.huggingface import torchvision_operators  # noqa: F401  # isort: skip (before transformers)
    import torch
    import transformers

    from edgebench.converters.huggingface.converter import configured_size, own_rule
    from edgebench.converters.huggingface.network import quiet
except ModuleNotFoundError as error:
    raise MissingExtraError(error.name or "torch", "huggingface", "training a Hugging Face checkpoint") from error


def input_of(training: Training, base: Base) -> tuple[Preprocessing, tuple[int, int, int]]:
    """Return the checkpoint's own preprocessing and input size. Raises UsageError where it has no processor."""
    del training
    checkpoint = open_checkpoint(locate(base.checkpoint))
    channels = int(checkpoint.config.get("num_channels") or 3)
    size = configured_size(checkpoint.config.get("image_size"))
    preprocessing, height, width = own_rule(checkpoint, size, channels)
    return preprocessing, (height, width, channels)


def fit(job: Job) -> Fit:
    """Train, or go on where an interrupted training of the same key stopped, and return the best epoch's network."""
    where = device(job.training)
    if job.training.mixed_precision and where == "cpu":
        job.tell(Note("this machine computes a checkpoint in float32 alone: no mixed precision"))
    transformers.enable_full_determinism(job.training.seed, warn_only=True)
    with quiet():
        return _Fitting(job, build(job).to(where)).run()


class _Fitting:
    """One training on its way: a Trainer a phase, with its checkpoints in the state's folder."""

    def __init__(self, job: Job, network: Any) -> None:
        self._job, self._network = job, network
        self._preprocessing, _ = input_of(job.training, job.base)
        self._course = Course([], [], EPOCHS)

    def run(self) -> Fit:
        """Train every phase that is not finished, then judge the best epoch."""
        job, course = self._job, self._course
        restored = job.state.load("phases")
        if restored:
            course.history = [EpochRecord(**epoch) for epoch in restored[0]["history"]]
            course.phases = [PhaseRecord(**phase) for phase in restored[0]["phases"]]
            course.stopped = restored[0]["stopped"]
        try:
            for phase in phases(job.training, job.base)[len(course.phases) :]:
                if phase.index:
                    self._load_best()
                self._train(phase)
        except Stopped:
            course.stopped = INTERRUPTED
        if not course.history:
            raise EdgebenchError("stopped before the first epoch was through: there is nothing to keep")
        self._load_best()
        return Fit(
            save=lambda folder: save(self._network, job, folder),
            probabilities=self._outputs(job.judged),
            history=tuple(course.history),
            phases=tuple(course.phases),
            stopped=course.stopped,
            parameters=sum(parameter.numel() for parameter in self._network.parameters()),
            tools={"torch": torch.__version__, "transformers": transformers.__version__, "numpy": np.__version__},
        )

    def _train(self, phase: Phase) -> None:
        running = PhaseRun(self._job, self._network, self._preprocessing, self._course, phase)
        running.run()
        self._course.phases.append(running.record())
        self._job.state.save("phases", dataclasses.asdict(self._course))

    def _load_best(self) -> None:
        """Put the best epoch's weights into the network."""
        found = self._job.state.load(BEST)
        assert found is not None
        names = found[0]["names"]
        assert set(names) <= set(self._network.state_dict())
        values = (torch.from_numpy(value) for value in found[1]["weights"])
        self._network.load_state_dict(dict(zip(names, values, strict=True)), strict=False)

    def _outputs(self, part: Part) -> npt.NDArray[np.float32]:
        return probabilities(Whole(self._network, frozen=False), images_of(part, self._preprocessing))
