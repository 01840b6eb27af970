"""What a Hugging Face training reads: images from disk as tensors, or the cached inputs of the head."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgebench.errors import MissingExtraError
from edgebench.images.stored import StoredRows, new_rows
from edgebench.records import Preprocessing
from edgebench.runner.preprocess import normalise
from edgebench.training.data import Part
from edgebench.training.events import Progress
from edgebench.training.job import Job
from edgebench.training.phases import Stopped

try:
    import torch
except ModuleNotFoundError as error:
    raise MissingExtraError(error.name or "torch", "huggingface", "training a Hugging Face checkpoint") from error

PREDICT_BATCH = 32


class Rows(torch.utils.data.Dataset):  # type: ignore[misc]
    """Images or features on disk as the Trainer reads them: `pixel_values` and `labels`.

    `changed` is given an image as float32 NCHW pixels 0..255 and its row, wherever one is read to be learned from.
    """

    def __init__(
        self,
        rows: StoredRows,
        labels: npt.NDArray[np.int64],
        preprocessing: Preprocessing | None,
        changed: Callable[[Any, int], Any] | None = None,
    ) -> None:
        self._rows, self._labels, self._preprocessing, self._changed = rows, labels, preprocessing, changed

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, row: int) -> dict[str, object]:
        label = torch.tensor(int(self._labels[row]))
        if self._changed is None:
            return {"pixel_values": self.pixels([row])[0], "labels": label}
        image = torch.from_numpy(self._rows.take([row]).astype(np.float32).transpose(0, 3, 1, 2))[0]
        return {"pixel_values": self._tensor(self._changed(image, row).permute(1, 2, 0)[None])[0], "labels": label}

    def pixels(self, rows: Any) -> Any:
        """Return these rows as a float32 tensor, NCHW where they are images."""
        return self._tensor(self._rows.take(rows))

    def _tensor(self, values: Any) -> Any:
        if self._preprocessing is not None:
            values = normalise(values, self._preprocessing, "NCHW")
        return torch.from_numpy(np.ascontiguousarray(values, np.float32))


def images_of(part: Part, preprocessing: Preprocessing, changed: Callable[[Any, int], Any] | None = None) -> Rows:
    """Return one split's images as its checkpoint wants them."""
    return Rows(StoredRows(part.images), part.labels, preprocessing, changed)


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


def cached(job: Job, preprocessing: Preprocessing, network: Any, head: Any) -> tuple[Rows, Rows, float]:
    """Compute, or find, what the frozen network feeds to its head; return train, val and the seconds it took."""
    start = time.perf_counter()
    found = []
    for name, part in (("train", job.data.train), ("val", job.data.val)):
        path = job.state.folder / "features" / f"{name}.npy"
        if not path.exists():
            _write(job, path, name, images_of(part, preprocessing), network, head)
        found.append(Rows(StoredRows(path), part.labels, None))
    return found[0], found[1], round(time.perf_counter() - start, 3)


def _write(job: Job, path: Path, name: str, images: Rows, network: Any, head: Any) -> None:
    seen: list[Any] = []
    hook = head.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0].detach()))
    network.eval()
    total = len(images)
    try:
        with torch.inference_mode():
            network(pixel_values=images.pixels([0]).to(network.device))
            with new_rows(path, (total, *seen.pop().shape[1:])) as add:
                for start in range(0, total, PREDICT_BATCH):
                    if job.stopped():
                        raise Stopped
                    done = min(start + PREDICT_BATCH, total)
                    network(pixel_values=images.pixels(range(start, done)).to(network.device))
                    add(seen.pop().cpu().numpy())
                    job.tell(Progress(f"features of {name}", done, total))
    finally:
        hook.remove()
