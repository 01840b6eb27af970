"""One variant being made in a worker process: what goes wrong costs that variant only and is told with its reason."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import time
from collections.abc import Callable
from pathlib import Path

from edgebench.converters.base import Quantised
from edgebench.converters.protocol import Converted, Failed, Started
from edgebench.errors import EdgebenchError


def make(variant: str, work: Callable[[], tuple[Path, Quantised]], tell: Callable[[object], None]) -> None:
    """Do the work, which returns the file and how it was quantised; tell how it began and how it ended."""
    tell(Started(variant))
    start = time.perf_counter()

    def fail(reason: str) -> None:
        tell(Failed(variant, reason, time.perf_counter() - start))

    try:
        path, made = work()
    except EdgebenchError as error:
        fail(str(error))
    except MemoryError:
        fail("the conversion needs more memory than there is")
    except Exception as error:  # noqa: BLE001 (frameworks raise anything; it costs this variant)
        fail(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")
    else:
        tell(Converted(variant, path, made.recipe, made.notes, time.perf_counter() - start))
    give_back()


def give_back() -> None:
    """Return freed memory to the system: glibc keeps it, and the peak of the next step would come on top."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
