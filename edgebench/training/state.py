"""What a training has finished so far, on disk: it goes on from there after a kill, and the best epoch is never lost.

Plain arrays and JSON in one .npz, written atomically: `last` is the newest epoch with the optimiser's state, `best`
the weights of the best one.
"""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgebench.errors import UsageError
from edgebench.files import atomic_path

FACTS = "facts"
Arrays = list[npt.NDArray[Any]]


class State:
    """The folder of one training's state."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, name: str, facts: Mapping[str, object], **groups: Sequence[Any]) -> None:
        """Write arrays in named groups, with facts as JSON."""
        arrays = {f"{key}-{i}": np.asarray(array) for key, group in groups.items() for i, array in enumerate(group)}
        arrays[FACTS] = np.frombuffer(json.dumps(facts).encode(), np.uint8)
        with atomic_path(self.folder / f"{name}.npz") as temporary, temporary.open("wb") as stream:
            np.savez(stream, **arrays)  # type: ignore[arg-type]

    def load(self, name: str) -> tuple[dict[str, Any], dict[str, Arrays]] | None:
        """Return facts and groups, None where there is no such state."""
        path = self.folder / f"{name}.npz"
        if not path.exists():
            return None
        groups: dict[str, Arrays] = {}
        with np.load(path, allow_pickle=False) as archive:
            names = sorted((n for n in archive.files if n != FACTS), key=lambda n: int(n.rpartition("-")[2]))
            for full in names:
                groups.setdefault(full.rpartition("-")[0], []).append(archive[full])
            facts = json.loads(archive[FACTS].tobytes())
        return facts, groups

    def clear(self) -> None:
        """Forget everything: the model is on disk."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def drop_features(self) -> None:
        """Remove cached features: they can be computed again."""
        shutil.rmtree(self.folder / "features", ignore_errors=True)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder. Raises UsageError where another process trains the very same."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.folder.with_suffix(".lock").open("w") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise UsageError(f"another edgebench trains this very model ({self.folder}): wait for it") from error
            yield
