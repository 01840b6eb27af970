"""transformers.Trainer as edgebench uses it: orders by seed, its loss, its optimisers and its settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgebench.errors import MissingExtraError, UsageError
from edgebench.training.huggingface_rows import Rows
from edgebench.training.phases import Phase, order
from edgebench.training.settings import Training

try:
    from edgebench.converters.huggingface import torchvision_operators  # noqa: F401  # isort: skip (before transformers)
    import torch
    import transformers
except ModuleNotFoundError as error:
    raise MissingExtraError(error.name or "torch", "huggingface", "training a Hugging Face checkpoint") from error


def optimizer_of(training: Training, rate: float) -> tuple[Any, dict[str, Any]]:
    """Return the optimiser's class and its settings; Keras' are the same but for epsilon (1e-7 there)."""
    decay = {"lr": rate, "weight_decay": training.weight_decay}
    return {
        "adam": (torch.optim.Adam, decay),
        "adamw": (torch.optim.AdamW, decay),
        "sgd": (torch.optim.SGD, {**decay, "momentum": 0.9}),
        "rmsprop": (torch.optim.RMSprop, {**decay, "alpha": 0.9}),
    }[training.optimizer]


class Order(torch.utils.data.Sampler):  # type: ignore[misc]
    """The order of each epoch, of seed and epoch alone."""

    def __init__(self, training: Training, phase: int, images: int) -> None:
        self._of, self._epoch = (training, phase, images), 0

    def __len__(self) -> int:
        return self._of[2]

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch is next."""
        self._epoch = epoch

    def __iter__(self) -> Any:
        training, phase, images = self._of
        return iter(order(training, phase, self._epoch, images).tolist())


class EdgebenchTrainer(transformers.Trainer):  # type: ignore[misc]
    """transformers' Trainer with edgebench's orders, its loss by class weights, and counts of what is right."""

    def __init__(
        self,
        model: Any,
        rows: Rows,
        sampler: Order,
        settings: Any,
        optimizer: tuple[Any, dict[str, Any]],
        weights: npt.NDArray[np.float32],
        callback: Any,
    ) -> None:
        self._weights, self._sampler, self.tally = torch.from_numpy(weights), sampler, np.zeros(3)
        super().__init__(
            model=model,
            args=settings,
            train_dataset=rows,
            callbacks=[callback],
            optimizer_cls_and_kwargs=optimizer,
        )

    def _get_train_sampler(self, *arguments: Any, **kwargs: Any) -> Order:  # noqa: ARG002
        return self._sampler

    def compute_loss(self, model: Any, inputs: Any, return_outputs: bool = False, **kwargs: Any) -> Any:  # noqa: ARG002
        """Return the mean of the weighted cross-entropies."""
        labels = inputs["labels"]
        logits = model(**inputs)["logits"].float()
        each = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
        loss = (each * self._weights.to(logits.device)[labels]).mean()
        right = float((logits.argmax(1) == labels).sum())
        self.tally += (float(loss.detach()) * len(labels), right, len(labels))
        return (loss, {"logits": logits}) if return_outputs else loss


def device(training: Training) -> str:
    """Return torch's name of where to train. Raises UsageError where a GPU is asked for and there is none."""
    if training.device == "gpu" and not torch.cuda.is_available():
        raise UsageError("--device gpu: torch sees no GPU on this machine; leave --device out to train on the CPU")
    return "cuda" if training.device != "cpu" and torch.cuda.is_available() else "cpu"


def arguments(training: Training, phase: Phase, folder: Path) -> Any:
    """Return the Trainer's own settings for one phase, with its checkpoints in `folder`."""
    gpu = device(training) == "cuda"
    return transformers.TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=phase.epochs,
        per_device_train_batch_size=training.batch,
        learning_rate=phase.rate,
        lr_scheduler_type=training.schedule,
        weight_decay=training.weight_decay,
        seed=training.seed,
        data_seed=training.seed,
        save_strategy="epoch",
        save_total_limit=2,
        eval_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
        max_grad_norm=0.0,
        use_cpu=not gpu,
        fp16=training.mixed_precision and gpu,
    )
