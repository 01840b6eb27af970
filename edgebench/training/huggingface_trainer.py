"""What transformers.Trainer is given: rows from disk, orders by seed, the network or its head alone, and settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgebench.errors import MissingExtraError, UsageError
from edgebench.images.stored import StoredRows
from edgebench.records import Preprocessing
from edgebench.runner.preprocess import normalise
from edgebench.training.phases import Phase, order
from edgebench.training.settings import Training

try:
    from edgebench.converters.huggingface import torchvision_operators  # noqa: F401  # isort: skip (before transformers)
    import torch
    import transformers
except ModuleNotFoundError as error:
    raise MissingExtraError(error.name or "torch", "huggingface", "training a Hugging Face checkpoint") from error

PREDICT_BATCH = 32
HEADS = ("classifier", "head", "fc")


class Rows(torch.utils.data.Dataset):  # type: ignore[misc]
    """Images or features on disk as the Trainer reads them: `pixel_values` and `labels`."""

    def __init__(self, rows: StoredRows, labels: npt.NDArray[np.int64], preprocessing: Preprocessing | None) -> None:
        self._rows, self._labels, self._preprocessing = rows, labels, preprocessing

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, row: int) -> dict[str, Any]:
        return {"pixel_values": self.pixels([row])[0], "labels": torch.tensor(int(self._labels[row]))}

    def pixels(self, rows: Any) -> Any:
        """Return these rows as a float32 tensor, NCHW where they are images."""
        values = self._rows.take(rows)
        if self._preprocessing is not None:
            values = normalise(values, self._preprocessing, "NCHW")
        return torch.from_numpy(np.ascontiguousarray(values, np.float32))


class Head(torch.nn.Module):  # type: ignore[misc]
    """The head alone, on cached features."""

    def __init__(self, head: Any) -> None:
        super().__init__()
        self.head = head

    def forward(self, pixel_values: Any, labels: Any = None) -> dict[str, Any]:
        """Return logits; the loss is the Trainer's."""
        del labels
        return {"logits": self.head(pixel_values)}


class Whole(torch.nn.Module):  # type: ignore[misc]
    """The whole network; where its base is frozen all but the head stays in evaluation mode."""

    def __init__(self, network: Any, frozen: bool, keeps_statistics: bool = True) -> None:
        super().__init__()
        self.network, self.frozen, self.keeps_statistics = network, frozen, keeps_statistics

    def forward(self, pixel_values: Any, labels: Any = None) -> dict[str, Any]:
        """Return logits; the loss is the Trainer's."""
        del labels
        return {"logits": self.network(pixel_values=pixel_values).logits}

    def train(self, mode: bool = True) -> Any:
        """Batch normalisations learn no new statistics where the weights were pretrained."""
        super().train(mode and not self.frozen)
        if mode and self.frozen:
            head_of(self.network)[1].train(mode)
        if self.keeps_statistics:
            for module in self.network.modules():
                if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                    module.eval()
        return self


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
        self, model: Any, rows: Rows, sampler: Order, settings: Any, weights: npt.NDArray[np.float32], callback: Any
    ) -> None:
        self._weights, self._sampler, self.tally = torch.from_numpy(weights), sampler, np.zeros(3)
        super().__init__(model=model, args=settings, train_dataset=rows, callbacks=[callback])

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


def arguments(training: Training, phase: Phase, folder: Path) -> Any:
    """Return the Trainer's own settings for one phase, with its checkpoints in `folder`."""
    names = {"adam": "adamw_torch", "adamw": "adamw_torch", "sgd": "sgd", "rmsprop": "rmsprop"}
    gpu = training.device != "cpu" and torch.cuda.is_available()
    mixed = training.mixed_precision and gpu
    return transformers.TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=phase.epochs,
        per_device_train_batch_size=training.batch,
        learning_rate=phase.rate,
        lr_scheduler_type=training.schedule,
        optim=names[training.optimizer],
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
        fp16=mixed,
    )


def head_of(network: Any) -> tuple[str, Any]:
    """Return the classifier at the end of a network, by its name. Raises UsageError where it has none that is known."""
    for name in HEADS:
        module = getattr(network, name, None)
        if isinstance(module, torch.nn.Module):
            return name, module
    known = ", ".join(name for name, _ in network.named_children())
    raise UsageError(f"{type(network).__name__} has no head that edgebench knows (its parts: {known})")


def probabilities(model: Any, rows: Rows) -> npt.NDArray[np.float32]:
    """Return class probabilities (images, classes) of all rows, in evaluation mode."""
    model.eval()
    device = next(model.parameters()).device
    found = []
    with torch.inference_mode():
        for start in range(0, len(rows), PREDICT_BATCH):
            pixels = rows.pixels(range(start, min(start + PREDICT_BATCH, len(rows)))).to(device)
            found.append(torch.softmax(model(pixel_values=pixels)["logits"].float(), 1).cpu().numpy())
    return np.concatenate(found)
