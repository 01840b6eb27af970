"""Rows of arrays on disk, read and written a few at a time, so that memory does not grow with their number.

Nothing is mapped: mapped pages count as the process's own memory until the kernel wants them back.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edgebench.files import atomic_path

Array = npt.NDArray[Any]


class StoredRows:
    """The rows of a .npy in C order; `rows[3, 1]` or `rows.take([..])` reads just these. A context manager."""

    def __init__(self, path: Path) -> None:
        self._stream = path.open("rb", buffering=0)
        version = np.lib.format.read_magic(self._stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, self.dtype = read(self._stream)
        assert not fortran and not self.dtype.hasobject
        self.shape: tuple[int, ...] = tuple(shape)
        self._start = self._stream.tell()
        self._bytes = int(np.prod(shape[1:], dtype=np.int64)) * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __enter__(self) -> StoredRows:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stream.close()

    def take(self, rows: Sequence[int] | npt.NDArray[np.int64]) -> Array:
        """Return these rows, in this order, as one array."""
        found = np.empty((len(rows), *self.shape[1:]), self.dtype)
        flat = found.reshape(len(rows), -1).view(np.uint8)
        for place, row in zip(flat, rows, strict=True):
            got = os.preadv(self._stream.fileno(), [place.data], self._start + int(row) * self._bytes)
            if got != self._bytes:
                raise OSError(f"row {row} of {self._stream.name} is cut short")
        return found

    def batches(self, size: int) -> Iterator[Array]:
        """Yield all rows in order, `size` at a time."""
        for start in range(0, len(self), size):
            yield self.take(range(start, min(start + size, len(self))))


@contextmanager
def new_rows(path: Path, shape: tuple[int, ...]) -> Iterator[Any]:
    """Yield a function that appends float32 rows to a .npy of `shape`, which appears at `path` once it is whole."""
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, {"descr": "<f4", "fortran_order": False, "shape": shape})
        yield lambda rows: stream.write(np.ascontiguousarray(rows, "<f4").tobytes())
