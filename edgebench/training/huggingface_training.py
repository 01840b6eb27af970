"""Training a Hugging Face checkpoint's classifier through `transformers.Trainer`: the head alone, then all of it."""

from __future__ import annotations

import dataclasses
import json
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgebench.converters.huggingface.checkpoint import CONFIG, PROCESSOR, open_checkpoint
from edgebench.converters.huggingface.preprocessing import describe
from edgebench.converters.huggingface.source import locate
from edgebench.errors import EdgebenchError, MissingExtraError, UsageError
from edgebench.images.stored import StoredRows, new_rows
from edgebench.records import EpochRecord, PhaseRecord, Preprocessing
from edgebench.training.bases import Base
from edgebench.training.data import Part
from edgebench.training.events import Epoch, Progress, Started, Step
from edgebench.training.huggingface_trainer import (
    PREDICT_BATCH,
    EdgebenchTrainer,
    Head,
    Order,
    Rows,
    Whole,
    arguments,
    head_of,
    probabilities,
)
from edgebench.training.job import EARLY, EPOCHS, INTERRUPTED, Fit, Job
from edgebench.training.phases import (
    HEAD,
    Phase,
    Stopped,
    best_of,
    class_weights,
    judge,
    out_of_patience,
    phases,
    seeds,
)
from edgebench.training.settings import Training

try:
    from edgebench.converters.huggingface import torchvision_operators  # noqa: F401  # isort: skip (before transformers)
    import torch
    import transformers

    from edgebench.converters.huggingface.network import quiet, read_processor
except ModuleNotFoundError as error:
    raise MissingExtraError(error.name or "torch", "huggingface", "training a Hugging Face checkpoint") from error

BEST = "best"


def input_of(training: Training, base: Base) -> tuple[Preprocessing, tuple[int, int, int]]:
    """Return the checkpoint's own preprocessing and input size. Raises UsageError where it has no processor."""
    del training
    checkpoint = open_checkpoint(locate(base.checkpoint))
    channels = int(checkpoint.config.get("num_channels") or 3)
    size = checkpoint.config.get("image_size")
    square = (size, size) if isinstance(size, int) else None
    preprocessing, height, width = describe(read_processor(checkpoint), square, channels)
    return preprocessing, (height, width, channels)


def fit(job: Job) -> Fit:
    """Train, or go on where an interrupted training of the same key stopped, and return the best epoch's network."""
    _refuse(job.training)
    device = _device(job.training)
    transformers.enable_full_determinism(job.training.seed, warn_only=True)
    with quiet():
        network = _network(job).to(device)
        return _Fitting(job, network).run()


class _Fitting:
    """One training on its way: a Trainer a phase, with its checkpoints in the state's folder."""

    def __init__(self, job: Job, network: Any) -> None:
        self.job, self.network = job, network
        self.history: list[EpochRecord] = []
        self.phases: list[PhaseRecord] = []
        self.stopped = EPOCHS

    def run(self) -> Fit:
        """Train every phase that is not finished, then judge the best epoch."""
        job = self.job
        restored = job.state.load("phases")
        if restored:
            self.history = [EpochRecord(**epoch) for epoch in restored[0]["history"]]
            self.phases = [PhaseRecord(**phase) for phase in restored[0]["phases"]]
            self.stopped = restored[0]["stopped"]
        try:
            for phase in phases(job.training, job.base)[len(self.phases) :]:
                if phase.index:
                    self.load_best()
                self._train(phase)
        except Stopped:
            self.stopped = INTERRUPTED
        if not self.history:
            raise EdgebenchError("stopped before the first epoch was through: there is nothing to keep")
        self.load_best()
        outputs = _outputs(self.network, job, job.judged)
        return Fit(
            save=self._save,
            probabilities=outputs,
            history=tuple(self.history),
            phases=tuple(self.phases),
            stopped=self.stopped,
            parameters=sum(parameter.numel() for parameter in self.network.parameters()),
            tools={"torch": torch.__version__, "transformers": transformers.__version__, "numpy": np.__version__},
        )

    def _train(self, phase: Phase) -> None:
        running = _PhaseRun(self, phase)
        running.run()
        self.phases.append(running.record())
        facts = {
            "history": [dataclasses.asdict(epoch) for epoch in self.history],
            "phases": [dataclasses.asdict(done) for done in self.phases],
            "stopped": self.stopped,
        }
        self.job.state.save("phases", facts)

    def load_best(self) -> None:
        """Put the best epoch's weights into the network."""
        found = self.job.state.load(BEST)
        assert found is not None
        own = self.network.state_dict()
        values = (torch.from_numpy(value) for value in found[1]["weights"])
        self.network.load_state_dict(dict(zip(found[0]["names"], values, strict=True)), strict=False)
        assert set(found[0]["names"]) <= set(own)

    def _save(self, folder: Path) -> None:
        """Write the checkpoint with its processor, beside it first, then moved file by file."""
        temporary = folder / ".checkpoint.tmp"
        source = locate(self.job.base.checkpoint)
        try:
            with quiet():
                self.network.save_pretrained(temporary)
            shutil.copyfile(source / PROCESSOR, temporary / PROCESSOR)
            for file in sorted(temporary.iterdir(), key=lambda file: file.name == CONFIG):
                file.replace(folder / file.name)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


class _PhaseRun(transformers.TrainerCallback):  # type: ignore[misc]  # transformers carries no types here
    """One phase: a Trainer over images, or over the cached inputs of the head; and what it is told by the Trainer."""

    def __init__(self, fitting: _Fitting, phase: Phase) -> None:
        self.fitting, self.job, self.phase = fitting, fitting.job, phase
        network, job = fitting.network, fitting.job
        self.head = head_of(network) if phase.name == HEAD else None
        for parameter in network.parameters():
            parameter.requires_grad = phase.name != HEAD
        if self.head is not None:
            for parameter in self.head[1].parameters():
                parameter.requires_grad = True
        cached = phase.name == HEAD and job.training.cache_features and not job.training.augment
        self.features_seconds: float | None = None
        self.model: Any = Head(self.head[1]) if self.head and cached else Whole(network, frozen=phase.name == HEAD)
        self.train, self.val = (
            self._features() if cached else (self._images(job.data.train), self._images(job.data.val))
        )
        self.steps = -(-len(job.data.train.labels) // job.training.batch)
        self.folder = job.state.folder / f"phase-{phase.index}"
        self.step_ms: list[float] = []
        self.started = 0.0
        self.before = [epoch for epoch in fitting.history if epoch.phase == phase.name]
        self.optimizer_bytes = 0

    def run(self) -> None:
        """Train the phase, or go on with it."""
        job, training = self.job, self.job.training
        checkpoint = _last_checkpoint(self.folder)
        if checkpoint:
            self.before = [EpochRecord(**e) for e in json.loads((checkpoint / "edgebench.json").read_text())]
            others = [epoch for epoch in self.fitting.history if epoch.phase != self.phase.name]
            self.fitting.history[:] = [*others, *self.before]
        learning = sum(p.numel() for p in self.model.parameters() if p.requires_grad)
        job.tell(Started(self.phase.name, self.phase.epochs, self.steps, learning, len(self.before)))
        self.trainer = trainer = EdgebenchTrainer(
            self.model,
            self.train,
            Order(training, self.phase.index, len(self.train)),
            arguments(training, self.phase, self.folder),
            class_weights(training, job.data.train, len(job.data.classes)),
            self,
        )
        if not (self.before and out_of_patience(training, self.fitting.history, self.phase.name)):
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        if trainer.optimizer is not None:
            state = trainer.optimizer.state_dict()["state"].values()
            self.optimizer_bytes = sum(
                value.numel() * value.element_size()
                for entry in state
                for value in entry.values()
                if torch.is_tensor(value)
            )
        self.learning = learning
        if job.stopped():
            raise Stopped

    def record(self) -> PhaseRecord:
        """Return what the phase cost."""
        mine = [epoch for epoch in self.fitting.history if epoch.phase == self.phase.name]
        return PhaseRecord(
            name=self.phase.name,
            epochs=len(mine),
            seconds=round(sum(epoch.seconds for epoch in mine) + (self.features_seconds or 0), 3),
            step_ms=round(float(np.median(self.step_ms)), 3) if self.step_ms else None,
            batch=self.job.training.batch,
            parameters_trainable=self.learning,
            optimizer_bytes=self.optimizer_bytes,
            features_seconds=self.features_seconds,
        )

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Seed what is random by the epoch alone, so that it can be resumed."""
        epoch = round(state.epoch or 0)
        torch.manual_seed(int(seeds(self.job.training, self.phase.index, epoch, 1)[0, 0]))
        self.trainer.tally[:] = 0
        self.started = time.perf_counter()

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Take the time of a step."""
        self._step = time.perf_counter()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:  # noqa: ARG002
        """Tell how far it is; stop where the user wants it."""
        self.step_ms.append(1000 * (time.perf_counter() - self._step))
        done = state.global_step
        self.job.tell(Step(self.phase.name, (done - 1) // self.steps + 1, (done - 1) % self.steps + 1))
        if self.job.stopped():
            control.should_training_stop = True
            control.should_save = False
        return control

    def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> Any:  # noqa: ARG002
        """Validate, keep the best epoch, and stop early."""
        epoch = round(state.epoch)
        if self.job.stopped() and state.global_step < epoch * self.steps:
            control.should_save = False
            return control
        verdict = judge(probabilities(self.model, self.val), self.job.data.val.labels)
        seconds = time.perf_counter() - self.started
        history = self.fitting.history
        rate = float(kwargs["lr_scheduler"].get_last_lr()[0])
        loss, right, seen = (float(value) for value in self.trainer.tally)
        history.append(
            EpochRecord(
                self.phase.name, epoch, loss / seen, right / seen, verdict.loss, verdict.accuracy,
                rate, round(seconds, 4),
            )
        )  # fmt: skip
        if not np.isfinite(history[-1].loss):
            raise EdgebenchError(f"the loss of epoch {epoch} is not a number: the learning rate is too high")
        best = best_of(history) == len(history) - 1
        if best:
            self._keep_best()
        self.job.tell(
            Epoch(
                self.phase.name, epoch, self.phase.epochs, history[-1].loss, history[-1].accuracy, verdict.loss,
                verdict.accuracy, seconds, best,
            )
        )  # fmt: skip
        if out_of_patience(self.job.training, history, self.phase.name) and epoch < self.phase.epochs:
            self.fitting.stopped = EARLY
            control.should_training_stop = True
        return control

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Put the history beside the Trainer's own checkpoint: with it the checkpoint is whole."""
        mine = [dataclasses.asdict(e) for e in self.fitting.history if e.phase == self.phase.name]
        folder = self.folder / f"checkpoint-{state.global_step}"
        (folder / "edgebench.json.tmp").write_text(json.dumps(mine))
        (folder / "edgebench.json.tmp").replace(folder / "edgebench.json")

    def _keep_best(self) -> None:
        prefix = f"{self.head[0]}." if self.head else ""
        kept = {n: v for n, v in self.fitting.network.state_dict().items() if n.startswith(prefix)}
        arrays = [value.detach().cpu().numpy() for value in kept.values()]
        self.job.state.save(BEST, {"names": list(kept)}, weights=arrays)

    def _images(self, part: Part) -> Rows:
        preprocessing, _ = input_of(self.job.training, self.job.base)
        return Rows(StoredRows(part.images), part.labels, preprocessing)

    def _features(self) -> tuple[Rows, Rows]:
        """Compute, or find, what the frozen network feeds to its head."""
        start = time.perf_counter()
        found = []
        assert self.head
        for name, part in (("train", self.job.data.train), ("val", self.job.data.val)):
            path = self.job.state.folder / "features" / f"{name}.npy"
            if not path.exists():
                self._write_features(path, name, part)
            found.append(Rows(StoredRows(path), part.labels, None))
        self.features_seconds = round(time.perf_counter() - start, 3)
        return found[0], found[1]

    def _write_features(self, path: Path, name: str, part: Part) -> None:
        assert self.head
        network, seen = self.fitting.network.eval(), []
        hook = self.head[1].register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0].detach()))
        images = self._images(part)
        try:
            with torch.inference_mode():
                network(pixel_values=images.pixels([0]).to(network.device))
                shape = (len(images), *seen.pop().shape[1:])
                with new_rows(path, shape) as add:
                    for start in range(0, len(images), PREDICT_BATCH):
                        if self.job.stopped():
                            raise Stopped
                        network(pixel_values=images.pixels(range(start, min(start + PREDICT_BATCH, len(images)))))
                        add(seen.pop().cpu().numpy())
                        self.job.tell(
                            Progress(f"features of {name}", min(start + PREDICT_BATCH, len(images)), len(images))
                        )
        finally:
            hook.remove()


def _last_checkpoint(folder: Path) -> Path | None:
    """Return the newest checkpoint that was written whole."""
    whole = [path.parent for path in folder.glob("checkpoint-*/edgebench.json")]
    return max(whole, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def _network(job: Job) -> Any:
    """Build the classifier with a new head, and load the checkpoint's weights where they are wanted."""
    folder = locate(job.base.checkpoint)
    checkpoint = open_checkpoint(folder)
    classes = job.data.classes
    labels = {
        "num_labels": len(classes),
        "id2label": dict(enumerate(classes)),
        "label2id": {name: index for index, name in enumerate(classes)},
    }
    torch.manual_seed(job.training.seed)
    try:
        if not job.base.pretrained:
            config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
            config.update(labels)
            return transformers.AutoModelForImageClassification.from_config(config, attn_implementation="eager")
        network = transformers.AutoModelForImageClassification.from_pretrained(
            folder,
            ignore_mismatched_sizes=True,
            dtype=torch.float32,
            attn_implementation="eager",
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=not checkpoint.pickled,
            weights_only=True,
            **labels,
        )
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UsageError(f"cannot train {folder}: {reason}") from error
    torch.manual_seed(job.training.seed)
    for module in head_of(network)[1].modules():  # a head for as many classes must begin afresh, too
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    return network


def _outputs(network: Any, job: Job, part: Part) -> npt.NDArray[np.float32]:
    preprocessing, _ = input_of(job.training, job.base)
    with StoredRows(part.images) as images:
        return probabilities(Whole(network, frozen=False), Rows(images, part.labels, preprocessing))


def _device(training: Training) -> str:
    if training.device == "gpu" and not torch.cuda.is_available():
        raise UsageError("--device gpu: torch sees no GPU on this machine; leave --device out to train on the CPU")
    return "cuda" if training.device != "cpu" and torch.cuda.is_available() else "cpu"


def _refuse(training: Training) -> None:
    """Say which settings a checkpoint cannot take, instead of passing over them."""
    if training.head:
        raise UsageError("--head does not go with a checkpoint: its classifier has its own head")
    if training.augment:
        raise UsageError("--augment does not go with a checkpoint yet: its layers are Keras'")
